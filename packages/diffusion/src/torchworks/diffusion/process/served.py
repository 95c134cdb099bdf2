"""What a service has to know of a diffusion model to draw by one step of it."""

from collections.abc import Sequence

from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.shared.models.denoising import Condition, DenoisingSpec, Drawing

SERVED = {"ddpm": "ddim"}
"""What an exported model draws with in place of a sampler that adds noise in each step."""


def served_sampler(sampling: SamplingConfig) -> str:
    """The one that draws an image from its latent alone."""
    return SERVED.get(sampling.sampler, sampling.sampler)


def denoising_spec(
    process: ProcessConfig, sampling: SamplingConfig, shape: Sequence[int], *conditions: Condition
) -> DenoisingSpec:
    """Of a model whose net takes these `conditions` beside x (N, *shape) and time."""
    channels, height, width = shape
    guidance = sampling.guidance if conditions else 1.0
    return DenoisingSpec(
        shape=(channels, height, width),
        prediction=process.prediction,
        path=process.path,
        betas=process.betas,
        chain=process.chain,
        zero_terminal_snr=process.zero_terminal_snr,
        sigma_data=process.sigma_data,
        conditions=conditions,
        grid=sampling.grid,
        drawing=Drawing(served_sampler(sampling), min(sampling.steps, process.chain), guidance),
        guided=(sampling.guided_from, sampling.guided_to),
        clip=sampling.clip,
    )
