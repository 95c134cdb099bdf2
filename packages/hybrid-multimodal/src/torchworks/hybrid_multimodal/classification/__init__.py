"""Classification of images by nets that convolve and attend."""
