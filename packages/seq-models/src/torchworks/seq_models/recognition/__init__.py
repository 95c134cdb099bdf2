"""Recognition of speech: sound to text."""
