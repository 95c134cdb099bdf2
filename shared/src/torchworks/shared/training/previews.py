"""What a task shows of itself while it trains, written to files: images, films, texts, sounds."""

import wave
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from torchworks.shared.runs.outputs import save_film, save_image
from torchworks.shared.task import Preview

_FRAME = 80
"""Milliseconds between two frames of a film."""


def write_previews(folder: Path, previews: Mapping[str, Preview], step: int) -> None:
    """Write `previews` (see `Task.preview`) to `folder` as NAME-STEP.png, .gif, .txt or .wav."""
    folder.mkdir(exist_ok=True)
    for name, preview in previews.items():
        path = folder / f"{name}-{step:08d}"
        if isinstance(preview, str):
            path.with_suffix(".txt").write_text(preview, encoding="utf-8")
        elif isinstance(preview, tuple):
            _write_sound(path.with_suffix(".wav"), *preview)
        elif preview.ndim == 4:
            save_film(path.with_suffix(".gif"), list(preview), milliseconds=_FRAME)
        else:
            _write_image(path.with_suffix(".png"), preview)


def _write_image(path: Path, image: Tensor) -> None:
    """uint8 (3, H, W)."""
    from PIL import Image

    save_image(Image.fromarray(image.permute(1, 2, 0).cpu().contiguous().numpy()), path)


def _write_sound(path: Path, sound: Tensor, rate: int) -> None:
    """Float (T,) or (channels, T) in [-1, 1], louder is cut off; 16 bits a value."""
    channels = sound.detach().float().cpu().view(-1, sound.shape[-1])
    values = (channels.clamp(-1, 1) * 32767).round().short()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.T.contiguous().numpy().astype("<i2").tobytes())
