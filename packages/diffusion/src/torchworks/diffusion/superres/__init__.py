"""Images enlarged by a diffusion model that was trained to do so."""
