"""Standard MIDI files, read and written without a library.

    score = read_midi(Path("chorale.mid").read_bytes())
    chords = score.chords(per_quarter=1)                    # at each quarter note, the notes that sound
    Path("again.mid").write_bytes(midi_bytes(score.notes, score.division, tempo=90))

Read are files of format 0 and 1 whose time is counted in parts of a quarter note. Drums, channel 10, are left out, and
of everything else but notes only the tempo is kept. The format: MIDI Association, "Standard MIDI Files 1.0" (RP-001).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torchworks.seq_models.music.frames import HIGHEST, LOWEST

DRUMS = 9
TICKS = 480
"""Parts of a quarter note that are written."""
TEMPO = 84
"""Quarter notes a minute."""
_ORGAN = 19
_LATE = 8
"""A note sounds in a step if it does so at this part of it, one in …: played notes come a little late."""
_MOST_STEPS = 20_000
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}


@dataclass(frozen=True, order=True)
class Note:
    """From `start` to `end`, in ticks; `track` is the voice it belongs to."""

    start: int
    end: int
    pitch: int
    track: int = 0


@dataclass(frozen=True)
class Score:
    """What a file holds: its notes in order of their starts, the ticks of a quarter note, quarter notes a minute."""

    notes: tuple[Note, ...]
    division: int
    tempo: float

    def chords(self, per_quarter: int = 1) -> list[set[int]]:
        """The notes that sound at each step, `per_quarter` steps a quarter note, from the first note to the last one.
        Notes beyond a piano's are left out. Raises `ValueError` with a part of a sentence for a piece without end."""
        if not self.notes:
            return []
        step = self.division / per_quarter
        first = int(self.notes[0].start // step)
        count = int(-(-max(note.end for note in self.notes) // step)) - first
        if count > _MOST_STEPS:
            raise ValueError(f"lasts {count:,} steps, and at most {_MOST_STEPS:,} are read")
        chords: list[set[int]] = [set() for _ in range(count)]
        reached: dict[int, int] = {}
        for note in self.notes:
            if LOWEST <= note.pitch <= HIGHEST:
                begin, end = (time / step - 1 / _LATE for time in (note.start, note.end))
                stop = -int(-end // 1)
                for place in range(max(first, -int(-begin // 1), reached.get(note.pitch, 0)), stop):
                    chords[place - first].add(note.pitch)
                reached[note.pitch] = max(stop, reached.get(note.pitch, 0))
        while chords and not chords[-1]:
            chords.pop()
        return chords


# ---- read ----------------------------------------------------------------------------------------------------


def read_midi(data: bytes) -> Score:
    """Raises `ValueError` with a part of a sentence for what is no such file, or is damaged."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise ValueError("is no MIDI file: it does not begin with MThd")
    length, form, count, division = struct.unpack(">IHHH", data[4:14])
    if form > 1:
        raise ValueError(f"is a MIDI file of format {form}, and 0 and 1 are read")
    if division & 0x8000 or not division:
        raise ValueError("counts time in frames of a film, and only parts of a quarter note are read")
    notes: list[Note] = []
    tempo = 0.0
    track = -1
    for track, chunk in enumerate(_tracks(data, 8 + length)):
        found, said = _read_track(chunk, track)
        notes += found
        tempo = tempo or said
    if track + 1 < count:
        raise ValueError(f"is cut off: it has {track + 1} of {count} tracks")
    return Score(tuple(sorted(notes)), division, tempo or 120.0)


def _tracks(data: bytes, place: int) -> Iterator[bytes]:
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        place += 8
        if place + size > len(data):
            raise ValueError("is cut off within a track")
        if name == b"MTrk":
            yield data[place : place + size]
        place += size


def _read_track(data: bytes, track: int) -> tuple[list[Note], float]:
    """The notes of a track, and its first tempo, 0 if it says none."""
    notes: list[Note] = []
    open_notes: dict[tuple[int, int], list[int]] = {}
    place = time = status = 0
    tempo = 0.0
    try:
        while place < len(data):
            wait, place = _number(data, place)
            time += wait
            said = status
            if data[place] & 0x80:
                said, place = data[place], place + 1
            if said in (0xFF, 0xF0, 0xF7):  # after which a channel's status goes on, as many programs write it
                kind = data[place]
                size, begin = _number(data, place + (said == 0xFF))
                place = begin + size
                if said == 0xFF and kind == 0x51 and size == 3 and not tempo:
                    tempo = 6e7 / max(1, int.from_bytes(data[begin:place], "big"))
                if said == 0xFF and kind == 0x2F:
                    break
                continue
            status = said
            count = _DATA_BYTES[status & 0xF0]
            values, place = data[place : place + count], place + count
            _take(notes, open_notes, time, status, values, track)
    except (IndexError, KeyError):
        raise ValueError(f"is damaged in track {track + 1}") from None
    notes += [Note(start, time, pitch, track) for (_, pitch), starts in open_notes.items() for start in starts
              if time > start]  # fmt: skip
    return notes, tempo


def _take(notes: list[Note], opened: dict, time: int, status: int, values: bytes, track: int) -> None:
    """Note on and note off; a velocity of 0 is off."""
    kind, channel = status & 0xF0, status & 0x0F
    if kind not in (0x80, 0x90) or channel == DRUMS:
        return
    pitch, velocity = values[0], values[1]
    if kind == 0x90 and velocity:
        opened.setdefault((channel, pitch), []).append(time)
    elif starts := opened.get((channel, pitch)):
        start = starts.pop(0)
        if time > start:
            notes.append(Note(start, time, pitch, track))


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = 0
    while True:
        byte = data[place]
        value, place = value << 7 | byte & 0x7F, place + 1
        if byte < 0x80:
            return value, place


# ---- write ---------------------------------------------------------------------------------------------------


def midi_bytes(notes: Sequence[Note], division: int = TICKS, tempo: float = TEMPO) -> bytes:
    """A file of format 1: a track for the tempo, and one for each `track` of the notes, played as an organ."""
    beat = round(6e7 / tempo).to_bytes(3, "big")
    tracks = [b"\x00\xff\x51\x03" + beat + b"\x00\xff\x2f\x00"]
    names = sorted({note.track for note in notes})
    tracks += [_written([note for note in notes if note.track == name], i % 9) for i, name in enumerate(names)]
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def _written(notes: Sequence[Note], channel: int) -> bytes:
    events = [(note.start, 1, bytes((0x90 | channel, note.pitch, 80))) for note in notes]
    events += [(note.end, 0, bytes((0x80 | channel, note.pitch, 0))) for note in notes]
    written, now = bytearray(b"\x00" + bytes((0xC0 | channel, _ORGAN))), 0
    for time, _, event in sorted(events):
        written += _as_bytes(time - now) + event
        now = time
    return bytes(written + b"\x00\xff\x2f\x00")


def _as_bytes(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
