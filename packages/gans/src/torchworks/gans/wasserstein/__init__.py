"""Images from noise by the Wasserstein distance: WGAN-GP, and WGAN with clipped weights."""
