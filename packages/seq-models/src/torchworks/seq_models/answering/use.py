"""The commands `answer`, `summarise` and `evaluate`."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch

from torchworks.seq_models.answering.baselines import answer_baselines, summary_baselines
from torchworks.seq_models.answering.commands import Answer, Summarise
from torchworks.seq_models.answering.config import SpanConfig, WritingConfig
from torchworks.seq_models.answering.metrics import answer_scores, summary_scores
from torchworks.seq_models.answering.run import AnsweringRun, objection, open_answering_run, said
from torchworks.seq_models.answering.span_build import answers, checked
from torchworks.seq_models.answering.span_data import span_dataset
from torchworks.seq_models.answering.writing_build import greedy_texts
from torchworks.seq_models.answering.writing_data import FORMS, MOST_WRITTEN, target
from torchworks.seq_models.data.questions import NOT_IN_TEXT, Row, rows_of
from torchworks.seq_models.data.whole import open_whole
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import of_arguments, refuse_wrong, say_unknown, whole_file
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, open_source
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.outputs import prepare
from torchworks.shared.text import ByteLevelBPE

BATCH = 64
MOST_ERRORS = 200
ROOM = 16
"""Tokens that must be left for what is written."""


def answer(arguments: Answer) -> int:
    """Print a line for each question. Raises `UserError` that names those that could not be answered, once all others
    are done."""
    run = open_answering_run(arguments.run, arguments.device, ("", "answer"), "answer or answer-generated")
    if not arguments.questions:
        raise UserError("No question was given. Write questions, each in quotation marks, after the run.")
    text, most = whole_file(arguments.text), _most(run)
    if wrong := text.wrong or objection(run, text.text or "", most["text"]):
        raise UserError(f"{text.name} {wrong.replace('is empty', 'is empty: there is no text in it')}.")
    rows, bad = [], []
    for each in of_arguments(arguments.questions, "question"):
        row = Row(text.text or "", (each.text or "").strip())
        if wrong := each.wrong or _question_objection(run, row, most):
            bad.append(f"{each.name} {wrong}")
        else:
            rows.append(row)
    say_unknown(run.tokenizer, [text.text, *(row.question for row in rows)])
    for row, (answer, probability) in zip(rows, _answers(run, rows), strict=True):
        share = "" if probability is None else f"  {probability:.1%}"
        alone = len(arguments.questions) == 1
        print(f"{said(answer)}{share}" if alone else f"{said(answer)}{share}  ({row.question})")
    refuse_wrong(bad, len(arguments.questions), "Questions that cannot be answered")
    return 0


def _most(run: AnsweringRun) -> dict[str, int]:
    """Most tokens of a text, a question, and of a whole prompt."""
    if not run.written:
        most = run.predictor.signature.most
        return {"text": most["T"], "question": most["Q"]}
    return dict.fromkeys(("text", "question", "prompt"), cast(WritingConfig, run.config).context - ROOM)


def _question_objection(run: AnsweringRun, row: Row, most: dict[str, int]) -> str:
    wrong = objection(run, row.question, most["question"])
    if wrong or not run.written:
        return wrong
    wrong = objection(run, FORMS[run.written].prompt(row), most["prompt"])
    return f"with its text {wrong}" if wrong else ""


def _answers(run: AnsweringRun, rows: Sequence[Row]) -> list[tuple[str, float | None]]:
    if run.written:
        return [("" if text == NOT_IN_TEXT else text, None) for text in _written(run, rows)]
    found: list[tuple[str, float | None]] = []
    for row in rows:
        text, question = (torch.tensor([run.tokenizer.encode(each)]) for each in (row.text, row.question))
        found += answers(run.predictor, text, question, cast(ByteLevelBPE, run.tokenizer), whole=run.whole_words)
    return found


def _written(run: AnsweringRun, rows: Sequence[Row]) -> list[str]:
    config = cast(WritingConfig, run.config)
    return greedy_texts(run.predictor.net, rows, run.tokenizer, config, whole_numbers=run.whole_numbers)


def summarise(arguments: Summarise) -> int:
    """Print the summary of each file. Raises `UserError` that names those that have none, once all others are done."""
    run = open_answering_run(arguments.run, arguments.device, ("summary",), "summarise")
    if not arguments.files:
        raise UserError("No text was given. Name files with a text each, after the run.")
    form, most = FORMS[run.written], _most(run)["prompt"]
    bad = []
    for given in map(whole_file, arguments.files):
        row = Row(given.text or "")
        if wrong := given.wrong or (
            objection(run, form.prompt(row), most) if row.text else "is empty: no text is in it"
        ):
            bad.append(f"{given.name} {wrong}")
            continue
        say_unknown(run.tokenizer, [row.text])
        (text,) = _written(run, [row])
        print(f"{given.name}: {text}" if len(arguments.files) > 1 else text)
    refuse_wrong(bad, len(arguments.files), "Files that cannot be summarized")
    return 0


# ------------------------------------------------------------------------------------------------ evaluate


def evaluate(arguments: Evaluate) -> int:
    """Write scores and errors, and print the scores beside those of the baselines."""
    every = ("", "answer", "summary", "reply")
    run = open_answering_run(arguments.run, arguments.device, every, "answer, answer-generated, summarise or chat")
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "errors.csv"], overwrite=arguments.overwrite)
    rows, given, references = _answered(run, _rows(run, arguments.data))
    scores: dict[str, float] = {"n": len(rows)}
    if run.written in ("", "answer"):
        scores |= {**answer_scores(given, references), **answer_baselines(rows)}
    else:
        scores |= summary_scores(given, references)
        scores |= summary_baselines(rows) if run.written == "summary" else _of_training(run.folder)
    width = max(map(len, scores)) + 2
    for name, value in scores.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", scores)
    _write_errors(folder / "errors.csv", rows, given, references)
    print(folder)
    return 0


def _rows(run: AnsweringRun, data: str | None) -> list[Row]:
    """The run's test part, or all of another source."""
    form = FORMS.get(run.written)
    fields = (*(form.needed if form else ("text", "question")), run.written or "answer")
    parts: list[Dataset]
    if data is None:
        source = open_source(run.config.data, run.config.loader, run.config.seed)
        source.need(*fields)
        parts = [source.test]
    else:
        parts, _ = open_whole(data, run.config.loader, run.config.seed, *fields)
    rows = [row for part in parts for row in rows_of(part)]
    return rows if form or data else checked(rows, cast(SpanConfig, run.config))


def _answered(run: AnsweringRun, rows: list[Row]) -> tuple[list[Row], list[str], list[str]]:
    """The rows that the model can read, what it answers, and what it should."""
    if not run.written:
        readable, given = _cut_out(run, rows)
        return readable, given, [row.answer for row in readable]
    config = cast(WritingConfig, run.config)
    most = config.context - MOST_WRITTEN
    readable = [row for row in rows if len(run.tokenizer.encode(FORMS[run.written].prompt(row))) <= most]
    if not readable:
        raise UserError(f"All texts are longer than the {most} tokens that leave room for what is to be written.")
    _say_what_is_left_out(rows, readable)
    given = _written(run, readable)
    if run.written == "answer":
        return readable, ["" if text == NOT_IN_TEXT else text for text in given], [row.answer for row in readable]
    return readable, given, [target(row, config.written) for row in readable]


def _cut_out(run: AnsweringRun, rows: list[Row]) -> tuple[list[Row], list[str]]:
    tokenizer, most = cast(ByteLevelBPE, run.tokenizer), run.made["most"]
    unmarked = [row if row.start >= 0 else Row(row.text, row.question, "") for row in rows]  # scored as strings
    dataset, kept = span_dataset(unmarked, tokenizer, {**most, "A": 1 << 20})
    known = {(row.text, row.question): row for row in rows}
    readable = [known[row.text, row.question] for row in kept]
    _say_what_is_left_out(rows, readable)
    found: list[str] = []
    for start in range(0, len(dataset), BATCH):
        part = dataset.subset(range(start, min(start + BATCH, len(dataset)))).tensors
        pairs = answers(run.predictor, part["text"], part["question"], tokenizer, whole=run.whole_words)
        found += [text for text, _ in pairs]
    return readable, found


def _say_what_is_left_out(rows: Sequence[Row], readable: Sequence[Row]) -> None:
    if left := len(rows) - len(readable):
        print(f"Left out because they are longer than the model reads: {left} of {len(rows)} texts.")


def _of_training(folder: Path) -> dict[str, float]:
    """The scores of the replies that are found, as they were measured when the model was trained."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {name: value for name, value in result.items() if name.startswith(("recall_at_1", "mrr", "rouge_l_"))}


def _write_errors(file: Path, rows: Sequence[Row], given: Sequence[str], references: Sequence[str]) -> None:
    wrong = [each for each in zip(rows, given, references, strict=True) if each[1].split() != each[2].split()]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["question", "given", "right", "text"])
        for row, answer, reference in wrong[:MOST_ERRORS]:
            writer.writerow([row.question, said(answer), said(reference), row.text])
