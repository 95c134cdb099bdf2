"""The recipes of detection."""

from torchworks.cnn_vision.detection.config import DetectorConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def detect() -> DetectorConfig:
    """Objects and their boxes, by a YOLO.

    cnn-vision train detect
    """
    return _on_scenes("detect", "yolo_resnet20", lr=2e-3, steps=1500)


def detect_ssd() -> DetectorConfig:
    """Objects and their boxes, by SSD.

    cnn-vision train detect-ssd
    """
    return _on_scenes("detect-ssd", "ssd_resnet20", lr=2e-3, steps=1500)


def detect_faster_rcnn() -> DetectorConfig:
    """Objects and their boxes in two stages, by Faster R-CNN.

    cnn-vision train detect-faster-rcnn
    """
    return _on_scenes("detect-faster-rcnn", "fasterrcnn_resnet20_fpn", lr=1e-3, steps=1000)


def instances() -> DetectorConfig:
    """Objects with their boxes and masks, by Mask R-CNN.

    cnn-vision train instances
    """
    return _on_scenes("instances", "maskrcnn_resnet20_fpn", lr=1e-3, steps=800)


def _on_scenes(recipe: str, model: str, *, lr: float, steps: int) -> DetectorConfig:
    return DetectorConfig(
        recipe=recipe,
        data="scenes",
        model=model,
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=lr, schedule="one-cycle"),
        trainer=TrainerConfig(steps=steps, batch_size=16, eval_every=500, ema=0.998, clip=10.0),
    )
