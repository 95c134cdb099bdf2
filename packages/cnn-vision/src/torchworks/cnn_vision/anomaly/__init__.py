"""Defects found by a memory of what good images look like."""
