"""Nets of other libraries, in small and with random weights, which ours must equal."""
