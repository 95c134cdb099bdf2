"""Question answering: from a configuration to an experiment."""

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.data.questions import check_questions, questions_in
from torchworks.hybrid_multimodal.questions.baselines import baselines
from torchworks.hybrid_multimodal.questions.config import VQAConfig
from torchworks.hybrid_multimodal.questions.nets import Net, new_net
from torchworks.hybrid_multimodal.questions.predictor import BUILDER
from torchworks.hybrid_multimodal.questions.task import Answering
from torchworks.hybrid_multimodal.questions.tokens import TOKENIZER, new_tokenizer, tokenized
from torchworks.shared.data import (
    Dataset,
    LoaderFactory,
    Part,
    TensorDataset,
    held_out,
    open_source,
    resident,
)
from torchworks.shared.data.augment import shift
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.text import Tokenizer
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 64
"""Pictures that are scored together, each with all its questions."""


def build(config: VQAConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without questions about pictures."""
    source = open_source(config.data, config.loader, config.seed)
    answers = check_questions(source.schema, source.name)
    rest, held = held_out(resident(source.train), config.valid_fraction, config.seed)
    asked = [question for row in questions_in(rest) for question in row]
    tokenizer = new_tokenizer(asked)
    longest = max(len(tokenizer.encode(question)) for question in {*asked})
    train, valid, test = (tokenized(part, tokenizer, longest) for part in (rest, held or rest, source.test))
    channels, size, _ = source.schema["image"].shape
    net = new_net(
        dataclasses.asdict(config.net), vocabulary=len(tokenizer), answers=len(answers), image_size=size,
        channels=channels,
    )  # fmt: skip
    task = Answering(net, answers=answers, lr=config.optim.lr, weight_decay=config.weight_decay)
    loaders = LoaderFactory(config, device, evaluation_batch=EVALUATION_BATCH)
    return Experiment(
        task=task,
        train=loaders.training(train, augment=[shift(config.shift)] if config.shift else []),
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, net, tokenizer, answers, longest, test),),
        baselines=lambda: compared(task, loaders, rest, source.test, test),
    )


def compared(
    task: Answering, loaders: LoaderFactory, train: Dataset, test: Dataset, read: TensorDataset
) -> dict[str, float]:
    """What answers without picture or without question, of each part of the test data, and our own scores of it."""
    found: dict[str, float] = {}
    for part, rows in parts_of(test).items():
        prefix = part and f"{part}_"
        values = baselines(train, Part(resident(test), rows))
        if prefix:
            values |= scored(task, loaders.ordered(read.subset(rows)))
        found |= {f"{prefix}{name}": value for name, value in values.items()}
    return found


@torch.no_grad()
def scored(task: Answering, batches: Iterable[dict[str, Tensor]]) -> dict[str, float]:
    """The accuracies over these batches, by the net as it is."""
    task.model.eval()
    sums: dict[str, list[float]] = {}
    for batch in batches:
        for name, (right, count) in task.evaluate(batch).items():
            total = sums.setdefault(name, [0.0, 0.0])
            total[0], total[1] = total[0] + float(right), total[1] + float(count)
    return {name: right / count for name, (right, count) in sums.items() if count and name != "loss"}


def _model(
    config: VQAConfig, net: Net, tokenizer: Tokenizer, answers: tuple[str, ...], longest: int, test: TensorDataset
) -> TrainedModel:
    """Its samples are the first question about each test picture."""
    first = {
        "image": test.tensors["image"],
        "text": test.tensors["tokens"][:, 0],
        "label": test.tensors["answer"][:, 0],
    }
    channels, size, _ = test.schema["image"].shape
    image = {"size": size, "mode": "L" if channels == 1 else "RGB", "range": [0, 255]}
    return TrainedModel(
        builder=BUILDER,
        config={
            "net": dataclasses.asdict(config.net), "answers": list(answers), "longest": longest, "image_size": size,
            "channels": channels,
        },
        net=net,
        labels=answers,
        test=TensorDataset(first),
        inputs={"image": "image", "question": "text"},
        targets={"answer": "label"},
        preprocessing={"image": image, "question": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: tokenizer.to_json()},
    )  # fmt: skip
