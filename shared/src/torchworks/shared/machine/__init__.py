"""The machine: its facts (CPU, memory, limits), the device and precision chosen from them, and `make doctor`."""
