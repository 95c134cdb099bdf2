"""Generation: from a net that predicts the next token to whole texts."""
