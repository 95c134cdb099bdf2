"""Data sources of this package, and what becomes of their texts."""
