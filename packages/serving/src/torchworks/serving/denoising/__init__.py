"""Diffusion models drawn step by step: how many steps, how much guidance and by which sampler is up to a request."""
