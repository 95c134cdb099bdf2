"""The commands `pronounce` and `evaluate`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from torchworks.seq_models.data.pairs import pairs_in
from torchworks.seq_models.data.pronunciations import NAME, Dictionary, by_word, read_dictionary, spelled
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import Given, of_arguments, of_file, refuse_wrong, say_unknown
from torchworks.seq_models.models.aligned_seq2seq import AlignedSeq2Seq
from torchworks.seq_models.pronunciation.build import DICTIONARY
from torchworks.seq_models.pronunciation.commands import Pronounce
from torchworks.seq_models.pronunciation.config import PronunciationConfig
from torchworks.seq_models.pronunciation.decoding import CANDIDATES, Chooser, Spoken, pronounced
from torchworks.seq_models.pronunciation.joint import ALIGNED, joint_from_json
from torchworks.seq_models.pronunciation.metrics import scores
from torchworks.seq_models.pronunciation.predictor import BUILDER, TOKENIZER, shown
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare
from torchworks.shared.text import Tokenizer, from_json

MOST = 20
"""Pronunciations of a word that are asked for."""
MOST_ERRORS = 200
WRONG = "Words that cannot be pronounced"


@dataclass
class Pronouncer:
    """A finished run, opened for use."""

    run: FinishedRun
    tokenizer: Tokenizer
    names: tuple[str, ...]
    """The sounds of each unit."""
    longest: int
    dictionary: Dictionary
    """Words that the run was trained on or selected by."""
    chooser: Chooser | None = None
    wrong: list[str] = field(default_factory=list)
    """A sentence for each word so far that cannot be pronounced."""

    def letters(self, given: Given) -> list[int] | None:
        """None, and a sentence in `wrong`, for a word that the model cannot pronounce."""
        wrong, ids = given.wrong, []
        if given.text is not None:
            word = spelled(given.text.strip())
            ids = self.tokenizer.encode(word)
            known = sum(each != self.tokenizer.unknown for each in ids)
            if len(word.split()) != 1:
                wrong = "is empty" if not word else "is several words; give each for itself"
            elif len(word) > self.longest:
                wrong = f"has {number_of(len(word), 'letter')}, but the model reads {self.longest} at most"
            elif not known:
                wrong = f"has no letter that the model knows ({given.text.strip()[:20]})"
        if wrong:
            self.wrong.append(f"{given.name} {wrong}")
        return None if wrong else ids

    def pronounced(
        self, words: Sequence[str], rows: Sequence[Sequence[int]], beams: int, *, alone: bool = False
    ) -> list[list[Spoken]]:
        """The pronunciations of `words`, whose letters are `rows`; `alone`: by the net without n-grams."""
        net, chooser = cast(AlignedSeq2Seq, self.run.predictor.net), None if alone else self.chooser
        return pronounced(net, rows, self.names, beams, shown=True, words=words, chooser=chooser)


def open_pronouncer(folder: Path, device: str) -> Pronouncer:
    """Raises `UserError` for a run of another kind."""
    run = open_run(folder, "seq-models", device)
    manifest = read_manifest(folder)
    if manifest.builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which does not say how words sound. Name a run of "
            "pronounce."
        )
    files = read_files(folder)
    tokenizer = from_json(files[TOKENIZER], f"tokenizer of {folder}")
    config = manifest.config
    weight = cast(PronunciationConfig, run.config).ngram_weight
    chooser = Chooser(joint_from_json(files[ALIGNED]), weight) if weight and ALIGNED in files else None
    known = json.loads(files[DICTIONARY])
    return Pronouncer(run, tokenizer, shown(config["units"]), config["longest"], known, chooser)


# ---- pronounce -------------------------------------------------------------------------------------------


def pronounce(arguments: Pronounce) -> int:
    """Print each word with its pronunciations. Raises `UserError` that names those that have none, once all others are
    done."""
    if not arguments.words and arguments.file is None:
        raise UserError("No word was given. Write words after the run, or use --file FILE.")
    check_number("--n", arguments.n, 1, MOST)
    model = open_pronouncer(arguments.run, arguments.device)
    given = [*of_arguments(arguments.words, "word"), *_words(of_file(arguments.file))]
    rows = [(each, model.letters(each)) for each in given]
    usable = [(each, row) for each, row in rows if row is not None]
    say_unknown(model.tokenizer, [spelled((each.text or "").strip()) for each, _ in usable])
    words = [spelled((each.text or "").strip()) for each, _ in usable]
    found = model.pronounced(words, [row for _, row in usable], max(CANDIDATES, 2 * arguments.n))
    for (each, _), spoken in zip(usable, found, strict=True):
        word = spelled((each.text or "").strip())
        print(word)
        known = model.dictionary.get(word, [])
        for one in spoken[: arguments.n]:
            print(f"  {100 * one.probability:5.1f} %  {one.sounds or '(no sound)'}")
        if known:
            print(f"  dictionary {' or '.join(known)}")
    refuse_wrong(model.wrong, len(given), WRONG)
    return 0


def _words(texts: Any) -> list[Given]:
    """Each word of some lines for itself; empty lines are none."""
    words = []
    for each in texts:
        if each.text is None:
            words.append(each)
        else:
            words += [Given(f"{each.name}, '{word}'", word) for word in each.text.split()]
    return words


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write word and sound error, with n-grams and by the net alone, and the words that are wrong."""
    model = open_pronouncer(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "errors.tsv"], overwrite=arguments.overwrite)
    config = cast(PronunciationConfig, model.run.config)
    words = _asked(arguments.data, config)
    rows = {word: model.letters(Given(word, word)) for word in words}
    usable = [word for word, row in rows.items() if row is not None]
    letters = [rows[word] or [] for word in usable]
    alone = first_of(usable, model.pronounced(usable, letters, config.beams, alone=True))
    found = alone if model.chooser is None else first_of(usable, model.pronounced(usable, letters, CANDIDATES))
    if model.wrong:
        print(f"Counted wrong, because they cannot be pronounced: {len(model.wrong)} of {len(words)} words.")
    learned = sum(word in model.dictionary for word in words)
    result = {"n": len(words), "words_that_were_learned": learned, **scores(alone, words)}
    if model.chooser is not None:
        result |= {f"{name}_with_ngrams": value for name, value in scores(found, words).items()}
    wrong = [word for word in words if found.get(word) not in words[word]][:MOST_ERRORS]
    lines = [f"{word}\t{' or '.join(words[word])}\t{found.get(word, '')}\n" for word in wrong]
    (folder / "errors.tsv").write_text("".join(lines), encoding="utf-8")
    width = max(map(len, result)) + 2
    for name, value in result.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", result)
    print(folder)
    return 0


def first_of(words: Sequence[str], spoken: Sequence[Sequence[Spoken]]) -> dict[str, str]:
    """The likeliest pronunciation of each word."""
    return {word: each[0].sounds for word, each in zip(words, spoken, strict=True)}


def _asked(data: str | None, config: PronunciationConfig) -> Dictionary:
    """The words of the test part, or all words of a file."""
    kind, _, rest = (data or "").partition(":")
    if kind == NAME and rest and not rest.startswith("words="):
        words, _ = read_dictionary(Path(rest).expanduser())
        if not words:
            raise UserError(f"{rest} has no word with a pronunciation.")
        return words
    source = open_source(data or config.data, config.loader, config.seed)
    source.need("source", "target")
    return by_word(list(pairs_in(source.test)))
