"""From a finished run to a bundle: convert, compress, compare with the trained model, write down."""
