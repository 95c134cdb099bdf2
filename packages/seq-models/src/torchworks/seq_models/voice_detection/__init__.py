"""When somebody speaks in a sound."""
