"""Torchworks serving: from a finished run to a checked bundle and a service."""
