"""Names of the samplers and grids of diffusion models, for configurations, commands and bundles. Imports next to
nothing, so that `--help` is quick; `torchworks.shared.denoising` has the functions by these names."""

from typing import Literal, get_args

SamplerName = Literal["ddpm", "ddim", "euler", "heun", "ab2", "dpmpp-2m", "unipc"]
"""New ones go to the end: bundles have the numbers of those that are `QUIET`."""
GridName = Literal["uniform", "cosine", "log-snr", "karras", "shifted"]
"""How the noise levels of the steps are spaced."""
NOISY: tuple[SamplerName, ...] = ("ddpm",)
"""Those that add noise in each step."""
QUIET: tuple[SamplerName, ...] = tuple(name for name in get_args(SamplerName) if name not in NOISY)
"""Those that add none, so that an image follows from its latent alone."""
