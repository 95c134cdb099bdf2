"""Telling images of swapped faces from others."""
