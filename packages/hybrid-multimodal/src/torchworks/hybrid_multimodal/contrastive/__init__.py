"""CLIP: images and captions in one space."""
