"""The types of bodies that are a file: an image, a film, a sound, a table."""

from torchworks.serving.films import FILM_TYPES, takes_films
from torchworks.serving.image_files import IMAGE_TYPES
from torchworks.serving.series_tables import CSV_TYPES, takes_series
from torchworks.serving.sounds import SOUND_TYPES, WAV, takes_sounds
from torchworks.shared.models.signature import TensorSpec


def types_of(spec: TensorSpec) -> tuple[str, ...]:
    """Of an input that takes files."""
    if takes_films(spec):
        return FILM_TYPES
    if takes_sounds(spec):
        return SOUND_TYPES
    return CSV_TYPES if takes_series(spec) else IMAGE_TYPES


def example_name(spec: TensorSpec) -> str:
    """What an example of such a file is called."""
    return {SOUND_TYPES: "sound.wav", CSV_TYPES: "series.csv"}.get(types_of(spec), "image.png")


def example_type(spec: TensorSpec) -> str:
    """The type of such an example."""
    return {"image.png": "image/png", "sound.wav": WAV, "series.csv": CSV_TYPES[0]}[example_name(spec)]
