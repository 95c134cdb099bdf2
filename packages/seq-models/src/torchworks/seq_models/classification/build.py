"""From a configuration to an experiment of classification: data, net, task, baselines, and the model to save."""

import dataclasses

from torch import nn

from torchworks.seq_models.classification.baselines import baselines
from torchworks.seq_models.classification.calibration import fitted_temperature
from torchworks.seq_models.classification.config import ClassifierConfig
from torchworks.seq_models.classification.nets import new_net
from torchworks.seq_models.classification.task import Classification
from torchworks.seq_models.data.tokens import tokenized
from torchworks.shared.config import UserError
from torchworks.shared.data import (
    BucketOrder,
    Dataset,
    Loader,
    LoaderFactory,
    Source,
    TensorDataset,
    held_out,
    open_source,
)
from torchworks.shared.data.texts import texts_in
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.text import ByteLevelBPE, Characters, Tokenizer, WordPiece, Words
from torchworks.shared.training.experiment import Experiment

TOKENIZER = "tokenizer.json"


def build(config: ClassifierConfig, device: Device) -> Experiment:
    """A classifier of the classes of a source. Raises `UserError` for data without texts or classes."""
    source = open_source(config.data, config.loader)
    classes = classes_of(source)
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    tokenizer = new_tokenizer(config, rest)
    net = new_net(dataclasses.asdict(config.net), len(tokenizer), len(classes), config.longest)
    task = Classification(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, unknown_rate=config.unknown_rate,
        unknown=tokenizer.unknown,
    )  # fmt: skip
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    train, valid, test = (tokenized(part, tokenizer, config.longest) for part in (rest, held or rest, source.test))
    loaders = LoaderFactory(config, device)
    selection = loaders.ordered(valid)
    model = _model(config, net, tokenizer, classes, test)
    if held is not None:
        model.complete = lambda: {"temperature": fitted_temperature(net, selection)}
    return Experiment(
        task=task,
        train=bucketed(loaders, train),
        select=selection,
        test=loaders.ordered(test),
        sources=(source,),
        models=(model,),
        baselines=lambda: baselines(source.train, source.test),
    )


def classes_of(source: Source) -> tuple[str, ...]:
    """The class names. Raises `UserError` unless each text has one of at least two classes."""
    _, label = source.need("text", "label")
    if label.shape or len(label.classes) < 2:
        raise UserError(
            f"A classifier gives each text one of at least two classes, but those of {source.name} have "
            f"{'sets of labels' if label.shape else f'only the class {label.classes[0]}'}. Choose other data by --data."
        )
    return label.classes


def new_tokenizer(config: ClassifierConfig, train: Dataset) -> Tokenizer:
    """A tokenizer learned from the training texts. Raises `UserError` if they give it nothing."""
    texts = texts_in(train)
    match config.tokenizer:
        case "words":
            tokenizer: Tokenizer = Words.train(texts, size=config.vocabulary)
        case "characters":
            tokenizer = Characters.train(texts)
        case "bytes":
            tokenizer = ByteLevelBPE.train(texts, size=max(config.vocabulary, 258))
        case "wordpiece":
            tokenizer = WordPiece.train(
                texts, size=config.vocabulary, add_special_tokens=config.net.architecture == "bert"
            )
    if len(tokenizer) == len(tokenizer.specials):
        raise UserError(
            f"The training texts give no {config.tokenizer} to learn from. Look at the data by `seq-models check`, or "
            "choose --tokenizer characters."
        )
    return tokenizer


def bucketed(loaders: LoaderFactory, dataset: TensorDataset) -> Loader:
    """Training batches of texts of about the same length."""
    config, device = loaders.config, loaders.device
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    order = BucketOrder(len(dataset), *place, lengths=dataset.tensors["tokens_length"])
    return loaders.training(dataset, order=order)


def _model(
    config: ClassifierConfig, net: nn.Module, tokenizer: Tokenizer, classes: tuple[str, ...], test: TensorDataset
) -> TrainedModel:
    return TrainedModel(
        builder="seq-models-classifier",
        config={"classes": list(classes), "longest": config.longest, "net": dataclasses.asdict(config.net)},
        net=net,
        labels=classes,
        test=test,
        inputs={"text": "tokens"},
        targets={"probability": "label"},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: tokenizer.to_json()},
    )
