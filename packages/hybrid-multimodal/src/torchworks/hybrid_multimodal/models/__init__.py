"""Nets: one paper, one file."""
