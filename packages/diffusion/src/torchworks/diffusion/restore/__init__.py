"""Restoring images with a model that was trained to draw them: holes filled, small images enlarged, contents
changed."""
