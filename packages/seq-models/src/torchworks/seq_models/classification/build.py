"""From a configuration to an experiment of classification: data, net, task, baselines, and the model to save."""

import dataclasses

from torch import nn

from torchworks.seq_models.classification.baselines import baselines
from torchworks.seq_models.classification.calibration import fitted_temperature
from torchworks.seq_models.classification.config import ClassifierConfig
from torchworks.seq_models.classification.nets import new_net
from torchworks.seq_models.classification.pretrained import as_vectors, check_options, minilm_parts
from torchworks.seq_models.classification.task import Classification
from torchworks.seq_models.data.tokens import tokenized
from torchworks.seq_models.models.sentence_bert import SentenceBERTClassifier
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
EVALUATION_BATCH = 64
"""Texts that are scored together: few, so that a long one has few others padded to its length."""


def build(config: ClassifierConfig, device: Device) -> Experiment:
    """A classifier of the classes of a source. Raises `UserError` for data without texts or classes."""
    check_options(config)
    source = open_source(config.data, config.loader)
    classes = classes_of(source)
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    net, tokenizer = _net_and_tokenizer(config, rest, classes)
    parts = [tokenized(part, tokenizer, config.longest) for part in (rest, held or rest, source.test)]
    model = _model(config, net, tokenizer, classes, parts[2])
    trained, field = net, "tokens"
    if config.frozen:
        assert isinstance(net, SentenceBERTClassifier)  # check_options
        trained, field = net.classifier, "vector"
        few = 4 * config.trainer.batch_size if config.trainer.dry_run else None  # all that a dry run looks at
        parts = [as_vectors(net, part.subset(range(len(part))[:few]), device.device) for part in parts]
    train, valid, test = parts
    task = Classification(
        trained, lr=config.optim.lr, weight_decay=config.weight_decay, field=field,
        unknown_rate=0.0 if config.frozen else config.unknown_rate, unknown=tokenizer.unknown,
        longest=config.longest, head_rate=1.0 if config.frozen else config.head_rate,
    )  # fmt: skip
    loaders = LoaderFactory(config, device, evaluation_batch=EVALUATION_BATCH)
    selection = loaders.ordered(valid if config.frozen else by_length(valid))
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    else:
        model.complete = lambda: {"temperature": fitted_temperature(trained, selection, field)}
    return Experiment(
        task=task,
        train=loaders.training(train) if config.frozen else bucketed(loaders, train),
        select=selection,
        test=loaders.ordered(test if config.frozen else by_length(test)),
        sources=(source,),
        models=(model,),
        baselines=lambda: baselines(source.train, source.test),
    )


def _net_and_tokenizer(
    config: ClassifierConfig, train: Dataset, classes: tuple[str, ...]
) -> tuple[nn.Module, Tokenizer]:
    """Both new, learned from the training texts, or both published."""
    if config.pretrained == "minilm":
        return minilm_parts(config, len(classes))
    tokenizer = new_tokenizer(config, train)
    return new_net(dataclasses.asdict(config.net), len(tokenizer), len(classes), config.longest), tokenizer


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
                texts, size=config.vocabulary, add_special_tokens=config.net.architecture in ("bert", "sentence-bert")
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


def by_length(dataset: TensorDataset) -> TensorDataset:
    """The same samples, the shortest first: for evaluations, in which texts of about the same length need little
    padding."""
    return dataset.subset(dataset.tensors["tokens_length"].argsort(stable=True))


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
