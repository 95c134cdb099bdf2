"""The commands `detect-speech` and `evaluate`."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from torchworks.seq_models.data.speech_segments import RATE
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import refuse_wrong
from torchworks.seq_models.models.voice_detector import VoiceDetector
from torchworks.seq_models.voice_detection.build import framed
from torchworks.seq_models.voice_detection.commands import DetectSpeech
from torchworks.seq_models.voice_detection.config import VoiceDetectionConfig
from torchworks.seq_models.voice_detection.features import Stream
from torchworks.seq_models.voice_detection.metrics import auroc, error
from torchworks.seq_models.voice_detection.predictor import BUILDER
from torchworks.seq_models.voice_detection.segments import Rules, segments_of
from torchworks.seq_models.voice_detection.task import probabilities
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.sounds import read_sound, resampled
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file

OFF = 0.6
"""Speech lasts until this share of the threshold."""
PIECE = 10 * RATE
"""Samples that are looked at together."""
WRONG = "Sounds that cannot be read"


def detect_speech(arguments: DetectSpeech) -> int:
    """Print the segments of each file. Raises `UserError` that names those that cannot be read, once all others are
    done."""
    if not arguments.files:
        raise UserError("No sound was given. Name WAV or FLAC files after the run.")
    if arguments.threshold is not None:
        check_number("--threshold", arguments.threshold, 0, 1)
    check_number("--shortest", arguments.shortest, 0)
    check_number("--gap", arguments.gap, 0)
    if arguments.picture is not None:
        check_number("The number of files, with --picture,", len(arguments.files), 1, 1)
        prepare_image_file(
            arguments.picture, overwrite=arguments.overwrite, inputs=[*arguments.files], option="--picture"
        )
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=[*arguments.files])
    net, learned = open_detector(arguments.run, arguments.device)
    on = learned if arguments.threshold is None else arguments.threshold
    rules = Rules(on, OFF * on, arguments.shortest, arguments.gap)
    wrong, found = [], []
    for file in arguments.files:
        try:
            sound = read_sound(file)
        except (Unreadable, OSError) as mistake:
            wrong.append(f"{file}: {_said(mistake)}")
            continue
        samples = resampled(sound.samples, sound.rate, RATE)
        speech = heard(net, samples)
        segments = [(start, min(end, sound.seconds)) for start, end in segments_of(speech.tolist(), rules)]
        found.append({"file": str(file), "seconds": round(sound.seconds, 3), "speech": segments})
        before = f"{file}\t" if len(arguments.files) > 1 else ""
        print("".join(f"{before}{start:.2f}\t{end:.2f}\n" for start, end in segments), end="", flush=True)
        if arguments.picture is not None:
            from torchworks.seq_models.voice_detection.plots import draw_speech

            draw_speech(arguments.picture, samples, speech, segments, on)
    if arguments.out is not None:
        write_json(arguments.out, found)
    refuse_wrong(wrong, len(arguments.files), WRONG)
    return 0


def _said(mistake: Exception) -> str:
    return "there is no such file" if isinstance(mistake, FileNotFoundError) else str(mistake)


def heard(net: VoiceDetector, samples: np.ndarray) -> np.ndarray:
    """The probability of speech at each frame of a sound of any length, (1 + L // 160,)."""
    stream = Stream(net)
    parts = [stream.feed(torch.from_numpy(samples[i : i + PIECE])) for i in range(0, len(samples), PIECE)]
    return torch.cat([*parts, stream.end()]).numpy()


def open_detector(folder: Path, device: str) -> tuple[VoiceDetector, float]:
    """The net and its threshold. Raises `UserError` for a run of another kind."""
    run = _open(folder, device)
    return cast(VoiceDetector, run.predictor.net).cpu(), _threshold(folder)


def _open(folder: Path, device: str) -> FinishedRun:
    run = open_run(folder, "seq-models", device)
    if read_manifest(folder).builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which does not find speech. Name a run of "
            "detect-speech."
        )
    return run


def _threshold(folder: Path) -> float:
    return float(read_manifest(folder).config.get("threshold", 0.5))


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write the scores on the test part, or on all sounds of other data."""
    run = _open(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    config, net = cast(VoiceDetectionConfig, run.config), cast(VoiceDetector, run.predictor.net).cpu()
    source = open_source(arguments.data or config.data, config.loader, config.seed)
    source.need("audio", "speech")
    parts = [source.train, source.test] if arguments.data else [source.test]
    result = _scores(net, [framed(part).tensors for part in parts], _threshold(arguments.run))
    width = max(map(len, result)) + 2
    for name, value in result.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", result)
    print(folder)
    return 0


def _scores(net: VoiceDetector, parts: list[Any], threshold: float) -> dict[str, Any]:
    """Of frames, and of frames after the rules of segments."""
    speech = torch.cat([part["speech"] for part in parts]).numpy()
    found = probabilities(net, torch.cat([part["mel"] for part in parts]))
    ruled = np.zeros_like(found)
    for row, each in zip(ruled, found, strict=True):
        for start, end in segments_of(each.tolist(), Rules(threshold, OFF * threshold)):
            row[round(100 * start + 0.5) : round(100 * end + 0.5)] = 1
    known = speech >= 0
    return {
        "sounds": len(speech),
        "share_of_speech": float(speech[known].mean()),
        "auroc": auroc(found[known], speech[known]),
        "error": error(found[known], speech[known], threshold),
        "error_of_segments": error(ruled[known], speech[known], 0.5),
        "threshold": threshold,
    }
