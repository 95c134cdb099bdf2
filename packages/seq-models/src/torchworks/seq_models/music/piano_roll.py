"""Frames drawn: time to the right, pitch upwards, a color for each voice.

Shape letters: L frames, V notes of a frame.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from torchworks.seq_models.music.frames import VOICES, name_of
from torchworks.seq_models.music.midi import TICKS, Note
from torchworks.seq_models.music.performing import notes_of

HIGH, WIDE = 9, 18
"""Pixels of a semitone, and of a frame."""
LEFT, TOP = 40, 26
COLORS = ((196, 60, 60), (222, 150, 30), (60, 140, 80), (50, 90, 170))
BACKGROUND, BLACK_KEY, BAR, BEAT, TEXT = (
    (255, 255, 255),
    (241, 241, 244),
    (150, 150, 150),
    (228, 228, 228),
    (60, 60, 60),
)
_BLACK = (1, 3, 6, 8, 10)


def draw_roll(frames: np.ndarray, per_quarter: int = 1) -> Image.Image:
    """A picture of frames (L, V), with lines at each quarter note and darker ones at every fourth."""
    return draw_notes(notes_of(frames, per_quarter), len(frames), per_quarter, legend=frames.shape[1] <= 4)


def draw_notes(notes: list[Note], steps: int, per_quarter: int = 1, *, legend: bool = True) -> Image.Image:
    """The same of notes, over so many steps."""
    pitches = [note.pitch for note in notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    width, height = LEFT + steps * WIDE + 8, TOP + (high - low + 1) * HIGH + 8
    image = Image.new("RGB", (width, height), BACKGROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(11)
    for pitch in range(low, high + 1):
        top = TOP + (high - pitch) * HIGH
        if pitch % 12 in _BLACK:
            draw.rectangle((LEFT, top, width - 9, top + HIGH - 1), fill=BLACK_KEY)
        if pitch % 12 == 0:
            draw.text((LEFT - 6, top + HIGH // 2), name_of(pitch), TEXT, font, anchor="rm")
    for step in range(steps + 1):
        color = BAR if step % (4 * per_quarter) == 0 else BEAT
        draw.line((LEFT + step * WIDE, TOP, LEFT + step * WIDE, height - 9), color)
    tick = WIDE * per_quarter / TICKS
    for note in notes:
        left, right = LEFT + note.start * tick, min(LEFT + note.end * tick, width - 8)
        top = TOP + (high - note.pitch) * HIGH
        draw.rectangle((left + 1, top + 1, right - 2, top + HIGH - 2), fill=COLORS[note.track % 4])
    for voice in range(4 if legend else 0):
        draw.rectangle((LEFT + voice * 80, 8, LEFT + voice * 80 + 10, 18), fill=COLORS[voice])
        draw.text((LEFT + voice * 80 + 15, 13), VOICES[voice], TEXT, font, anchor="lm")
    return image
