"""A finished recogniser, opened for use: sounds to texts with times, whole or in pieces.

Shape letters: L samples, R frames, V letters with the blank.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from torchworks.seq_models.models.ctc_recognizer import CTCRecognizer
from torchworks.seq_models.recognition.config import RecognizerConfig
from torchworks.seq_models.recognition.decoding import Word, aligned, beam_search, merged, words_of
from torchworks.seq_models.recognition.language import LetterModel
from torchworks.seq_models.recognition.predictor import BUILDER, LANGUAGE, RecognizerPredictor
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import keep_memory
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.runs.opening import FinishedRun, open_run

CONTEXT = 1.0
"""Seconds that are heard before and after each piece of a stream."""


@dataclass(frozen=True)
class Heard:
    """A text, and when each of its words is said."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Listener:
    """A finished run, opened for use."""

    run: FinishedRun
    alphabet: tuple[str, ...]
    language: LetterModel
    rate: int

    @property
    def config(self) -> RecognizerConfig:
        return cast(RecognizerConfig, self.run.config)

    @property
    def predictor(self) -> RecognizerPredictor:
        return cast(RecognizerPredictor, self.run.predictor)

    @torch.no_grad()
    def probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-probabilities (R, V) of a sound (L,) at the model's rate."""
        audio = torch.from_numpy(samples)[None].to(self.run.device)
        length = torch.tensor([len(samples)], device=self.run.device)
        found, frames, *_ = self.predictor(audio, length)
        return found[0, : int(frames[0])].cpu().numpy()

    def in_pieces(self, samples: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
        """The same, from overlapping windows: pieces of `seconds`, each heard with `CONTEXT` before and after it, as a
        microphone's sound can be recognised that much later. Both directions of the net read each window."""
        step = self.predictor.step
        piece = max(1, round(seconds / step))  # in frames
        context = round(CONTEXT / step)
        total = int(
            cast(CTCRecognizer, self.predictor.net).frames(self.predictor.mel.frames(torch.tensor(len(samples))))
        )
        per_frame = round(step * self.rate)
        parts, silence = [], self.predictor.silence
        for start in range(0, total, piece):
            before = min(start, context)
            begin, end = (start - before) * per_frame, (start + piece + context) * per_frame
            found = self.probabilities(samples[begin:end])
            first = silence + before if start else 0
            parts.append(found[first : silence + before + piece] if start + piece < total else found[first:])
        return np.concatenate(parts)

    def decoded(self, found: NDArray[np.float32], seconds: float, *, beams: int = 16, weight: float = 0.5) -> Heard:
        """The text of log-probabilities (R, V) of a sound of so many `seconds`."""
        if beams > 1:
            letters = beam_search(found, beams=beams, language=self.language, weight=weight)
        else:
            letters = merged(found.argmax(1).tolist())
        text = "".join(self.alphabet[i - 1] for i in letters)
        starts = [max(0, start - self.predictor.silence) for start in aligned(found, letters)]
        words = words_of(text, starts, self.predictor.step, seconds)
        return Heard(" ".join(text.split()), tuple(words))


def open_listener(folder: Path, device: str) -> Listener:
    """Raises `UserError` for a run of another kind."""
    keep_memory()
    run = open_run(folder, "seq-models", device)
    manifest = read_manifest(folder)
    if manifest.builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which does not recognise speech. Name a run of "
            "recognise."
        )
    language = LetterModel.from_json(read_files(folder)[LANGUAGE])
    return Listener(run, tuple(manifest.config["alphabet"]), language, manifest.config["rate"])
