"""The recipes of detection."""

from torchworks.cnn_vision.detection.config import DetectorConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def detect() -> DetectorConfig:
    """Objects and their boxes, by a YOLO.

    cnn-vision train detect

    Three seeds, 400 test scenes: mAP@.5 0.871 ± 0.010, mAP@[.5:.95] 0.652 ± 0.011 (constant prediction: 0.001 and
    0.000); 356 s of two cores of an Intel Xeon (torch 2.14.1).
    """
    return _on_scenes("detect", "yolo_resnet20", lr=1.5e-3, steps=3300)


def detect_ssd() -> DetectorConfig:
    """Objects and their boxes, by SSD.

    cnn-vision train detect-ssd

    Three seeds, 400 test scenes: mAP@.5 0.848 ± 0.003, mAP@[.5:.95] 0.560 ± 0.003 (constant prediction: 0.001 and
    0.000); 433 s of two cores of an Intel Xeon (torch 2.14.1).
    """
    return _on_scenes("detect-ssd", "ssd_resnet20", lr=2e-3, steps=4000)


def detect_faster_rcnn() -> DetectorConfig:
    """Objects and their boxes in two stages, by Faster R-CNN.

    cnn-vision train detect-faster-rcnn

    Three seeds, 400 test scenes: mAP@.5 0.865 ± 0.011, mAP@[.5:.95] 0.593 ± 0.009 (constant prediction: 0.001 and
    0.000); 321 s of two cores of an Intel Xeon (torch 2.14.1).
    """
    return _on_scenes("detect-faster-rcnn", "fasterrcnn_resnet20_fpn", lr=1.5e-3, steps=1600)


def instances() -> DetectorConfig:
    """Objects with their boxes and masks, by Mask R-CNN.

    cnn-vision train instances

    Three seeds, 400 test scenes: box mAP@.5 0.827 ± 0.006, mAP@[.5:.95] 0.547 ± 0.006, mask mAP@.5 0.778 ± 0.009,
    mAP@[.5:.95] 0.348 ± 0.008 (boxes of a constant prediction: 0.001 and 0.000); 488 s of two
    cores of an Intel Xeon (torch 2.14.1). Twice as long is better: 0.899 and 0.865 after 2000 steps.
    """
    return _on_scenes("instances", "maskrcnn_resnet20_fpn", lr=1.5e-3, steps=1200)


def _on_scenes(recipe: str, model: str, *, lr: float, steps: int) -> DetectorConfig:
    return DetectorConfig(
        recipe=recipe,
        data="scenes:train=8000",
        model=model,
        valid_fraction=0.05,
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=lr, schedule="one-cycle"),
        trainer=TrainerConfig(steps=steps, batch_size=8, eval_every=600, ema=0.998, clip=10.0),
    )
