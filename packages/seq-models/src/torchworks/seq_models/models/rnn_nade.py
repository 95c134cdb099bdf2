"""A recurrent net for music whose frames are told note by note.

Boulanger-Lewandowski, Bengio and Vincent 2012, "Modeling Temporal Dependencies in High-Dimensional Sequences"
(arXiv:1206.6392), which joins a recurrent net and a NADE (Larochelle and Murray 2011).

The idea: notes that sound together depend on each other, so that the 88 notes of a frame cannot be told one by one
without knowing each other. A recurrent net reads the frames so far; its state h says what a second net, which tells the
frame's notes in an order, begins with:

    P(frame t | before) = Π_k P(note k | notes above it, h_t),    h_t = recurrent(frame 1 … t − 1)

    z_k = relu(A h_t + Σ_{j<k} B_j[note j] + c_k)                 hidden units of step k, as NADE's, equation 23
    P(note k) = softmax(W z'_k + …),   z' = z + relu(U z)

What differs from the paper: the order is from the highest note to the lowest, and a step tells which note is next (or
that the frame has ended), not whether each of 88 sounds: four steps for four voices. Each step also knows how far notes
are from the one that the same voice had before, and from the one just above: scores for each distance are added, so
that what was learned in one key serves in others; and how the voices above have moved, with a score for moving along
with each. The recurrent net is a GRU, and a layer of the net for the frame is added.

Shape letters: N pieces, L frames, V notes of a frame at most, which is as many steps, E embed_dim, H hidden_dim, M
frame_dim, C = 89 choices: the end of the frame, and 88 notes from low to high.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.recurrent import new_layers
from torchworks.seq_models.models.recurrent_base import State
from torchworks.seq_models.music.frames import LOWEST, NOTES

CHOICES = NOTES + 1
REACH = 24
"""Semitones up to which a distance counts."""
SIZES = 2 * REACH + 2
"""Distances up to this far, and one for none."""
NEVER = -1e9
"""Logit of what cannot be."""


def as_choices(frames: Tensor) -> Tensor:
    """MIDI numbers, 0 for none, as choices 0 … 88."""
    return (frames - (LOWEST - 1)).clamp(min=0)


class FrameEmbedding(nn.Module):
    """Choices (…, V) of a frame → (…, E): the sum of its notes' vectors, of each as a note, as the
    k-th from above, and maybe as the lowest."""

    def __init__(self, voices: int, embed_dim: int):
        super().__init__()
        self.voices = voices
        self.note = nn.Embedding(CHOICES, embed_dim)
        self.place = nn.Embedding(voices * CHOICES, embed_dim)
        self.lowest = nn.Embedding(CHOICES, embed_dim)
        for each in (self.note, self.place, self.lowest):
            nn.init.normal_(each.weight, std=0.3)

    def forward(self, choices: Tensor) -> Tensor:
        places = torch.arange(self.voices, device=choices.device) * CHOICES
        lowest = torch.where(choices > 0, choices, CHOICES).amin(-1) % CHOICES
        return (self.note(choices) + self.place(choices + places)).sum(-2) + self.lowest(lowest)


class NoteByNote(nn.Module):
    """Frames, int64 (N, L, V) of MIDI numbers from high to low, filled up with 0 → logits (N, L, V, C): at [:, t, k]
    of the k-th note of frame t, if frames before t and the notes above it are as given. No logit allows a note that is
    not below the one above it."""

    def __init__(
        self,
        voices: int = 4,
        *,
        kind: str = "gru",
        depth: int = 1,
        embed_dim: int = 128,
        hidden_dim: int = 256,
        frame_dim: int = 256,
        drop_rate: float = 0.3,
    ):
        super().__init__()
        self.voices = voices
        self.embedding = FrameEmbedding(voices, embed_dim)
        self.begin = nn.Parameter(torch.zeros(embed_dim))
        self.layers = new_layers(kind, embed_dim, hidden_dim, num_layers=depth, dropout=drop_rate if depth > 1 else 0.0)
        self.from_state = nn.Linear(hidden_dim, frame_dim)
        self.from_last = nn.Linear(embed_dim, frame_dim)
        self.above = nn.Embedding(voices * CHOICES, frame_dim)
        self.motion = nn.Embedding(voices * SIZES, frame_dim)
        self.gap = nn.Embedding(voices * SIZES, frame_dim)
        self.parallel = nn.Parameter(torch.zeros(voices, voices, 12))
        self.step = nn.Parameter(torch.randn(voices, frame_dim) * 0.1)
        self.hidden = nn.Linear(frame_dim, frame_dim)
        self.to_note = nn.Linear(frame_dim, CHOICES)
        self.to_distance = nn.Linear(frame_dim, 2 * (2 * REACH + 1))
        self.dropout = nn.Dropout(drop_rate)
        for each in (self.above, self.motion, self.gap):
            nn.init.normal_(each.weight, std=0.1)
        nn.init.normal_(self.to_note.weight, std=0.02)

    def forward(self, frames: Tensor) -> Tensor:
        choices = as_choices(frames)
        x, states = self.read(choices)
        return self.frame_logits(self.context(x, states), before(choices), choices)

    def loss(self, frames: Tensor) -> Tensor:
        """The negative log-likelihood (nats) of each frame, given those before it, (N, L)."""
        logits = self(frames).float()
        choices = as_choices(frames)
        each = F.cross_entropy(logits.flatten(0, -2), choices.flatten(), reduction="none").view(choices.shape)
        ended = F.pad((choices[..., :-1] == 0).long().cumsum(-1), (1, 0)) > 0
        return each.masked_fill(ended, 0.0).sum(-1)

    # ------------------------------------------------------------------------------------------------- the parts

    def read(self, choices: Tensor) -> tuple[Tensor, Tensor]:
        """Choices (N, L, V) → what is known before each: the vector of the last frame (N, L, E), states (N, L, H)."""
        x = self.embedding(choices[:, :-1])
        x = self.dropout(torch.cat([self.begin.expand(len(choices), 1, -1).to(x.dtype), x], 1))
        return x, self.layers(x)[0]

    def context(self, x: Tensor, states: Tensor) -> Tensor:
        """(…, E) and (…, H) → (…, M)."""
        return self.from_state(self.dropout(states)) + self.from_last(x)

    def frame_logits(self, context: Tensor, last: Tensor, choices: Tensor) -> Tensor:
        """Context (…, M), choices of the frame before (…, V) and of this one (…, V) → logits (…, V, C); those of step k
        depend on the first k choices alone."""
        places = torch.arange(self.voices, device=choices.device)
        told = self.above(choices + places * CHOICES) + self.motion(moved(last, choices) + places * SIZES)
        known = F.pad(told.cumsum(-2)[..., :-1, :], (0, 0, 1, 0))  # (…, V, M)
        gaps = self.gap(moved(F.pad(last[..., 1:], (0, 1)), last) + places * SIZES).sum(-2)
        z = self.dropout(((context + gaps).unsqueeze(-2) + known + self.step).relu())
        z = z + self.hidden(z).relu()
        upper = F.pad(choices[..., :-1], (1, 0))  # the note above each, (…, V)
        by_voice, by_chord = self.to_distance(z).chunk(2, -1)
        logits = self.to_note(z) + _at(by_voice, last) + _at(by_chord, upper)
        logits = logits.scatter_add(-1, *self._in_parallel(last, choices, logits.dtype))
        return logits.masked_fill(~allowed(choices), NEVER)

    def _in_parallel(self, last: Tensor, choices: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """For each step and each voice above: the note that would move as that voice did, and a learned score of doing
        so, by how far the two were apart, modulo an octave; (…, V, V) each. 0 for a voice that stayed."""
        mine, theirs, now = last.unsqueeze(-1), last.unsqueeze(-2), choices.unsqueeze(-2)  # (…, V, 1) and (…, 1, V)
        note = mine + now - theirs
        counts = (mine > 0) & (theirs > 0) & (now > 0) & (now != theirs) & (note > 0) & (note < CHOICES)
        places = torch.arange(self.voices, device=last.device)
        counts = counts & (places < places[:, None])
        score = self.parallel[places[:, None], places, (theirs - mine) % 12]
        return torch.where(counts, note, 0), (score * counts).to(dtype)


def moved(begin: Tensor, end: Tensor) -> Tensor:
    """How far notes are from others (…), as a number from 1 on, or 0 where one of the two is missing."""
    return torch.where((begin > 0) & (end > 0), (end - begin).clamp(-REACH, REACH) + REACH + 1, 0)


def before(choices: Tensor) -> Tensor:
    """Of each frame (N, L, V) the one before it; none before the first."""
    return F.pad(choices[:, :-1], (0, 0, 1, 0))


def allowed(choices: Tensor) -> Tensor:
    """Whether each choice may be made at each step of a frame (…, V): notes below the last one, or the end, bool
    (…, V, C)."""
    number = torch.arange(CHOICES, device=choices.device)
    upper = F.pad(choices[..., :-1], (1, 0), value=CHOICES).unsqueeze(-1)
    return (number < upper) | (number == 0)


def _at(scores: Tensor, reference: Tensor) -> Tensor:
    """Scores of distances (…, 2 REACH + 1) → of choices (…, C), by their distance from a note (…); 0 for those too far,
    for the end, and where there is no note."""
    number = torch.arange(CHOICES, device=scores.device)
    place = number - reference.unsqueeze(-1) + REACH
    counts = (place >= 0) & (place <= 2 * REACH) & (number > 0) & (reference.unsqueeze(-1) > 0)
    return scores.gather(-1, place.clamp(0, 2 * REACH)) * counts


# ------------------------------------------------------------------------------------------------ frame by frame


class Composer:
    """Draws frames of N pieces, one after the other, each time after what the last ones became.

    `uniform` numbers in [0, 1) decide, so that equal numbers give equal pieces."""

    def __init__(self, net: NoteByNote, rows: int):
        self.net = net
        device = net.begin.device
        self.last = torch.zeros(rows, net.voices, dtype=torch.int64, device=device)
        self.state: State = tuple(
            torch.zeros(net.layers.num_layers, rows, net.layers.hidden_size, device=device)
            for _ in range(net.layers.states)
        )
        self._x = net.begin.expand(rows, -1)

    def next(self, uniform: Tensor, temperature: float = 1.0, top: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Choices of the next frame (N, V), drawn by `uniform` (N, V); and the log-probability (N,) of its highest note
        where that is given by `top`, int64 (N,)."""
        given = self.state if len(self.state) > 1 else self.state[0]
        output, last = self.net.layers(self._x[:, None], given)
        self.state = (last,) if isinstance(last, Tensor) else tuple(last)
        context = self.net.context(self._x, output[:, 0])
        frame = torch.zeros_like(self.last)
        weight = torch.zeros(len(frame), device=frame.device)
        going = torch.ones(len(frame), dtype=torch.bool, device=frame.device)
        for k in range(self.net.voices):
            logits = self.net.frame_logits(context, self.last, frame)[:, k].float()
            if k == 0 and top is not None:
                weight = logits.log_softmax(1).gather(1, top[:, None])[:, 0]
                note = top
            else:
                note = drawn(logits, uniform[:, k], temperature)
            frame[:, k] = torch.where(going, note, 0)
            going = going & (note > 0)
        self.last, self._x = frame, self.net.embedding(frame)
        return frame, weight

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, int64 (N,), alone, some of them maybe several times."""
        self.last, self._x = self.last[rows], self._x[rows]
        self.state = tuple(each[:, rows] for each in self.state)


def drawn(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """A choice of each row (N, C); the most probable one for a temperature of 0."""
    if temperature == 0:
        return logits.argmax(1)
    share = (logits / temperature).softmax(1).cumsum(1)
    return (share < uniform[:, None] * share[:, -1:]).sum(1).clamp(max=CHOICES - 1)
