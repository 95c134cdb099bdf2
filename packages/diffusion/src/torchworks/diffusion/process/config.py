"""The diffusion process of a model, and how images are drawn with it. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Count, Limited, Positive, TrainerConfig, UserError, limited
from torchworks.shared.denoising import Guidance, Path, Prediction, check_prediction, path_of
from torchworks.shared.denoising.paths import Betas, PathName
from torchworks.shared.sampler_names import GridName, SamplerName


@dataclass(frozen=True)
class ProcessConfig(Limited):
    """The diffusion process: what lies between image and noise, what the net predicts, how errors count."""

    group: ClassVar[str] = "process"

    path: PathName = "flow"
    """Straight lines from image to noise, the chain of DDPM, or noise added to an image that keeps its size (EDM)."""
    betas: Betas = "linear"
    """For the chain: the variance that each step adds."""
    chain: Count = 1000
    """For the chain: its levels."""
    zero_terminal_snr: bool = False
    """For the chain: shift the levels so that the last is noise alone."""
    prediction: Prediction = "flow"
    """What the net predicts: the noise, the image, v = alpha · noise - sigma · image, flow = noise - image, EDM's F."""
    sigma_data: Positive = 0.5
    """For edm: the standard deviation of the images' pixels, which are in [-1, 1]."""
    weighting: Literal["none", "min-snr", "sigmoid", "velocity"] = "none"
    """How much the squared error of what the net predicts counts at each noise level."""
    times: Literal["uniform", "logit-normal", "log-normal"] = "logit-normal"
    """Which levels training sees: all times alike; the middle more; or as EDM does, by the logarithm of sigma."""
    time_mean: float = 0.0
    """Mean of the normal distribution of (log-normal) ln sigma or (logit-normal) logit t; above 0 is more noise."""
    time_deviation: Positive = 1.0
    """Its standard deviation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_prediction(self.prediction, self.path_of().level(1))
        if self.times == "log-normal" and self.path != "variance-exploding":
            raise UserError(
                "Log-normal times draw sigma as EDM does, so they go with --process.path variance-exploding alone. "
                "Choose --process.times uniform or logit-normal."
            )

    def path_of(self) -> Path:
        """The path from image to noise."""
        return path_of(self.path, betas=self.betas, steps=self.chain, zero_terminal_snr=self.zero_terminal_snr)


@dataclass(frozen=True)
class SamplingConfig(Limited):
    """How images are drawn."""

    group: ClassVar[str] = "sampling"

    sampler: SamplerName = "dpmpp-2m"
    """Method by which noise becomes an image."""
    grid: GridName = "uniform"
    """How its noise levels are spaced."""
    steps: Count = 8
    """Number of its steps; each asks the net once (heun: twice)."""
    guidance: Amount = 1.25
    """How much more than the condition asks for is done (1: no more, which takes half the time). A model without a
    condition has none."""
    guided_from: Annotated[float, *limited(0, 1)] = 0.0
    """Least share of noise, sigma / (alpha + sigma), at which there is guidance."""
    guided_to: Annotated[float, *limited(0, 1, below=False)] = 1.0
    """Largest share of noise at which there is guidance."""
    clip: bool = False
    """Whether the image that the net predicts is cut to [-1, 1] in each step."""

    def guidance_of(self, conditional: bool) -> Guidance:
        """The guidance; none of it for a model that has no condition."""
        return Guidance(self.guidance if conditional else 1.0, (self.guided_from, self.guided_to))


def check_strategy(muon_lr: float, trainer: TrainerConfig) -> None:
    """Raise `UserError` for Muon with parameters that are sharded."""
    if muon_lr and trainer.strategy == "fsdp":
        raise UserError(
            "Muon needs whole matrices, which --strategy fsdp shards. Use --muon-lr 0, so that AdamW trains all, or "
            "the strategy ddp."
        )
