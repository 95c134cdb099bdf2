"""From a configuration to an experiment of answers that are cut out of texts: data, tokenizer, net, task, baselines,
and the model to save."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from torchworks.seq_models.answering.baselines import answer_baselines
from torchworks.seq_models.answering.config import SpanConfig
from torchworks.seq_models.answering.metrics import answer_scores
from torchworks.seq_models.answering.span_data import BEGIN, SEPARATOR, span_dataset, train_tokenizer
from torchworks.seq_models.answering.span_net import SpanNet, span_scores
from torchworks.seq_models.answering.span_predictor import TOKENIZER, build_span_predictor, new_net
from torchworks.seq_models.answering.span_task import SpanPrediction
from torchworks.seq_models.answering.whole_words import all_whole, grown
from torchworks.seq_models.data.questions import Row, rows_of
from torchworks.shared.config import UserError
from torchworks.shared.data import BucketOrder, Loader, LoaderFactory, TensorDataset, held_out, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.text import ByteLevelBPE
from torchworks.shared.training.experiment import Experiment


def build(config: SpanConfig, device: Device) -> Experiment:
    """A model that answers questions about texts. Raises `UserError` for data without them, and for answers that their
    texts do not have."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("text", "question", "answer")
    rest, held = held_out(source.train, config.valid_fraction, config.seed, labels=[0] * len(source.train))
    train, valid, test = (checked(rows_of(part), config) for part in (rest, held or rest, source.test))
    tokenizer = train_tokenizer(train, config.vocabulary)
    most = {"T": config.longest, "Q": config.longest_question, "A": config.longest_answer}
    options = {**dataclasses.asdict(config.net), "architecture": config.architecture, "matching": config.matching}
    whole = all_whole(train)
    special = (tokenizer.special(BEGIN) or 0, tokenizer.special(SEPARATOR) or 0)
    net = new_net(options, len(tokenizer), most, *special)
    task = SpanPrediction(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, longest_answer=config.longest_answer
    )
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    (trained, _), (selecting, _), (tested, test_rows) = (
        span_dataset(rows, tokenizer, most) for rows in (train, valid, test)
    )
    loaders = LoaderFactory(config, device)
    selection = loaders.ordered(selecting)
    threshold = functools.cache(lambda: best_threshold(net, selection, config.longest_answer))
    model = TrainedModel(
        builder="seq-models-answers",
        config={"most": most, "net": options, "whole_words": whole},
        net=net,
        complete=lambda: {"threshold": threshold()},
        test=tested,
        inputs={"text": "text", "question": "question"},
        targets={"first": "first", "last": "last"},
        preprocessing={name: {"tokenizer": TOKENIZER} for name in ("text", "question", "answer")},
        files={TOKENIZER: tokenizer.to_json()},
    )
    return Experiment(
        task=task,
        train=bucketed(loaders, trained),
        select=selection,
        test=loaders.ordered(tested),
        sources=(source,),
        models=(model,),
        baselines=lambda: {
            **_scores(model, net, threshold(), tokenizer, tested, test_rows),
            **answer_baselines(test_rows),
        },
    )


def checked(rows: list[Row], config: SpanConfig) -> list[Row]:
    """Those whose answers are in their texts. Raises `UserError` for others, unless they may be left out."""
    wrong = [row for row in rows if row.answer and row.start < 0]
    if wrong and (not config.loader.skip_bad or len(wrong) == len(rows)):
        raise UserError(
            f"Answers that do not stand in their texts word for word: {len(wrong)}, such as '{wrong[0].answer[:60]}' "
            f"to '{wrong[0].question[:80]}'. This recipe cuts answers out of texts: correct them (`seq-models check "
            f"{config.data}` names their lines), leave them out by --skip-bad, or train answer-generated."
        )
    return [row for row in rows if not row.answer or row.start >= 0]


def bucketed(loaders: LoaderFactory, dataset: TensorDataset, field: str = "text") -> Loader:
    """Training batches of texts of about the same length."""
    config, device = loaders.config, loaders.device
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    order = BucketOrder(len(dataset), *place, lengths=dataset.tensors[f"{field}_length"])
    return loaders.training(dataset, order=order)


@torch.no_grad()
def best_threshold(net: SpanNet, batches: Iterable[dict[str, Tensor]], most: int) -> float:
    """By how much the score of "no answer" must be above that of the best span to be chosen, so that most of `batches`
    are answered right: section 4.3 of the paper."""
    was_training, device = net.training, next(net.parameters()).device
    net.eval()
    gaps, span_right, none = [], [], []
    for batch in batches:
        scores = span_scores(net(batch["text"].to(device), batch["question"].to(device)), most).cpu()
        first, last = batch["first"].cpu(), batch["last"].cpu()
        best, place = scores[:, 1:].max(1)
        gaps.append(scores[:, 0] - best)
        span_right.append((place == (first - 1) * most + last - first) & (first > 0))
        none.append(first == 0)
    net.train(was_training)
    return threshold_of(torch.cat(gaps), torch.cat(span_right), torch.cat(none))


def threshold_of(gap: Tensor, span_right: Tensor, none: Tensor) -> float:
    """τ in the middle between two of the gaps s_null - ŝ (N,), at which most rows are right: with a gap above τ those
    without an answer (`none`), else those whose span is right."""
    if not none.any():
        return float(gap.max().clamp(min=0)) + 1.0  # no such row in the data: always answer
    gap, order = gap.double().sort()
    right_below = span_right[order].long().cumsum(0)
    right_above = none.sum() - none[order].long().cumsum(0)
    total = torch.cat([none.sum()[None], right_below + right_above])  # τ below all, behind the first, …
    borders = torch.cat([gap[:1] - 1, (gap[:-1] + gap[1:]) / 2, gap[-1:] + 1])
    best = (total == total.max()).nonzero().flatten()
    return float(borders[best].abs().min() * borders[best][borders[best].abs().argmin()].sign())


def _scores(
    model: TrainedModel,
    net: SpanNet,
    threshold: float,
    tokenizer: ByteLevelBPE,
    dataset: TensorDataset,
    rows: Sequence[Row],
) -> dict[str, float]:
    """The scores of the answers of the test part as strings."""
    predictor = build_span_predictor({**model.config, "threshold": threshold}, model.files)
    predictor.net = net
    batches = (dataset.subset(range(i, min(i + 64, len(dataset)))).tensors for i in range(0, len(dataset), 64))
    whole = model.config["whole_words"]
    found = (answers(predictor, batch["text"], batch["question"], tokenizer, whole=whole) for batch in batches)
    return answer_scores([text for batch in found for text, _ in batch], [row.answer for row in rows])


@torch.no_grad()
def answers(
    predictor: torch.nn.Module, text: Tensor, question: Tensor, tokenizer: ByteLevelBPE, *, whole: bool
) -> list[tuple[str, float]]:
    """Of texts (N, T) and questions (N, Q) the answers, '' if there is none, and their probabilities; with `whole`,
    answers begin and end where words of their texts do."""
    was_training, device = predictor.training, next(predictor.parameters()).device
    _, probability, first, last = predictor.eval()(text.to(device), question.to(device))
    predictor.train(was_training)
    places = zip(first.tolist(), last.tolist(), strict=True)
    found = [_cut_out(tokenizer, row, *place, whole=whole) for row, place in zip(text.tolist(), places, strict=True)]
    return [*zip(found, probability.tolist(), strict=True)]


def _cut_out(tokenizer: ByteLevelBPE, ids: Sequence[int], first: int, last: int, *, whole: bool) -> str:
    """What tokens `first` to `last` of a text, counted from 1, say; '' if they are 0."""
    if not first:
        return ""
    parts = [tokenizer.parts[each] for each in ids]
    text, before, until = (
        b"".join(some).decode("utf-8", "replace") for some in (parts, parts[: first - 1], parts[:last])
    )
    answer = text[len(before) : len(until)]
    if not whole:
        return answer.strip()
    begin = len(before) + len(answer) - len(answer.lstrip())
    begin, end = grown(text, begin, len(until))
    return text[begin:end].strip()
