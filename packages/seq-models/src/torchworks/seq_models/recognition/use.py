"""The commands `transcribe` and `evaluate`."""

import csv
from collections.abc import Sequence
from pathlib import Path

from torchworks.seq_models.data.sound_folders import NAME as SOUNDS
from torchworks.seq_models.data.sound_folders import whole_sounds
from torchworks.seq_models.data.utterances import Utterance, utterances_in
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import refuse_wrong
from torchworks.seq_models.recognition.baselines import dtw_words
from torchworks.seq_models.recognition.commands import Transcribe
from torchworks.seq_models.recognition.listening import Heard, Listener, open_listener
from torchworks.seq_models.recognition.metrics import scores, word_errors
from torchworks.shared.config import UserError
from torchworks.shared.data import held_out, open_source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.sounds import SUFFIXES, read_sound, resampled
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file, progress

WRITTEN = ["evaluation.json", "errors.csv"]
MOST_SECONDS = 3600.0


# ---- transcribe --------------------------------------------------------------------------------------------


def transcribe(arguments: Transcribe) -> int:
    """Print a line for each file. Raises `UserError` that names those that cannot be heard, once all others are
    done."""
    if not arguments.files:
        raise UserError("No sound was given. Name WAV or FLAC files, or folders of them, after the run.")
    check_number("--beams", arguments.beams, 1, 512)
    check_number("--weight", arguments.weight, 0, 10)
    if arguments.stream is not None:
        check_number("--stream", arguments.stream, 0.2, 600)
    files = _listed(arguments.files)
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=files)
    if arguments.picture is not None:
        prepare_image_file(arguments.picture, overwrite=arguments.overwrite, inputs=files, option="--picture")
    listener = open_listener(arguments.run, arguments.device)
    wrong, rows, drawn = [], [], False
    for file in files:
        try:
            sound = read_sound(file, MOST_SECONDS)
        except (Unreadable, OSError) as error:
            wrong.append(f"{file}: {error.strerror if isinstance(error, OSError) and error.strerror else error}")
            continue
        samples = resampled(sound.samples, sound.rate, listener.rate)
        heard = _heard(listener, samples, arguments)
        print(f"{file}\t{heard.text}")
        if arguments.times:
            for word in heard.words:
                print(f"  {word.start:7.2f} {word.end:7.2f}  {word.text}")
        rows.append((str(file), heard.text))
        if arguments.picture is not None and not drawn:
            from torchworks.seq_models.recognition.plots import draw_heard

            draw_heard(arguments.picture, samples, listener.rate, heard, file.name)
            drawn = True
    if arguments.out is not None:
        with arguments.out.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([("path", "text"), *rows])
        print(arguments.out)
    if drawn:
        print(arguments.picture)
    refuse_wrong(wrong, len(files), "Files that cannot be heard")
    return 0


def _listed(paths: Sequence[Path]) -> list[Path]:
    """The files, and all sounds in the folders."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not inside:
                raise UserError(f"The folder {path} has no .wav or .flac file.")
            files += inside
        else:
            files.append(path)
    return files


def _heard(listener: Listener, samples, arguments: Transcribe) -> Heard:
    found = (
        listener.probabilities(samples) if arguments.stream is None else listener.in_pieces(samples, arguments.stream)
    )
    return listener.decoded(found, len(samples) / listener.rate, beams=arguments.beams, weight=arguments.weight)


# ---- evaluate ----------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write error rates of greedy decoding and of beam search, and of templates where sounds hold one word;
    write the errors."""
    folder = arguments.out or arguments.run / "evaluation"
    listener = open_listener(arguments.run, arguments.device)
    train, test = _sounds(listener, arguments.data)
    prepare(folder, WRITTEN, overwrite=arguments.overwrite)
    greedy, beam = [], []
    for item in progress(test, "recognise", len(test)):
        found, seconds = listener.probabilities(item.audio), len(item.samples) / listener.rate
        greedy.append(listener.decoded(found, seconds, beams=1).text)
        beam.append(listener.decoded(found, seconds).text)
    right = [item.text for item in test]
    table = {"greedy": scores(greedy, right), "beam": scores(beam, right)}
    single = [i for i, text in enumerate(right) if " " not in text]
    if single:
        for name, texts in (("greedy", greedy), ("beam", beam)):
            wrong = [word_errors(texts[i], right[i])[0] > 0 for i in single]
            table[name]["single_words_wrong"] = sum(wrong) / len(wrong)
        told = dtw_words(train, test, listener.rate, listener.config.seed)
        if told is not None:
            table["dtw"] = {"single_words_wrong": told}
    print(f"{len(test)} sounds, {sum(len(item.samples) for item in test) / listener.rate:.0f} s")
    print(f"{'':<22}" + "".join(f"{name:>10}" for name in table))
    for score in table["beam"]:
        print(
            f"{score:<22}" + "".join(f"{part[score]:>10.4f}" if score in part else " " * 10 for part in table.values())
        )
    write_json(folder / "evaluation.json", table)
    with (folder / "errors.csv").open("w", encoding="utf-8", newline="") as out:
        wrong = [(item.name, text, found) for item, text, found in zip(test, right, beam, strict=True) if text != found]
        csv.writer(out).writerows([("sound", "transcript", "recognised"), *wrong])
    print(folder)
    return 0


def _sounds(listener: Listener, data: str | None) -> tuple[list[Utterance], list[Utterance]]:
    """Training sounds of the run, for templates, and the sounds to be scored: all of `data`, or its test part if they
    are generated."""
    config = listener.config
    source = open_source(config.data, config.loader, config.seed)
    train = utterances_in(held_out(source.train, config.valid_fraction, config.seed)[0])
    if data is None:
        return train, utterances_in(source.test)
    kind, _, rest = data.partition(":")
    other = whole_sounds(rest, config.loader) if kind == SOUNDS else open_source(data, config.loader, config.seed)
    other.need("audio", "text")
    return train, utterances_in(other.test)
