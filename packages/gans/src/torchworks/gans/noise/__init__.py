"""Images from noise: DCGAN, conditional GAN, R3GAN."""
