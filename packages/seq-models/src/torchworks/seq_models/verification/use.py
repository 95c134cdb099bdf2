"""The commands `compare-voices` and `evaluate`."""

import sys
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import torch

from torchworks.seq_models.data.sound_folders import SILENT
from torchworks.seq_models.data.speaker_pairs import NAME, RATE, read_samples, speakers_in
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.models.x_vector import XVector
from torchworks.seq_models.verification.baselines import cepstra
from torchworks.seq_models.verification.build import framed
from torchworks.seq_models.verification.commands import CompareVoices
from torchworks.seq_models.verification.config import VerificationConfig
from torchworks.seq_models.verification.metrics import equal_error, pair_scores, unit
from torchworks.seq_models.verification.predictor import BUILDER, MOST_SECONDS
from torchworks.seq_models.verification.task import vectors_of
from torchworks.seq_models.voice_detection.features import mel_frames
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare

MOST_FILES = 50
SHORT, LEAST = 1.0, 0.3
"""Seconds below which hardly anything is known of a voice, and nothing."""
WARNING = (
    "The threshold is that of generated voices: at it, both kinds of mistakes were as frequent. It proves nothing "
    "about who speaks."
)


def compare_voices(arguments: CompareVoices) -> int:
    """Print the similarity of each pair of files. Raises `UserError` for files that cannot be read."""
    check_number("The number of files", len(arguments.files), 2, MOST_FILES)
    run = _open(arguments.run, arguments.device)
    sounds = [read_samples(file) for file in arguments.files]
    for file, sound in zip(arguments.files, sounds, strict=True):
        if len(sound) > MOST_SECONDS * RATE:
            raise UserError(f"{file} lasts {len(sound) / RATE:.0f} s, and {MOST_SECONDS} s are read at most. Cut it.")
        if len(sound) < LEAST * RATE or np.sqrt(np.mean(np.square(sound, dtype=np.float64))) < SILENT:
            why = f"lasts {len(sound) / RATE:.2f} s" if len(sound) < LEAST * RATE else "is silent"
            raise UserError(f"{file} has no voice to compare: it {why}. Give recordings of a second of speech or more.")
        if len(sound) < SHORT * RATE:
            print(f"{file} lasts {len(sound) / RATE:.2f} s, too little to know a voice by.", file=sys.stderr)
    net = cast(XVector, run.predictor.net).cpu()
    vectors = np.concatenate([vectors_of(net, mel_frames(torch.from_numpy(sound)[None])) for sound in sounds])
    limit = float(read_manifest(arguments.run).config.get("threshold", 0.5))
    for (a, first), (b, second) in combinations(zip(arguments.files, vectors, strict=True), 2):
        alike = float(first @ second)
        print(f"{alike:6.3f}  {'one voice  ' if alike >= limit else 'two voices '}  {a}  {b}")
    print(f"threshold {limit:.3f}. {WARNING}", file=sys.stderr)
    return 0


def _open(folder: Path, device: str) -> FinishedRun:
    run = open_run(folder, "seq-models", device)
    if read_manifest(folder).builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which does not compare voices. Name a run of who."
        )
    return run


def evaluate(arguments: Evaluate) -> int:
    """Print and write the equal error rate on the voices of the test part, or on all of a folder, beside that of mean
    cepstra, and the errors at the run's threshold."""
    run = _open(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    mel, speakers = _asked(arguments.data, cast(VerificationConfig, run.config))
    plain = cepstra(mel.numpy())
    scores, same = pair_scores(vectors_of(cast(XVector, run.predictor.net).cpu(), mel), speakers)
    limit = float(read_manifest(arguments.run).config.get("threshold", 0.5))
    result = {
        "recordings": len(speakers),
        "speakers": len(np.unique(speakers)),
        "equal_error": equal_error(scores, same)[0],
        "equal_error_mfcc": equal_error(*pair_scores(unit(plain - plain.mean(0)), speakers))[0],
        "threshold": limit,
        "one_voice_taken_for_two": float((scores[same] < limit).mean()) if same.any() else 0.0,
        "two_voices_taken_for_one": float((scores[~same] >= limit).mean()) if (~same).any() else 0.0,
    }
    width = max(map(len, result)) + 2
    for name, value in result.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", result)
    print(folder)
    return 0


def _asked(data: str | None, config: VerificationConfig) -> tuple[torch.Tensor, np.ndarray]:
    """Log-mel frames (N, T, M) and speakers (N,) of the test part, or of all speakers in a folder."""
    kind, _, rest = (data or "").partition(":")
    if kind == NAME and rest and "=" not in rest:
        path = Path(rest).expanduser()
        if not path.is_dir():
            raise UserError(f"There is no folder {rest}. Give one with a folder for each speaker, as {NAME}:FOLDER.")
        read = speakers_in(path)
        sounds = np.stack([sound for each in read.values() for sound in each])
        return mel_frames(torch.from_numpy(sounds)), np.repeat(range(len(read)), [len(each) for each in read.values()])
    source = open_source(data or config.data, config.loader, config.seed)
    source.need("audio", "label")
    test = framed(source.test).tensors
    return test["mel"], test["label"].numpy()
