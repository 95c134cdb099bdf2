"""A trained classifier as it is used: bytes of images to probabilities.

The builders here rebuild a predictor from the configuration in `model.json`; they are announced as entry points in the
group `torchworks.builders`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models import create_model
from torchworks.shared.config import Config
from torchworks.shared.data import Source
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec, samples_of, save_model
from torchworks.shared.models.signature import Kind


class ClassifierPredictor(Predictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each class.

    `mean` and `std` of each channel, of pixels in [0, 1], normalise the images.
    """

    def __init__(self, net: nn.Module, signature: Signature, mean: Sequence[float], std: Sequence[float]):
        super().__init__(net, signature)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 (N, C, S, S) as the net was trained on them, float32."""
        return (images.float() - self.mean) / self.std

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(self.normalised(inputs[0])).float().softmax(1)


def classifier_config(
    model: str,
    image_size: int,
    channels: int,
    classes: tuple[str, ...],
    small_images: bool,
    drop_rate: float | None,
    mean: list[float],
    std: list[float],
) -> dict[str, Any]:
    """What `build_classifier` needs, as plain data."""
    return {
        "model": model,
        "image_size": image_size,
        "channels": channels,
        "classes": list(classes),
        "small_images": small_images,
        "drop_rate": drop_rate,
        "mean": mean,
        "std": std,
    }


def build_classifier(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a classifier, with new weights; builder "cnn-vision-classifier"."""
    return ClassifierPredictor(_net(config), _signature(config, "label"), config["mean"], config["std"])


class FindingsPredictor(ClassifierPredictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each finding, as common as in the training data.

    A finding is called found where its probability is at least its place in `thresholds` (K,). `log_pos_weight` (K,) is
    what the weights of the training added to the logits (see `findings.py`).
    """

    log_pos_weight: Tensor

    def __init__(
        self,
        net: nn.Module,
        signature: Signature,
        mean: Sequence[float],
        std: Sequence[float],
        log_pos_weight: Tensor,
        thresholds: tuple[float, ...],
    ):
        super().__init__(net, signature, mean, std)
        assert len(thresholds) == len(log_pos_weight) == len(signature.outputs[0].labels), "one for each finding"
        self.thresholds = thresholds
        self.register_buffer("log_pos_weight", log_pos_weight, persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        return (self.net(self.normalised(inputs[0])).float() - self.log_pos_weight).sigmoid()

    def found(self, probability: Tensor) -> Tensor:
        """bool (N, K) of `probability` (N, K)."""
        return probability >= torch.tensor(self.thresholds, device=probability.device)


def findings_config(
    classifier: dict[str, Any], pos_weight: Tensor, thresholds: list[float] | None = None
) -> dict[str, Any]:
    """What `build_findings` needs, as plain data: a `classifier_config` whose classes are the findings, and more.
    Thresholds are 0.5 as long as none were chosen."""
    chosen = [0.5] * len(pos_weight) if thresholds is None else thresholds
    return {**classifier, "log_pos_weight": pos_weight.log().tolist(), "thresholds": chosen}


def build_findings(config: dict[str, Any]) -> FindingsPredictor:
    """The predictor of findings, with new weights; builder "cnn-vision-findings"."""
    return FindingsPredictor(
        _net(config),
        _signature(config, "probabilities"),
        config["mean"],
        config["std"],
        torch.tensor(config["log_pos_weight"]),
        tuple(config["thresholds"]),
    )


def _net(config: dict[str, Any]) -> nn.Module:
    options = {} if config["drop_rate"] is None else {"drop_rate": config["drop_rate"]}
    return create_model(
        config["model"],
        num_classes=len(config["classes"]),
        in_channels=config["channels"],
        small_images=config["small_images"],
        **options,
    )


def _signature(config: dict[str, Any], kind: Kind) -> Signature:
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    probability = TensorSpec("probability", kind, "float32", ("N", len(classes)), low=0.0, high=1.0, labels=classes)
    return Signature((image,), (probability,))


def save(
    folder: Path, whole: ClassifierPredictor, *, builder: str, plain: dict[str, Any], config: Config, source: Source
) -> None:
    """Write the predictor that `builder` makes of `plain` as the model of a run of `config`, with test images of
    `source`; the first two are its golden example."""
    samples = samples_of(source.test)
    save_model(
        folder,
        whole,
        package=config.package,
        recipe=config.recipe,
        builder=builder,
        config=plain,
        golden={"image": samples["image"][:2]},
        preprocessing=preprocessing(plain),
        labels=plain["classes"],
        data=(source,),
        samples={"image": samples["image"]},
        targets={"probability": samples["label"]},
    )


def preprocessing(config: dict[str, Any]) -> dict[str, Any]:
    """What a picture file goes through to become the input, as plain data."""
    mode = "L" if config["channels"] == 1 else "RGB"
    scale = {"mean": config["mean"], "std": config["std"]}
    return {"image": {"size": config["image_size"], "mode": mode, "range": [0, 255], **scale}}
