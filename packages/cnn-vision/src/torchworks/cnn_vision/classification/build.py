"""From a configuration to an experiment of classification: data, net, task, baselines, and the model to save."""

from dataclasses import replace
from typing import Any

from torchworks.cnn_vision.classification.config import ClassifierConfig
from torchworks.cnn_vision.classification.predictor import classifier_config
from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.config import VisionConfig
from torchworks.cnn_vision.data.augmentations import augmentations
from torchworks.cnn_vision.data.holdout import balanced_weights, imbalance
from torchworks.cnn_vision.data.loading import open_loaders
from torchworks.cnn_vision.data.subset import with_classes, with_shots
from torchworks.cnn_vision.finetuning.build import build_finetuning, build_model, normalization, wants_small_images
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.classification.baselines import logistic_regression
from torchworks.shared.config import Config, UserError
from torchworks.shared.data import Dataset, Source, held_out, open_source
from torchworks.shared.data.learnable import check_learnable, unscored
from torchworks.shared.inference.predictor import preprocessing
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Task
from torchworks.shared.training.experiment import Experiment


def build(config: ClassifierConfig, device: Device, net: Backbone | None = None) -> Experiment:
    """A classifier of the classes of a source; `net` is a pretrained one to use instead of a new one."""
    source = open_classes(config)
    classes = classes_of(source)
    channels, size = source.schema["image"].shape[:2]
    model = build_model(config, channels, len(classes)) if net is None else net
    mean, std = normalization(config, model, channels)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    check_learnable(train, source.name, "label")
    task = Classification(
        model,
        len(classes),
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        class_weights=balanced_weights(train, len(classes)) if config.class_weights == "balanced" else None,
        mixing=config.mixing,
        finetuning=build_finetuning(config, model, device),
    )
    if valid is None:
        task.watch = None
    changes = augmentations(config.augment, size, mean, std)
    scored = train if valid is None else valid, source.test
    training, select, test = open_loaders(config, device, train, scored, changes, mean, std)
    plain = model_config(config, source, classes, mean, std)
    notes = [*imbalance(train, classes, config.class_weights), *unscored([source.test], "label")]
    return Experiment(
        task=task,
        train=training,
        select=select,
        test=test,
        sources=(replace(source, notes=(*source.notes, *notes)),),
        models=(trained_model("cnn-vision-classifier", plain, task, source.test),),
        baselines=lambda: logistic_regression(source.train, source.test),
    )


def model_config(
    config: VisionConfig, source: Source, classes: tuple[str, ...], mean: list[float], std: list[float]
) -> dict[str, Any]:
    """What the builder of the predictor needs, as plain data."""
    channels, size = source.schema["image"].shape[:2]
    small_images = wants_small_images(config)
    return classifier_config(config.model, size, channels, classes, small_images, config.drop_rate, mean, std)


def trained_model(builder: str, config: dict[str, Any], task: Task, test: Dataset, **options: Any) -> TrainedModel:
    """What becomes of the net of `task`; `config` is a `classifier_config`, perhaps with more. The labels of `test` are
    the targets of its probabilities."""
    return TrainedModel(
        builder=builder,
        config=config,
        net=task.nets()["model"],
        labels=tuple(config["classes"]),
        test=test,
        inputs={"image": "image"},
        targets={"probability": "label"},
        preprocessing=preprocessing(config),
        **options,
    )


def open_classes(config: Config) -> Source:
    """The source, with the classes and the training images that the configuration asks for."""
    source = open_source(config.data, config.loader)
    if not isinstance(config, ClassifierConfig):
        return source
    if config.classes:
        classes_of(source)  # with_classes can only choose among single labels
        source = with_classes(source, config.classes)
    return with_shots(source, config.shots, config.seed) if config.shots else source


def classes_of(source: Source) -> tuple[str, ...]:
    """The class names; raises `UserError` if there are fewer than two, or an image may have several."""
    source.need("image")
    if "label" in source.schema and source.schema["label"].shape:
        raise UserError(
            f"A classifier gives each image one class, but those of {source.name} may have several or none. Use the "
            "recipe `medical`, which predicts each label independently."
        )
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"A classifier needs at least two classes, but {source.name} has {found}. Give each class a sub-folder of "
            "its own, or a CSV table a column of labels."
        )
    return classes
