"""Data sources, readers and augmentations of images with classes, boxes, masks and depth."""
