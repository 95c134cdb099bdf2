"""A class for every pixel: recipes, training, scores, and a finished segmenter at work."""
