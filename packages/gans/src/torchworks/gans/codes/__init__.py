"""Images from noise and a code that means something: InfoGAN."""
