"""Images from noise, steered by styles: StyleGAN2 with adaptive augmentation."""
