"""The commands `translate`, `align` and `evaluate`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from torchworks.seq_models.data.pairs import Pair, pairs_in
from torchworks.seq_models.data.whole import open_whole
from torchworks.seq_models.generation.beam import check_beams
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import Given, of_arguments, of_file, refuse_wrong, say_unknown
from torchworks.seq_models.translation.baselines import baselines
from torchworks.seq_models.translation.build import unseen_lengths
from torchworks.seq_models.translation.commands import Align, Translate
from torchworks.seq_models.translation.config import TranslationConfig
from torchworks.seq_models.translation.decoding import aligned, translated
from torchworks.seq_models.translation.metrics import scores
from torchworks.seq_models.translation.plots import draw_alignments
from torchworks.seq_models.translation.predictor import BUILDER, TOKENIZER, answer_limit
from torchworks.shared.config import UserError
from torchworks.shared.data import held_out, open_source
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file
from torchworks.shared.text import Tokenizer, from_json

MOST_ERRORS = 200
MOST_DRAWN = 50
"""Texts in a picture of attention."""
WRONG = "Texts that cannot be translated"


@dataclass
class Translator:
    """A finished run, opened for use."""

    run: FinishedRun
    tokenizer: Tokenizer
    longest: int
    """Most tokens of a text."""
    wrong: list[str] = field(default_factory=list)
    """A sentence for each text so far that cannot be translated."""

    @property
    def config(self) -> TranslationConfig:
        return cast(TranslationConfig, self.run.config)

    @property
    def net(self):
        return self.run.predictor.net

    def tokens(self, given: Given) -> list[int] | None:
        """The ids of a text's tokens; None, and a sentence in `wrong`, for one that the model cannot translate."""
        wrong, ids = given.wrong, []
        if given.text is not None:
            if (fewest := self.tokenizer.fewest(given.text)) > self.longest:
                wrong = f"has at least {number_of(fewest, 'token')}, but the model reads {self.longest} at most"
            elif not given.text.strip():
                wrong = "is empty"
            elif len(ids := self.tokenizer.encode(given.text)) > self.longest:
                wrong = f"has {number_of(len(ids), 'token')}, but the model reads {self.longest} at most"
        if wrong:
            self.wrong.append(f"{given.name} {wrong}")
        return None if wrong else ids

    def translated(self, rows: Sequence[Sequence[int]], beams: int = 1) -> list[str]:
        return translated(self.net, self.tokenizer, rows, answer_limit(self.longest), beams, shown=True)


def open_translator(folder: Path, device: str) -> Translator:
    """Raises `UserError` for a run of another kind, and for weights that are not numbers."""
    run = open_run(folder, "seq-models", device)
    if (manifest := read_manifest(folder)).builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which does not translate. Name a run of translate, "
            "translate-fr, translate-gru or translate-phrases."
        )
    if not all(bool(value.isfinite().all()) for value in run.predictor.net.state_dict().values()):
        raise UserError(
            f"The weights of {folder} are not all numbers (NaN or infinity among them), so the model can say nothing. "
            "Its training has failed; train again."
        )
    tokenizer = from_json(read_files(folder)[TOKENIZER], f"tokenizer of {folder}")
    return Translator(run, tokenizer, manifest.config["longest"])


# ---- translate -------------------------------------------------------------------------------------------


def translate(arguments: Translate) -> int:
    """Print a line for each text. Raises `UserError` that names those that could not be translated, once all others are
    done."""
    if not arguments.texts and arguments.file is None:
        raise UserError("No text was given. Write texts, each in quotation marks, after the run, or use --file FILE.")
    check_number("--beams", arguments.beams, 1)
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=[arguments.file])
    translator = open_translator(arguments.run, arguments.device)
    check_beams(translator.net, arguments.beams, "--beams", longest=translator.longest)
    given = [*of_arguments(arguments.texts), *of_file(arguments.file)]
    rows = [translator.tokens(each) for each in given]
    say_unknown(translator.tokenizer, [each.text for each, row in zip(given, rows, strict=True) if row is not None])
    found = iter(translator.translated([row for row in rows if row is not None], arguments.beams))
    lines = ["" if row is None else next(found) for row in rows]
    print("\n".join(lines))
    if arguments.out is not None:
        _write(arguments.out, [(each.text or "", line) for each, line in zip(given, lines, strict=True)])
        print(arguments.out, file=sys.stderr)
    refuse_wrong(translator.wrong, len(given), WRONG)
    return 0


def _write(file: Path, pairs: Sequence[Pair]) -> None:
    """A pair in each line; tabs and ends of lines within become spaces."""
    lines = ("\t".join(" ".join(text.split()) for text in pair) for pair in pairs)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


# ---- align -----------------------------------------------------------------------------------------------


def align(arguments: Align) -> int:
    """Print each text with its translation, and draw both with the attention between them."""
    check_number("--n", arguments.n, 1, MOST_DRAWN)
    check_number("The number of texts", len(arguments.texts), 0, MOST_DRAWN)
    translator = open_translator(arguments.run, arguments.device)
    file = arguments.out or arguments.run / "alignment.png"
    prepare_image_file(file, overwrite=arguments.overwrite)
    given = list(of_arguments(arguments.texts or _test_texts(translator, arguments.n)))
    say_unknown(translator.tokenizer, [each.text for each in given])
    drawn = []
    for each, ids in [(each, translator.tokens(each)) for each in given]:
        if ids is not None:
            found, picture = aligned(translator.net, translator.tokenizer, ids, answer_limit(translator.longest))
            drawn.append(picture)
            print(f"{each.text} → {found}")
    if drawn:
        draw_alignments(file, drawn)
        print(file)
    refuse_wrong(translator.wrong, len(given), WRONG)
    return 0


def _test_texts(translator: Translator, n: int) -> list[str]:
    config = translator.config
    source = open_source(config.data, config.loader, config.seed)
    return [text for text, _ in list(pairs_in(source.test))[:n]]


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write exact match, BLEU and chrF, beside those of the baselines, and the errors."""
    translator = open_translator(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "errors.tsv"], overwrite=arguments.overwrite)
    config = translator.config
    source = open_source(config.data, config.loader, config.seed)
    train, tested = list(pairs_in(held_out(source.train, config.valid_fraction, config.seed)[0])), source.test
    pairs = list(pairs_in(tested))
    if arguments.data:
        parts, _ = open_whole(arguments.data, config.loader, config.seed, "source", "target")
        pairs = [pair for part in parts for pair in pairs_in(part)]
    found = [*_found(translator, [text for text, _ in pairs])]
    result = {"n": len(pairs), **scores(found, [target for _, target in pairs])}
    result |= baselines(train, pairs, translator.tokenizer)
    if arguments.data is None:
        result |= unseen_lengths(config, translator.net, translator.tokenizer)
    _write_errors(folder / "errors.tsv", pairs, found)
    width = max(map(len, result)) + 2
    for name, value in result.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", result)
    print(folder)
    return 0


def _found(translator: Translator, texts: Sequence[str]) -> list[str]:
    """Translations; nothing for a text that is too long or empty, which is then wrong."""
    rows = [translator.tokens(Given("", text)) for text in texts]
    found = iter(translator.translated([row for row in rows if row is not None]))
    left = sum(row is None for row in rows)
    if left:
        print(f"Counted wrong, empty or of more than {translator.longest} tokens: {left} of {len(texts)} texts.")
    return ["" if row is None else next(found) for row in rows]


def _write_errors(file: Path, pairs: Sequence[Pair], found: Sequence[str]) -> None:
    """source, tab, right translation, tab, found one; the first of them."""
    rows = [(*pair, text) for pair, text in zip(pairs, found, strict=True) if pair[1] != text][:MOST_ERRORS]
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
