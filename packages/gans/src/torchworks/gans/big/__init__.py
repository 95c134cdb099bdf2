"""Images of requested classes by BigGAN's residual nets."""
