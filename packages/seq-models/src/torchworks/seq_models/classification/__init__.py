"""Classification: one class for each text."""
