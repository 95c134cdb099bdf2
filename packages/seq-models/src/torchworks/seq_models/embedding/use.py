"""What the commands of word vectors do."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.data.documents import documents_of
from torchworks.seq_models.data.whole import open_whole
from torchworks.seq_models.data.word_stream import word_stream
from torchworks.seq_models.embedding.baselines import ppmi_svd, random_vectors
from torchworks.seq_models.embedding.build import Text, divided, measured
from torchworks.seq_models.embedding.commands import Embed
from torchworks.seq_models.embedding.config import EmbeddingConfig
from torchworks.seq_models.embedding.metrics import (
    CANDIDATES,
    SPECIALS,
    analogy_accuracy,
    cloze_accuracy,
    rank_correlation,
    unit,
)
from torchworks.seq_models.embedding.predictor import TOKENIZER
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.decoding import decoded, name_of, text_bytes
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file
from torchworks.shared.text import Words, from_json

MOST_DRAWN = 1000
"""Words of a map: more cannot be read, and moving their labels apart would take very long."""


@dataclass(frozen=True)
class WordVectors:
    """A finished run of word vectors, opened for use: `vectors` (V, D), of length 1."""

    folder: Path
    config: EmbeddingConfig
    words: Words
    raw: Tensor
    vectors: Tensor

    def number(self, word: str) -> int:
        """Of a word; raises `UserError` with the nearest known ones."""
        if number := self.find(word):
            return number
        close = difflib.get_close_matches(word.lower(), self.words.tokens, n=3, cutoff=0.6)
        known = f"The closest known words are {', '.join(close)}." if close else "No known word is close to it."
        raise UserError(
            f"The model does not know the word '{word}', because it occurs less than {self.config.min_count} times in "
            f"its training text, or is no single word. {known}"
        )

    def find(self, word: str) -> int:
        """The number of a word, 0 if it is not known."""
        ids = self.words.encode(word)
        return ids[0] if len(ids) == 1 and ids[0] >= SPECIALS else 0

    def word(self, number: int) -> str:
        return self.words.tokens[number - SPECIALS]

    def nearest(self, numbers: Sequence[int], count: int) -> list[tuple[int, float]]:
        """The words most like the mean of words, besides them, with their cosines."""
        middle = torch.nn.functional.normalize(self.vectors[list(numbers)].sum(0), dim=0)
        likeness = self.vectors @ middle
        likeness[[*range(SPECIALS), *numbers]] = -torch.inf
        values, places = likeness.topk(min(count, len(likeness) - SPECIALS - len(set(numbers))))
        return list(zip(places.tolist(), values.tolist(), strict=True))


def open_word_vectors(folder: Path) -> WordVectors:
    """Raises `UserError` for a run of another kind, and for weights that are not numbers."""
    run = open_run(folder, "seq-models", "cpu")
    if (builder := read_manifest(folder).builder) != "seq-models-embedding":
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, made by {builder}, and has no word vectors. Use a "
            "run of embed, embed-cbow or embed-glove."
        )
    raw = cast(Any, run.predictor.net).embeddings().detach().float()
    if not raw.isfinite().all():
        raise UserError(f"The vectors of {folder} are not all numbers (NaN or infinity among them). Train again.")
    words = cast(Words, from_json(read_files(folder)[TOKENIZER], f"tokenizer of {folder}"))
    return WordVectors(folder, cast(EmbeddingConfig, run.config), words, raw, unit(raw))


# ---- embed -----------------------------------------------------------------------------------------------


def embed(arguments: Embed) -> int:
    """Do what `arguments.action` names."""
    if arguments.n is not None:
        check_number("--n", arguments.n, 1, MOST_DRAWN if arguments.action == "map" else None)
    actions: dict[str, Callable[[Embed], None]] = {"nearest": _nearest, "map": _map, "vectors": _vectors}
    actions[arguments.action](arguments)
    return 0


def _nearest(arguments: Embed) -> None:
    if arguments.out is not None or arguments.overwrite:
        raise UserError("nearest prints its words and writes no file: leave out --out and --overwrite.")
    if not arguments.words:
        raise UserError("No word was given. Write one or more after nearest, as in: embed RUN nearest open")
    model = open_word_vectors(arguments.run)
    numbers = [model.number(word) for word in arguments.words]
    for number, cosine in model.nearest(numbers, arguments.n or 10):
        print(f"{cosine:.3f}  {model.word(number)}")


def _map(arguments: Embed) -> None:
    from torchworks.seq_models.embedding.plots import draw_map  # matplotlib and scikit-learn take long to import

    model, count = open_word_vectors(arguments.run), arguments.n or 120
    given = list(dict.fromkeys(model.number(word) for word in arguments.words))
    check_number("The number of words", len(given), 0, MOST_DRAWN)
    drawn = _drawn(model, given, count)
    if len(drawn) < 3:
        raise UserError(f"A map of {number_of(len(drawn), 'word')} shows nothing. Name at least 3 by --n.")
    file = arguments.out or arguments.run / "map.png"
    prepare_image_file(file, overwrite=arguments.overwrite)
    draw_map(file, [model.word(each) for each in drawn], model.vectors[drawn].numpy(), [*map(model.word, given)])
    print(file)


def _drawn(model: WordVectors, given: Sequence[int], count: int) -> list[int]:
    """The words of a map: those given and the nearest of each, or else the most frequent ones of some length."""
    if given:
        each = max(1, count // len(given) - 1)
        near = [other for number in given for other, _ in model.nearest([number], each)]
        return list(dict.fromkeys([*given, *near]))
    long = (number for number, word in enumerate(model.words.tokens, SPECIALS) if len(word) > 3)
    return [number for number, _ in zip(long, range(count), strict=False)]


def _vectors(arguments: Embed) -> None:
    if arguments.words or arguments.n is not None:
        raise UserError("vectors writes those of all words: leave out the words and --n.")
    model, file = open_word_vectors(arguments.run), arguments.out or arguments.run / "vectors.txt"
    prepare_file(file, overwrite=arguments.overwrite)
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f"{len(model.words.tokens)} {model.raw.shape[1]}\n")
        for word, vector in zip(model.words.tokens, model.raw[SPECIALS:].tolist(), strict=True):
            out.write(f"{word} {' '.join(f'{value:.6g}' for value in vector)}\n")
    print(file)


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write the scores of the vectors, beside those of PPMI with SVD and of random vectors."""
    model = open_word_vectors(arguments.run)
    folder = arguments.out or arguments.run / "evaluation"
    text = _text(model, arguments.data)
    pairs = _pairs(model, arguments.pairs) if arguments.pairs else None
    analogies = _analogies(model, arguments.analogies) if arguments.analogies else None
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    size, seed = model.config.embed_dim, model.config.seed
    compared = {
        "vectors": model.raw,
        "ppmi_svd": ppmi_svd(text.cooccurrences(text.train, harmonic=False), size, seed),
        "random": random_vectors(len(text.words), size, seed),
    }
    questions = text.questions(text.test)
    scores: dict[str, dict[str, float]] = {}
    for name, each in compared.items():
        scores[name] = {"cloze_accuracy": cloze_accuracy(each, questions), **measured(text, each)}
        if pairs is not None:
            i, j, wanted = pairs
            scores[name]["pairs_correlation"] = rank_correlation(each, i, j, wanted)
        if analogies is not None:
            scores[name]["analogy_accuracy"] = analogy_accuracy(each, analogies)
    print(f"{'':<20}" + "".join(f"{name:>12}" for name in scores))
    for score in scores["vectors"]:
        print(f"{score:<20}" + "".join(f"{each[score]:>12.4f}" for each in scores.values()))
    write_json(folder / "evaluation.json", scores)
    print(folder)
    return 0


def _text(model: WordVectors, data: str | None) -> Text:
    """The run's own text; `data`, all of it, is the test part if it is given."""
    config = model.config
    text = divided(open_source(config.data, config.loader, config.seed), config)
    if text.words != model.words:
        raise UserError(
            f"The data of {model.folder}, {config.data}, have changed since the run was made: they have other words. "
            "Put them back, or train again."
        )
    if data is None:
        return text
    parts, _ = open_whole(data, config.loader, config.seed, "text")
    documents = [document for part in parts for document in documents_of(part)]
    tested = word_stream(documents, model.words, config.window)
    if np.count_nonzero(tested) < 2 * CANDIDATES:
        raise UserError(
            f"{data} has hardly a word that the model knows. Use a text of the same kind, and a longer one."
        )
    return Text(text.words, text.counts, text.train, text.valid, tested, config)


def _pairs(model: WordVectors, file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words i and j (N,), and how alike they are said to be. Lines with unknown words count for nothing."""
    rows = []
    for line, cells in _cells(file, 3):
        try:
            rows.append((model.find(cells[0]), model.find(cells[1]), float(cells[2])))
        except ValueError:
            if line > 1:  # a first line of titles is allowed
                raise UserError(f"{file}, line {line}: '{cells[2]}' is no number. Write WORD WORD NUMBER.") from None
    known = [row for row in rows if row[0] and row[1]]
    print(f"{file}: of {number_of(len(rows), 'pair')} the model knows the words of {len(known)}")
    i, j, wanted = (np.array(column) for column in zip(*known, strict=True)) if known else (np.zeros(0, int),) * 3
    return i, j, wanted


def _analogies(model: WordVectors, file: Path) -> list[tuple[int, int, int, int]]:
    rows = [tuple(map(model.find, cells)) for _, cells in _cells(file, 4)]
    known = [(a, b, c, d) for a, b, c, d in rows if a and b and c and d]
    print(f"{file}: of {len(rows)} analogies the model knows the words of {len(known)}")
    return known


def _cells(file: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line and its number, but for comments (#) and titles of sections (:)."""
    for number, line in enumerate(_lines(file), 1):
        if not line.strip() or line.startswith(("#", ":")):
            continue
        cells = line.replace(",", " ").replace(";", " ").split()
        if len(cells) != count:
            raise UserError(
                f"{file}, line {number} has {number_of(len(cells), 'word')}, but {count} belong there: "
                f"'{line.strip()[:80]}'."
            )
        yield number, cells


def _lines(file: Path) -> Iterable[str]:
    return decoded(text_bytes(file), name_of(file)).splitlines()
