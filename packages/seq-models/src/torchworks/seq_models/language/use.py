"""What the commands of language models do."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from torchworks.seq_models.data.documents import documents_of
from torchworks.seq_models.data.token_stream import SlidingWindows, characters_of, token_stream
from torchworks.seq_models.data.whole import open_whole
from torchworks.seq_models.generation.beam import beam_search, check_beams
from torchworks.seq_models.generation.protocol import Autoregressive
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import of_arguments, say_unknown
from torchworks.seq_models.language.baselines import baselines
from torchworks.seq_models.language.build import EVALUATION_BATCH, divided
from torchworks.seq_models.language.commands import Complete, Generate
from torchworks.seq_models.language.config import LanguageConfig
from torchworks.seq_models.language.metrics import TextScores
from torchworks.seq_models.language.predictor import TOKENIZER
from torchworks.seq_models.language.text import Beginning, write
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import open_run
from torchworks.shared.runs.outputs import prepare
from torchworks.shared.text import Tokenizer, from_json
from torchworks.shared.text.sampling import sampling_of_options

MOST_TEXTS, MOST_TOKENS = 10_000, 100_000
AT_ONCE = 32
"""Texts that are written together."""


@dataclass(frozen=True)
class LanguageRun:
    """A finished run of a language model, opened for use."""

    net: nn.Module
    config: LanguageConfig
    beginning: Beginning
    context: int
    device: torch.device

    @property
    def tokenizer(self) -> Tokenizer:
        return self.beginning.tokenizer


def open_language_run(folder: Path, device: str) -> LanguageRun:
    """Raises `UserError` for a run of another kind, and for weights that are not numbers."""
    run = open_run(folder, "seq-models", device)
    if (manifest := read_manifest(folder)).builder != "seq-models-language":
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which is no language model. Name a run of lm, "
            "lm-lstm, lm-gru, lm-rnn or code."
        )
    if not all(bool(value.isfinite().all()) for value in run.predictor.net.state_dict().values()):
        raise UserError(
            f"The weights of {folder} are not all numbers (NaN or infinity among them), so the model can say nothing. "
            "Its training has failed; train again."
        )
    made: dict[str, Any] = manifest.config
    beginning = Beginning(from_json(read_files(folder)[TOKENIZER], f"tokenizer of {folder}"), made["first"])
    return LanguageRun(run.predictor.net, cast(LanguageConfig, run.config), beginning, made["context"], run.device)


def generate_texts(arguments: Generate) -> int:
    """Print the texts, each with its prompt, a line between two."""
    check_number("--n", arguments.n, 1, MOST_TEXTS)
    check_number("--length", arguments.length, 1, MOST_TOKENS)
    sampling = sampling_of_options(temperature=arguments.temperature, top_k=arguments.top_k, top_p=arguments.top_p)
    run = open_language_run(arguments.run, arguments.device)
    tokens = _prompt(run, arguments.prompt)
    _say_what_is_forgotten(run, len(tokens), arguments.length)
    for start in range(0, arguments.n, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, arguments.n))
        texts = write(
            run.net, [tokens] * len(numbers), arguments.length, sampling, arguments.seed, run.beginning.end,
            numbers=numbers, shown=True,
        )  # fmt: skip
        for number, ids in zip(numbers, texts, strict=True):
            if number:
                print("─" * 40)
            print(arguments.prompt + run.tokenizer.decode(ids), flush=True)
    return 0


def _prompt(run: LanguageRun, text: str) -> list[int]:
    """The tokens of a prompt. Says what of it the model does not know, and raises `UserError` if that is all of it."""
    (given,) = of_arguments([text])
    if given.text is None:
        raise UserError(f"The prompt {given.wrong}.")
    tokens = run.beginning.tokens(text)
    say_unknown(run.tokenizer, [text])
    return tokens


def _say_what_is_forgotten(run: LanguageRun, prompt: int, length: int) -> None:
    longest = cast(Autoregressive, run.net).longest
    if longest is None:
        return
    if prompt > longest:
        print(
            f"The prompt has {number_of(prompt, 'token')}, but the model reads {longest}: its end is used.",
            file=sys.stderr,
        )
    elif prompt + length > longest:
        print(f"The model reads {longest} tokens at most: of a longer text it forgets the beginning.", file=sys.stderr)


def complete_line(arguments: Complete) -> int:
    """Print the most probable completions up to the end of the line, the best first."""
    check_number("--n", arguments.n, 1)
    check_number("--length", arguments.length, 1, MOST_TOKENS)
    run = open_language_run(arguments.run, arguments.device)
    longest = cast(Autoregressive, run.net).longest
    if longest is not None and arguments.length >= longest:
        raise UserError(f"--length is {arguments.length}, but the model reads {longest} tokens, the prompt among them.")
    tokens = _prompt(run, arguments.prompt)
    check_beams(cast(Autoregressive, run.net), arguments.n, "--n", longest=longest or max(len(tokens), 1))
    tokens = tokens[-(longest - arguments.length) :] if longest is not None else tokens
    line_end = run.tokenizer.encode("\n")[0]
    (answers,) = beam_search(
        cast(Autoregressive, run.net), [tokens], beams=max(5, arguments.n), steps=arguments.length, end=line_end,
        length_penalty=0.0,
    )  # fmt: skip
    for answer in answers[: arguments.n]:
        text = run.tokenizer.decode(answer.tokens).removesuffix("\n")
        print(f"{math.exp(answer.score):>6.1%}  {arguments.prompt}{text}")
    return 0


def evaluate(arguments: Evaluate) -> int:
    """Print and write bits per character, perplexity and the scores of the baselines."""
    run = open_language_run(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    source = open_source(run.config.data, run.config.loader, run.config.seed)
    text = divided(documents_of(source.train), documents_of(source.test), run.config)
    if text.tokenizer != run.tokenizer:
        raise UserError(
            f"The data of {arguments.run}, {run.config.data}, have changed since the run was made: they give another "
            "tokenizer, so the n-gram model would count other tokens. Put them back, or train again."
        )
    tested = text.tokens["test"]
    if arguments.data:
        parts, _ = open_whole(arguments.data, run.config.loader, run.config.seed, "text")
        tested = token_stream([document for part in parts for document in documents_of(part)], run.tokenizer)
        tested = tested[: run.config.most_scored + 1]
    scores = score(run, SlidingWindows(tested, run.context, EVALUATION_BATCH, run.device))
    scores["unknown_characters"] = float((tested == run.tokenizer.unknown).mean())
    scores |= baselines(text.tokens["train"], tested, run.tokenizer, run.config.order)
    width = max(map(len, scores)) + 2
    for name, value in scores.items():
        print(f"{name:<{width}}{value:.4f}")
    write_json(folder / "evaluation.json", scores)
    print(folder)
    return 0


@torch.no_grad()
def score(run: LanguageRun, windows: SlidingWindows) -> dict[str, float]:
    """The scores of `TextScores`."""
    found, characters = TextScores(), characters_of(run.tokenizer)
    for batch in windows:
        logits, target, scored = run.net(batch["tokens"]).float().cpu(), batch["target"].cpu(), batch["scored"].cpu()
        nats = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
        found.update(nats[scored], characters[target][scored], (logits.argmax(2) == target)[scored])
    return found.compute()
