"""Latent diffusion: an autoencoder makes small maps of images, and the diffusion model draws such maps."""
