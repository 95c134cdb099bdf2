"""The recipe of anomaly detection."""

from torchworks.cnn_vision.anomaly.config import AnomalyConfig
from torchworks.shared.config import LoaderConfig, TrainerConfig


def anomaly() -> AnomalyConfig:
    """Defects in images of a material, found by a memory of good images alone (PatchCore).

    cnn-vision train anomaly
    """
    return AnomalyConfig(
        recipe="anomaly",
        data="defects",
        loader=LoaderConfig(image_size=64),
        trainer=TrainerConfig(steps=0, batch_size=32),
    )
