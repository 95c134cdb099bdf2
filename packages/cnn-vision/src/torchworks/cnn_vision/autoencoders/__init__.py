"""Autoencoders: plain, denoising, variational."""
