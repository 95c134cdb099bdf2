"""Pictures, films and sounds of a run, small enough for a page that holds hundreds of runs."""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence, UnidentifiedImageError, features

PLACES = ("samples", "generated", "evaluation", "backtest", "compositions", ".")
MOST = 6
"""Pictures, films and sounds of a run."""
AS_IT_IS = 160 << 10
"""Bytes up to which a file is put into the page unchanged, if it is no larger than `SIDE`."""
MOST_READ = 64 << 20
SIDE, FILM_SIDE = 720, 240
"""Pixels of the longer side of a picture and of a film."""
FRAMES = 60
MOST_SOUND = 512 << 10
KINDS = {".png": "picture", ".jpg": "picture", ".jpeg": "picture", ".gif": "film", ".wav": "sound"}


@dataclass(frozen=True)
class Media:
    """A picture, film or sound as a `data:` address. Of a film, `still` is its first frame."""

    kind: str
    name: str
    address: str
    width: int = 0
    height: int = 0
    still: str = ""


def media_of(folder: Path, notes: list[str]) -> list[Media]:
    """The newest of each kind of sample in `folder`; what cannot be shown is said in `notes`."""
    found: list[Media] = []
    for path in _newest(folder):
        if len(found) == MOST:
            notes.append(f"Of its pictures, films and sounds, the first {MOST} are shown.")
            break
        name = path.relative_to(folder).as_posix()
        try:
            if path.stat().st_size > MOST_READ:
                raise ValueError(f"it has more than {MOST_READ >> 20} MiB")
            found.append(_MAKERS[KINDS[path.suffix.lower()]](path, name))
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            notes.append(f"{name} is not shown: {error}.")
    return found


def _newest(folder: Path) -> Iterator[Path]:
    """Files whose names differ only in numbers are one series, such as `samples-00000100.png`: its last."""
    series: dict[str, Path] = {}
    for place in PLACES:
        try:
            files = sorted((folder / place).iterdir())
        except OSError:
            continue
        for path in files:
            if path.suffix.lower() in KINDS and path.name != "curves.png" and path.is_file():
                series[re.sub(r"\d+", "#", path.relative_to(folder).as_posix())] = path
    yield from sorted(series.values(), key=lambda path: not path.name.startswith("samples"))


def _picture(path: Path, name: str) -> Media:
    with _opened(path) as image:
        width, height = image.size
        if path.stat().st_size <= AS_IT_IS and max(image.size) <= SIDE:
            kind = "png" if path.suffix.lower() == ".png" else "jpeg"
            return Media("picture", name, _address(f"image/{kind}", path.read_bytes()), width, height)
        image = image.convert("RGB")
        image.thumbnail((SIDE, SIDE))
        return Media("picture", name, _encoded(image), *image.size)


def _film(path: Path, name: str) -> Media:
    with _opened(path) as image:
        first = image.convert("RGB")
        first.thumbnail((SIDE, SIDE))
        if path.stat().st_size <= AS_IT_IS and max(image.size) <= SIDE:
            return Media("film", name, _address("image/gif", path.read_bytes()), *image.size, _encoded(first))
        every = -(-getattr(image, "n_frames", 1) // FRAMES)
        frames, duration = [], 0.0
        for i, frame in enumerate(ImageSequence.Iterator(image)):
            duration += frame.info.get("duration", 100)
            if i % every == 0:
                small = frame.convert("RGB")
                small.thumbnail((FILM_SIDE, FILM_SIDE))
                frames.append(small)
    milliseconds = max(20, round(duration / len(frames)))
    options = {"save_all": True, "append_images": frames[1:], "duration": milliseconds, "loop": 0}
    return Media("film", name, _encoded(frames[0], **options), *frames[0].size, _encoded(frames[0]))


def _sound(path: Path, name: str) -> Media:
    if path.stat().st_size > MOST_SOUND:
        raise ValueError(f"a sound of more than {MOST_SOUND >> 10} KiB; open the file itself")
    return Media("sound", name, _address("audio/wav", path.read_bytes()))


_MAKERS = {"picture": _picture, "film": _film, "sound": _sound}


def _opened(path: Path) -> Image.Image:
    """Raises for pictures that would need a large part of the memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(path, formats=("PNG", "JPEG", "GIF"))
        except Image.DecompressionBombWarning as error:
            raise ValueError(str(error).rstrip(".")) from None


def _encoded(image: Image.Image, **options: Any) -> str:
    """As WebP, which is smallest; where Pillow cannot write it, as GIF for films and PNG for pictures."""
    if features.check("webp"):
        kind, options = "webp", {"quality": 80, "method": 3, **options}
    else:
        kind = "gif" if options else "png"
    file = io.BytesIO()
    image.save(file, kind, **options)
    return _address(f"image/{kind}", file.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
