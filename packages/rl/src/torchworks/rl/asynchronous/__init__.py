"""A3C: workers that play and learn without waiting for each other."""
