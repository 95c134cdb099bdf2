"""Images from images: CycleGAN without pairs, pix2pix with pairs."""
