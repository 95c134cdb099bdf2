"""From a configuration to an experiment of a model that writes answers, summaries or replies: data, tokenizer, net,
task, baselines, and the model to save."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from torchworks.seq_models.answering.baselines import answer_baselines, summary_baselines
from torchworks.seq_models.answering.config import WritingConfig
from torchworks.seq_models.answering.metrics import answer_scores, summary_scores
from torchworks.seq_models.answering.span_build import bucketed
from torchworks.seq_models.answering.whole_words import all_copied
from torchworks.seq_models.answering.writing_data import (
    END,
    FORMS,
    Written,
    target,
    train_tokenizer,
    writing_dataset,
    written_texts,
)
from torchworks.seq_models.answering.writing_predictor import TOKENIZER, new_net
from torchworks.seq_models.answering.writing_task import GPTWriting, PointerWriting, Writing
from torchworks.seq_models.data.questions import NOT_IN_TEXT, Row, rows_of
from torchworks.seq_models.language.text import write
from torchworks.shared.data import Field, LoaderFactory, Schema, Source, TensorDataset, held_out, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.text import Tokenizer
from torchworks.shared.text.copied_numbers import CopiedNumbers
from torchworks.shared.text.sampling import GREEDY
from torchworks.shared.training.experiment import Experiment


@dataclass(frozen=True)
class Parts:
    """The rows of each part of a source, and the tokenizer, which knows the training part alone."""

    source: Source
    train: list[Row]
    valid: list[Row]
    """Empty if nothing is held out."""
    test: list[Row]
    tokenizer: Tokenizer


def divided(config: WritingConfig) -> Parts:
    """Raises `UserError` for data without what is to be written."""
    source = open_source(config.data, config.loader, config.seed)
    source.need(*FORMS[config.written].needed, config.written)
    rest, held = held_out(source.train, config.valid_fraction, config.seed, labels=[0] * len(source.train))
    train, test = rows_of(rest), rows_of(source.test)
    tokenizer = train_tokenizer(train, config.written, config.vocabulary)
    return Parts(source, train, rows_of(held) if held else [], test, tokenizer)


def build(config: WritingConfig, device: Device) -> Experiment:
    """A model that writes answers or summaries. Raises `UserError` for data without them."""
    return writing_experiment(
        config, device, divided(config), "seq-models-writing", baselines=_compared(config.written)
    )


def writing_experiment(
    config: WritingConfig,
    device: Device,
    parts: Parts,
    builder: str,
    *,
    baselines: Callable[[Sequence[Row]], dict[str, float]],
    files: dict[str, bytes] | None = None,
    options: dict | None = None,
) -> Experiment:
    """The experiment; the saved model has further `files` and `options`."""
    tokenizer = parts.tokenizer
    copied = copies_numbers(parts.train, config.written)
    made = {
        "written": config.written,
        "whole_numbers": copied,
        "architecture": config.architecture,
        "context": config.context,
        "net": dataclasses.asdict(config.net),
    }
    net = new_net(made, tokenizer)
    (train, _), (valid, shown), (test, test_rows) = (
        writing_dataset(rows, tokenizer, config.written, config.context)
        for rows in (parts.train, parts.valid or parts.train, parts.test)
    )
    task = _task(config, net, lambda net: _sample(net, shown[0], config, tokenizer, copied))
    if not parts.valid:
        task.watch = None  # nothing to select by, so the last state is kept
    elif config.written == "reply":
        task.watch, task.watch_mode = "nats", "min"  # there are many right replies
    loaders = LoaderFactory(config, device, evaluation_batch=64)
    model = TrainedModel(
        builder=builder,
        config={**made, **(options or {})},
        net=net,
        test=prompts_of(test, config.context, len(tokenizer)),
        inputs={"text": "tokens", "length": "length"},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: tokenizer.to_json(), **(files or {})},
    )
    return Experiment(
        task=task,
        train=bucketed(loaders, train, "tokens"),
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(parts.source,),
        models=(model,),
        baselines=lambda: {
            **written_scores(net, test_rows[: config.most_written], tokenizer, config, copied),
            **baselines(test_rows[: config.most_written]),
        },
    )


def _task(config: WritingConfig, net: nn.Module, sample: Callable[[nn.Module], str]) -> Writing:
    options = {"lr": config.optim.lr, "weight_decay": config.weight_decay, "sample": sample}
    if config.architecture == "gpt":
        return GPTWriting(net, text_weight=config.text_weight, **options)
    return PointerWriting(net, **options)


def _compared(written: str) -> Callable[[Sequence[Row]], dict[str, float]]:
    return answer_baselines if written == "answer" else summary_baselines


def copies_numbers(rows: Sequence[Row], written: Written) -> bool:
    """Whether all numbers of what is to be written are the prompt's; replies may have any."""
    prompt = FORMS[written].prompt
    return written != "reply" and all_copied((prompt(row), target(row, written)) for row in rows)


def greedy_texts(
    net: nn.Module, rows: Sequence[Row], tokenizer: Tokenizer, config: WritingConfig, *, whole_numbers: bool
) -> list[str]:
    """What the net writes for each row; with `whole_numbers`, no number that is none of its prompt's."""
    was_training = net.training
    prompts = [FORMS[config.written].prompt(row) for row in rows]
    end, restrict = tokenizer.special(END), CopiedNumbers(tokenizer, prompts) if whole_numbers else None
    texts = written_texts(
        lambda ids, steps, numbers: write(
            net.eval(), ids, steps, GREEDY, 0, end, restrict=restrict, numbers=numbers
        ),
        prompts, tokenizer, config.context,
    )  # fmt: skip
    net.train(was_training)
    return texts


def written_scores(
    net: nn.Module, rows: Sequence[Row], tokenizer: Tokenizer, config: WritingConfig, whole_numbers: bool
) -> dict[str, float]:
    """The scores of what the net writes."""
    texts = greedy_texts(net, rows, tokenizer, config, whole_numbers=whole_numbers)
    if config.written == "answer":
        return answer_scores(["" if text == NOT_IN_TEXT else text for text in texts], [row.answer for row in rows])
    return summary_scores(texts, [target(row, config.written) for row in rows])


def _sample(net: nn.Module, row: Row, config: WritingConfig, tokenizer: Tokenizer, whole_numbers: bool) -> str:
    (text,) = greedy_texts(net, [row], tokenizer, config, whole_numbers=whole_numbers)
    return f"{FORMS[config.written].prompt(row)} {text}"


def prompts_of(dataset: TensorDataset, context: int, vocabulary: int) -> TensorDataset:
    """The prompts of up to 256 test rows, for the model's samples."""
    kept = dataset.subset(range(min(256, len(dataset)))).tensors
    tokens, length = kept["tokens"], kept["prompt_length"]
    tokens = tokens[:, : int(length.max())]
    tokens = tokens * (torch.arange(tokens.shape[1]) < length[:, None])
    fields = (
        Field("tokens", "tokens", tokens.shape[1:], vocabulary=vocabulary),
        Field("length", "id", (), size=context + 1),
    )
    return TensorDataset({"tokens": tokens, "length": length}, Schema(fields))
