"""Segmentation: a class for every pixel, by U-Net and DeepLabV3."""
