"""Multi-label classification: none, one or several labels for each image."""
