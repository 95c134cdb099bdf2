"""Which images are good: as the data say it, or one class of them against the rest."""

from dataclasses import replace

from torchworks.cnn_vision.anomaly.config import AnomalyConfig
from torchworks.cnn_vision.data.subset import Relabelled, with_classes
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, labels_of, open_source
from torchworks.shared.data.schema import image_schema


def open_good(config: AnomalyConfig) -> Source:
    """The source that `config` names, whose class 0 is "good" and whose training images are all of it. Raises
    `UserError` if nothing says which images are good."""
    source = open_source(config.data, config.loader, config.seed)
    if config.good:
        return one_class(source, config.good)
    source.need("image")
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if classes[:1] != ("good",):
        name = f", or name the class of {source.name} that is good by --good, such as {classes[0]}" if classes else ""
        raise UserError(
            f"{source.name} does not say which images are good. Use defects, or your own images as mvtec:PATH with the "
            f"folders train/good, test/good and test/KIND{name}."
        )
    return source


def one_class(source: Source, good: str) -> Source:
    """One class against the rest (Ruff et al. 2018, "Deep One-Class Classification"): images of the class `good` are
    good, and those of each other class, which are in the test part alone, are anomalies."""
    classes = source.schema["label"].classes if "label" in source.schema else ()
    others = tuple(name for name in classes if name != good)
    ordered = with_classes(source, (good, *others))
    schema = image_schema(*ordered.schema["image"].shape[:2], ("good", *others))
    labels, tested = labels_of(ordered.train), labels_of(ordered.test)
    rows = (labels == 0).nonzero().flatten()
    train = Relabelled(ordered.train, rows.tolist(), labels[rows], schema)
    test = Relabelled(ordered.test, list(range(len(tested))), tested, schema)
    return replace(source, train=train, test=test, schema=schema)
