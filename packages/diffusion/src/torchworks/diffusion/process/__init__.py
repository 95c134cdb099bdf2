"""What training a diffusion model needs beside its net: which noise levels it sees, what it should predict, how errors
count."""
