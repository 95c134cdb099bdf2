"""The recipes of detection; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.detection.config import DetectionConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def detr() -> DetectionConfig:
    """Objects and their boxes as a set, without anchors and suppression (DETR, trained with denoising).

    hybrid-multimodal train detr

    1,000 test scenes of one to three digits, three seeds: mAP@.5 0.815 ± 0.049, mAP@[.5:.95] 0.590 ± 0.044 (pairs of
    color and digit seen in training 0.844 and 0.617, held-out pairs 0.789 and 0.569; constant prediction 0.003 and
    0.001). YOLO, the recipe detect of cnn-vision, has 0.987 and 0.862 on these scenes in less time. bf16; 279 to 289 s
    of CPU time of one core of an AMD EPYC with AVX512-BF16, torch 2.14.1.
    """
    return DetectionConfig(
        recipe="detr",
        optim=OptimConfig(lr=1e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=2000, batch_size=16, clip=1.0, eval_every=1000),
    )
