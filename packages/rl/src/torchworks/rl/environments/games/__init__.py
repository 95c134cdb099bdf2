"""Small games of our own."""
