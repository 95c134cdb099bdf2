"""The recipes of detection."""

from torchworks.cnn_vision.detection.config import DetectorConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def detect() -> DetectorConfig:
    """Objects and their boxes, by a YOLO.

    cnn-vision train detect

    Measured is a shorter training so far: with --data scenes:train=2000,test=200 --steps 1800, seed 0, the test mAP@.5
    was 0.729 and mAP@[.5:.95] 0.502 (the best guess that does not look at the image: 0.001 and 0.000), after 458 s of
    one core's time, scoring included (torch 2.14.1, AMD EPYC, beside other work).
    """
    return _on_scenes("detect", "yolo_resnet20", lr=1.5e-3, steps=3600)


def detect_ssd() -> DetectorConfig:
    """Objects and their boxes, by SSD.

    cnn-vision train detect-ssd
    """
    return _on_scenes("detect-ssd", "ssd_resnet20", lr=1.5e-3, steps=4000)


def detect_faster_rcnn() -> DetectorConfig:
    """Objects and their boxes in two stages, by Faster R-CNN.

    cnn-vision train detect-faster-rcnn
    """
    return _on_scenes("detect-faster-rcnn", "fasterrcnn_resnet20_fpn", lr=1e-3, steps=2400)


def instances() -> DetectorConfig:
    """Objects with their boxes and masks, by Mask R-CNN.

    cnn-vision train instances
    """
    return _on_scenes("instances", "maskrcnn_resnet20_fpn", lr=1e-3, steps=1800)


def _on_scenes(recipe: str, model: str, *, lr: float, steps: int) -> DetectorConfig:
    return DetectorConfig(
        recipe=recipe,
        data="scenes:train=4000",
        model=model,
        valid_fraction=0.05,
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=lr, schedule="one-cycle"),
        trainer=TrainerConfig(steps=steps, batch_size=8, eval_every=600, ema=0.998, clip=10.0),
    )
