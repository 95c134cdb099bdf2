"""The recipe of sensor fusion; its docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.lead.config import LeadConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def lead() -> LeadConfig:
    """How far the brighter of two objects is, by a camera and a range sensor joined by bearing.

    hybrid-multimodal train lead

    Three seeds: mean error 0.208 ± 0.008 m, 98.3 ± 0.4 % within a metre, 86.8 ± 1.1 % of the true distances in the
    interval that should hold 80 %. With a dark camera 3.18 ± 0.16 m, without range sensor 4.82 ± 0.09 m. A rule by
    hand (objects in the beams, the brighter one counts) 0.325 ± 0.049 m, the beams at the camera's brightest column
    1.25 ± 0.21, the nearest object 3.24 ± 0.14, a coin between the two true distances 3.25 ± 0.03, the mean 4.82 ±
    0.09. bf16; 54 s of CPU time of one core of an AMD EPYC with AVX512-BF16, torch 2.14.1.
    """
    return LeadConfig(
        recipe="lead",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=64, clip=2.0, eval_every=200),
    )
