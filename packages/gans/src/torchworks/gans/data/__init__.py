"""Data sources of this package."""
