"""The commands `compose` and `harmonise`, and what `evaluate` does with models of music.

Shape letters: L frames, V notes of a frame.
"""

import heapq
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from torchworks.seq_models.composing import sampling
from torchworks.seq_models.composing.baselines import baselines
from torchworks.seq_models.composing.build import COMPOSED, compared_rules
from torchworks.seq_models.composing.commands import Compose, Harmonise
from torchworks.seq_models.composing.config import ComposeConfig
from torchworks.seq_models.composing.predictor import HARMONY, ROLL
from torchworks.seq_models.data.midi_files import MOST_BYTES, whole_midi
from torchworks.seq_models.data.pieces import FRAMES, pieces_of
from torchworks.seq_models.data.whole import open_whole
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.models.rnn_nade import NoteByNote
from torchworks.seq_models.music.frames import HIGHEST, LOWEST
from torchworks.seq_models.music.midi import TICKS, Note, Score, midi_bytes, read_midi
from torchworks.seq_models.music.performing import notes_of
from torchworks.seq_models.music.piano_roll import draw_notes
from torchworks.seq_models.music.rules import RULES, broken_per_100
from torchworks.seq_models.music.synthesiser import RATE, rendered
from torchworks.shared.config import UserError
from torchworks.shared.data import held_out, open_source
from torchworks.shared.data.sounds import wav_bytes
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, save_image

MOST_PIECES, MOST_FRAMES, MOST_PARTICLES = 1000, 4096, 4096
SLOWEST, FASTEST = 20, 300
"""Quarter notes a minute."""
MOST_MINUTES = 60
"""Of a melody."""
EVALUATED = 24
"""Pieces that `evaluate` composes."""


def _open(folder: Path, device: str) -> FinishedRun:
    run = open_run(folder, "seq-models", device)
    if (builder := read_manifest(folder).builder) not in (HARMONY, ROLL):
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, made by {builder}, and no model of music. Use a run "
            "of compose or another recipe that begins with compose."
        )
    return run


# ---- compose -------------------------------------------------------------------------------------------------


def compose(arguments: Compose) -> int:
    """Write the pieces and print how often they break rules."""
    check_number("--n", arguments.n, 1, MOST_PIECES)
    check_number("--length", arguments.length, 1, MOST_FRAMES)
    check_number("--temperature", arguments.temperature, 0, 10)
    check_number("--tempo", arguments.tempo, SLOWEST, FASTEST)
    run = _open(arguments.run, arguments.device)
    config = cast(ComposeConfig, run.config)
    folder = arguments.out or arguments.run / "compositions"
    names = [f"{i}{suffix}" for i in range(1, arguments.n + 1) for suffix in (".mid", ".wav", ".png")]
    prepare(folder, names, overwrite=arguments.overwrite)
    pieces = sampling.compose(
        run.predictor.net, arguments.n, arguments.length, seed=arguments.seed, temperature=arguments.temperature
    )
    for number, piece in enumerate(pieces, 1):
        notes = notes_of(piece, config.loader.per_quarter)
        steps = len(piece)
        _write(folder / f"{number}.mid", notes, TICKS, arguments.tempo, steps, config.loader.per_quarter)
        print(folder / f"{number}.mid")
    if pieces[0].shape[1] <= 4:
        test = pieces_of(open_source(config.data, config.loader, config.seed).test)
        _print_rules(compared_rules(pieces, test))
    return 0


def _write(file: Path, notes: Sequence[Note], division: int, tempo: float, steps: int, per_quarter: int) -> None:
    """The MIDI file, and the sound and the picture beside it."""
    file.write_bytes(midi_bytes(notes, division, tempo))
    file.with_suffix(".wav").write_bytes(wav_bytes(rendered(notes, division, tempo), RATE))
    scaled = [Note(note.start * TICKS // division, note.end * TICKS // division, note.pitch, note.track)
              for note in notes]  # fmt: skip
    save_image(draw_notes(scaled, steps, per_quarter), file.with_suffix(".png"))


def _print_rules(found: Mapping[str, float]) -> None:
    print(f"\n{'rules broken in 100 frames':<28}{'composed':>10}{'test part':>11}")
    for rule in (*RULES, "rules"):
        name = "all together" if rule == "rules" else rule.replace("_", " ")
        print(f"{name:<28}{found[f'broken_{rule}_composed']:>10.2f}{found[f'broken_{rule}_test']:>11.2f}")


# ---- harmonise -----------------------------------------------------------------------------------------------


def harmonise(arguments: Harmonise) -> int:
    """Write the melody with lower voices. Raises `UserError` for a file without a melody, or a run that composes by
    rolls, which cannot be held to a melody."""
    check_number("--particles", arguments.particles, 1, MOST_PARTICLES)
    check_number("--temperature", arguments.temperature, 0, 10)
    melody = arguments.melody
    file = arguments.out or melody.with_name(f"{melody.stem}-harmonised.mid")
    if file.suffix.lower() not in (".mid", ".midi"):
        raise UserError(f"--out {file} must end in .mid; the sound and the picture get the same name.")
    score = read_melody(melody)
    for suffix in (file.suffix, ".wav", ".png"):
        prepare_file(file.with_suffix(suffix), overwrite=arguments.overwrite, inputs=[melody])
    run = _open(arguments.run, arguments.device)
    if not isinstance(run.predictor.net, NoteByNote):
        raise UserError(
            f"{arguments.run} tells each note by itself and cannot be held to a melody. Use a run of compose or "
            "compose-chorales."
        )
    config = cast(ComposeConfig, run.config)
    if config.loader.voices < 2:
        raise UserError(f"{arguments.run} composes for one voice, so there is none below a melody. Use another run.")
    per_quarter = config.loader.per_quarter
    chords = score.chords(per_quarter)
    step = score.division / per_quarter
    begin = int(score.notes[0].start // step) * step
    steps = round(begin / step) + len(chords)
    check_number("The number of frames of the melody, with the rest before it", steps, 1, MOST_FRAMES)
    if (minutes := steps / per_quarter / score.tempo) > MOST_MINUTES:
        raise UserError(
            f"{melody} lasts {minutes:.0f} minutes at its tempo of {score.tempo:.3g} quarter notes a minute; at most "
            f"{MOST_MINUTES} are harmonised. Set another tempo, or cut the melody."
        )
    tops = torch.tensor([max(chord, default=0) for chord in chords])
    frames = sampling.harmonise(
        run.predictor.net, tops, seed=arguments.seed, temperature=arguments.temperature, particles=arguments.particles
    )
    lower = [
        Note(round(begin + note.start * score.division / TICKS), round(begin + note.end * score.division / TICKS),
             note.pitch, note.track)
        for note in notes_of(frames, per_quarter) if frames.shape[1] > 4 or note.track > 0
    ]  # fmt: skip
    _write(file, [*score.notes, *lower], score.division, score.tempo, steps, per_quarter)
    print(file)
    if frames.shape[1] <= 4:
        rates = broken_per_100([frames])
        broken = [f"{name.replace('_', ' ')} {rate:.1f}" for name, rate in rates.items() if rate and name != "rules"]
        print(f"rules broken in 100 frames: {', '.join(broken) or 'none'}")
    return 0


def read_melody(file: Path) -> Score:
    """The highest notes of a MIDI file, those above which nothing sounds when they begin, as track 0. Raises
    `UserError`."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"has more than {MOST_BYTES >> 20} MiB")
        score = read_midi(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}. Give a MIDI file with a melody.") from error
    except ValueError as error:
        raise UserError(f"{file} {error}. Give a MIDI file with a melody.") from error
    notes = _highest(score.notes)
    if not notes:
        raise UserError(f"{file} has no notes, so there is no melody to harmonise.")
    if wrong := [note.pitch for note in notes if not LOWEST <= note.pitch <= HIGHEST]:
        raise UserError(f"{file} has the note {wrong[0]} in its melody; notes from {LOWEST} to {HIGHEST} are known.")
    return Score(tuple(Note(note.start, note.end, note.pitch, 0) for note in notes), score.division, score.tempo)


def _highest(notes: Sequence[Note]) -> list[Note]:
    """Those above which nothing sounds when they begin, of notes in order of their starts."""
    found: list[Note] = []
    sounding: list[tuple[int, int]] = []  # minus the pitch, and the end; the highest is the first
    for start, together in groupby(notes, key=lambda note: note.start):
        begun = [*together]
        for note in begun:
            heapq.heappush(sounding, (-note.pitch, note.end))
        while sounding[0][1] <= start:
            heapq.heappop(sounding)
        found += [note for note in begun if note.pitch == -sounding[0][0]]
    return found


# ---- evaluate ------------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write nats a frame, beside what needs no net, and how often rules are broken."""
    run = _open(arguments.run, arguments.device)
    config = cast(ComposeConfig, run.config)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    source = open_source(config.data, config.loader, config.seed)
    rest, _ = held_out(source.train, config.valid_fraction, config.seed)
    test = pieces_of(source.test) if arguments.data is None else _whole(arguments.data, config)
    net = run.predictor.net
    voices = source.schema[FRAMES].shape[1]
    if test[0].shape[1] != voices:
        raise UserError(f"{arguments.data} has frames of {test[0].shape[1]} notes, and the run of {voices}.")
    found = {"nll": nll(net, test), **baselines(pieces_of(rest), test, config.transpose)}
    for name in ("nll", "nll_ngram", "nll_repeat", "nll_independent"):
        print(f"{name.removeprefix('nll_').replace('nll', 'model'):<28}{found[name]:>10.3f} nats a frame")
    if voices <= 4:
        composed = sampling.compose(net, EVALUATED, COMPOSED, seed=config.seed)
        found |= compared_rules(composed, test)
        _print_rules(found)
    write_json(folder / "evaluation.json", found)
    print(folder)
    return 0


def _whole(spec: str, config: ComposeConfig) -> list[np.ndarray]:
    """All pieces of another source."""
    kind, _, rest = spec.partition(":")
    if kind == "midi":
        return whole_midi(rest, config.loader)
    parts, _ = open_whole(spec, config.loader, config.seed, FRAMES)
    return [piece for part in parts for piece in pieces_of(part)]


@torch.no_grad()
def nll(net: Any, pieces: Sequence[np.ndarray]) -> float:
    """Nats a frame, over all frames but each piece's first."""
    net.eval()
    device = next(net.parameters()).device
    each = [net.loss(torch.from_numpy(piece)[None].to(device))[0, 1:].cpu() for piece in pieces]
    return float(torch.cat(each).double().mean())
