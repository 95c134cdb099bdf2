"""From a configuration to PatchCore's experiment: data, backbone, memory, thresholds, baselines."""

from pathlib import Path

import torch

from torchworks.cnn_vision.anomaly import baselines as baseline
from torchworks.cnn_vision.anomaly.config import AnomalyConfig, check_numbers
from torchworks.cnn_vision.anomaly.predictor import SMALL_MAPS, Pyramid, build_anomaly, stride_of
from torchworks.cnn_vision.anomaly.task import AnomalyDetection, calibrate, fill_memory
from torchworks.cnn_vision.classification.build import open_loaders
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.patchcore import PatchCore
from torchworks.cnn_vision.style.features import SMALL, FeatureNet, open_features
from torchworks.shared.config import UserError
from torchworks.shared.data import Part, Source, open_loader, open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.models.predictor import save_model
from torchworks.shared.training.experiment import Experiment


def anomaly_experiment(config: AnomalyConfig) -> Experiment:
    """The memory is filled here; what follows scores it."""
    check_numbers(config)
    source = open_source(config.data, config.loader, config.seed)
    check_source(source)
    channels, size = source.schema["image"].shape[:2]
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    count = len(source.train)
    held = max(1, round(config.valid_fraction * count))
    if count - held < 1:
        raise UserError(f"{source.name} has {count} good training image; PatchCore needs at least 2, better 50.")
    good, valid = Part(source.train, range(count - held)), Part(source.train, range(count - held, count))

    backbone = open_backbone(config).to(device.device)
    train, select, test = open_loaders(config, device, good, (source.test, source.test), [], (0.0,), (1.0,))
    common = {"device": device.device, "mean": 0.0, "std": 1.0, "train": False}
    filling, holding = (open_loader(part, config.loader, 32, **common) for part in (good, valid))
    name = SMALL if isinstance(backbone, FeatureNet) else config.model
    features, places = sum(backbone.channels.values()), (size // stride_of(name)) ** 2
    if size % (4 * stride_of(name)) or size < 32:
        raise UserError(
            f"--loader.image-size is {size}, but with this backbone it must be a multiple of {4 * stride_of(name)}, "
            "from 32 on."
        )
    memory = max(1, round(config.coreset * len(good) * places))
    plain = {
        "backbone": name,
        "channels": channels, "image_size": size, "memory": memory, "neighbours": config.neighbours,
    }  # fmt: skip
    model = PatchCore(backbone, stride_of(name), memory, features, config.neighbours).to(device.device)
    fill_memory(model, filling, memory, config.projection, config.seed)
    task = AnomalyDetection(model, lambda: calibrate(model, holding, config.false_alarms), config.optim.lr)

    def package_model(folder: Path) -> None:
        predictor = build_anomaly(plain)
        predictor.net = model
        save_model(
            folder, predictor, package=config.package, recipe=config.recipe, builder="cnn-vision-anomaly",
            config=plain, golden={"image": torch.stack([source.test[i]["image"] for i in (0, len(source.test) - 1)])},
            preprocessing={"image": {"size": size, "mode": "L" if channels == 1 else "RGB", "range": [0, 255]}},
        )  # fmt: skip

    return Experiment(
        task, train, select, test, (source,), package_model, lambda: baseline.baselines(good, source.test)
    )


def check_source(source: Source) -> None:
    """Raise `UserError` unless class 0 is good and training images are of it alone."""
    source.need("image")
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if classes[:1] != ("good",):
        raise UserError(
            f"{source.name} does not say which images are good. Use defects, or your own images as mvtec:PATH with the "
            "folders train/good, test/good and test/KIND."
        )


def open_backbone(config: AnomalyConfig) -> FeatureNet | Pyramid:
    """The trained backbone that `--pretrained` names."""
    run = Path(config.pretrained).expanduser()
    if not config.pretrained or run.is_dir():
        return open_features(config.pretrained, SMALL_MAPS, config.loader.root)
    weights = True if config.pretrained == "imagenet" else config.pretrained
    net = create_model(config.model, num_classes=0, pretrained=weights)
    assert isinstance(net, Backbone)
    return Pyramid(net)
