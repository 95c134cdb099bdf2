"""From a configuration to an experiment of classification: data, net, task, baselines, and the model to save."""

from torchworks.diffusion.classification.baselines import baselines
from torchworks.diffusion.classification.config import ClassifierConfig
from torchworks.diffusion.classification.task import Classification
from torchworks.diffusion.models.all_cnn import AllCNN
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source, held_out, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment


def build(config: ClassifierConfig, device: Device) -> Experiment:
    """A classifier of the classes of a source. Raises `UserError` for data without images or classes."""
    source = open_source(config.data, config.loader)
    classes = classes_of(source)
    channels = source.schema["image"].shape[0]
    net = AllCNN(len(classes), channels, width=config.width)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    task = Classification(net, lr=config.optim.lr, weight_decay=config.weight_decay)
    if valid is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(train if valid is None else valid),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(_model(config, net, source, classes),),
        baselines=lambda: baselines(source.train, source.test),
    )


def classes_of(source: Source) -> tuple[str, ...]:
    """The class names. Raises `UserError` unless each image has one of at least two classes."""
    _, label = source.need("image", "label")
    if label.shape or len(label.classes) < 2:
        raise UserError(
            f"A classifier gives each image one of at least two classes, but those of {source.name} have "
            f"{'sets of labels' if label.shape else f'only the class {label.classes[0]}'}. Choose other data by --data."
        )
    return label.classes


def _model(config: ClassifierConfig, net: AllCNN, source: Source, classes: tuple[str, ...]) -> TrainedModel:
    channels, size, _ = source.schema["image"].shape
    return TrainedModel(
        builder="diffusion-classifier",
        config={"classes": list(classes), "channels": channels, "image_size": size, "width": config.width},
        net=net,
        labels=classes,
        test=source.test,
        inputs={"image": "image"},
        targets={"probability": "label"},
    )
