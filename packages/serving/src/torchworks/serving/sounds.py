"""Sound files in requests, WAV or FLAC, to samples at the model's rate, and samples that a model gives to WAV files.

    read = read_sounds([data], spec, limits)      # float32 rows of their own lengths, and what is to be said of them
    wav_of(spec, samples)                         # a WAV file of a row (L,)

A sound of another rate is brought to the model's (`shared/data/sounds.py`); several channels become their mean.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from torchworks.serving.errors import Refusal
from torchworks.serving.image_files import as_bytes
from torchworks.serving.limits import Limits
from torchworks.serving.output_kinds import length_output
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.sounds import TooLong, UnsupportedSound, read_sound, resampled, wav_bytes
from torchworks.shared.models.signature import Signature, TensorSpec

SOUND_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/flac", "audio/x-flac")
WAV = "audio/wav"


def takes_sounds(spec: TensorSpec) -> bool:
    """Whether a sound file can become this input: float32 (N, L) of any length L, whose rate is known."""
    free = len(spec.shape) == 2 and isinstance(spec.shape[1], str) and spec.pad is not None
    return spec.kind == "audio" and spec.dtype == "float32" and spec.rate is not None and free


def gives_sounds(spec: TensorSpec) -> bool:
    """Whether each row of this output is a sound: float32 (N, L), whose rate is known."""
    return spec.kind == "audio" and spec.dtype == "float32" and spec.rate is not None and len(spec.shape) == 2


def read_sounds(files: Sequence[str | bytes], spec: TensorSpec, limits: Limits) -> tuple[list[np.ndarray], list[str]]:
    """Samples (L,) of each file, which may be in base64, and warnings. Raises `Refusal`."""
    rate = spec.rate or 0
    read, slow, left = [], set(), limits.sound_seconds
    for number, file in enumerate(files, 1):
        where = f"Sound {number}" if len(files) > 1 else "The sound"
        try:
            sound = read_sound(as_bytes(file, "A sound"), left)
        except TooLong as error:
            of = "a request" if len(files) > 1 else "a sound"
            message = f"{where} is too long: {error}, as {limits.sound_seconds:g} s are the limit of {of}."
            raise Refusal(413, "sound_too_long", message) from error
        except UnsupportedSound as error:
            raise Refusal(415, "wrong_type", f"{where} cannot be used: {error}.") from error
        except Unreadable as error:
            raise Refusal(422, "bad_sound", f"{where} cannot be used: {error}.") from error
        left -= sound.seconds
        if sound.rate < rate:
            slow.add(sound.rate)
        read.append(resampled(sound.samples, sound.rate, rate))
    warnings = [
        f"'{spec.name}' has {each} samples a second, and the model was made for {rate}: it misses what is above "
        f"{each // 2} Hz."
        for each in sorted(slow)
    ]
    return read, warnings


def warm_up(signature: Signature) -> None:
    """Load what brings sounds to another rate, which takes seconds on a busy machine, before a request needs it."""
    if any(map(takes_sounds, signature.inputs)):
        resampled(np.zeros(2, np.float32), 8_000, 16_000)


def sounds_of(signature: Signature, spec: TensorSpec, outputs: Mapping[str, Any]) -> list[np.ndarray]:
    """The rows of an output that is sound, without their padding."""
    told = length_output(signature, spec)
    rows = list(outputs[spec.name])
    if told is None:
        return rows
    return [row[: max(1, int(length))] for row, length in zip(rows, outputs[told.name], strict=True)]


def wav_of(spec: TensorSpec, samples: np.ndarray) -> bytes:
    """A WAV file of a row (L,)."""
    return wav_bytes(samples, spec.rate or 0)
