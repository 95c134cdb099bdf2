"""Pieces drawn from a model of music, and melodies harmonised.

Shape letters: N pieces, L frames, V notes of a frame, P pieces tried for one melody.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchworks.seq_models.models.music_tcn import MusicTCN
from torchworks.seq_models.models.rnn_nade import CHOICES, Composer, NoteByNote, as_choices
from torchworks.seq_models.models.roll_rnn import RollModel
from torchworks.seq_models.music.frames import LOWEST, as_frames
from torchworks.shared.numbers.seeds import mix

PARTICLES = 64
ALIVE = 0.5
"""Part of the pieces tried that must still count; below it they are drawn anew."""
VOICES = 4
"""Notes of a frame at most that are drawn from a roll."""


@torch.no_grad()
def compose(net: nn.Module, count: int, length: int, *, seed: int, temperature: float = 1.0) -> list[np.ndarray]:
    """`count` pieces of `length` frames, int64 (L, V) each. Piece i follows from `seed` and i alone."""
    training = net.training
    net.eval()
    device = next(net.parameters()).device
    draws = [torch.Generator().manual_seed(mix(seed, index) % 2**63) for index in range(count)]
    try:
        if isinstance(net, NoteByNote):
            uniform = torch.stack([torch.rand(length, net.voices, generator=each) for each in draws]).to(device)
            composer = Composer(net, count)
            made = torch.stack([composer.next(uniform[:, t], temperature)[0] for t in range(length)], 1)
            return [*as_notes(made).cpu().numpy()]
        assert isinstance(net, RollModel)
        return _from_rolls(net, draws, length, temperature)
    finally:
        net.train(training)


def _from_rolls(net: RollModel, draws: list[torch.Generator], length: int, temperature: float) -> list[np.ndarray]:
    """Each note of a frame by itself; of more than four, the most probable ones are kept. The whole piece is read again
    for each frame."""
    device = next(net.parameters()).device
    frames = torch.zeros(len(draws), 1, VOICES, dtype=torch.int64, device=device)
    for _ in range(length):
        logits = net(frames)[:, -1].float().cpu()  # of the last frame, which is empty yet
        uniform = torch.stack([torch.rand(logits.shape[1], generator=each) for each in draws])
        sounds = logits > 0 if temperature == 0 else (logits / temperature).sigmoid() > uniform
        chords = []
        for row, each in zip(logits, sounds, strict=True):
            notes = each.nonzero()[:, 0]
            best = notes[row[notes].topk(min(VOICES, len(notes))).indices]
            chords.append({int(note) + LOWEST for note in best})
        frames[:, -1] = torch.from_numpy(as_frames(chords, VOICES)).to(device)
        frames = torch.nn.functional.pad(frames, (0, 0, 0, 1))
    return [*frames[:, :-1].cpu().numpy()]


@torch.no_grad()
def harmonise(
    net: NoteByNote, melody: Tensor, *, seed: int, temperature: float = 1.0, particles: int = PARTICLES
) -> np.ndarray:
    """A piece int64 (L, V) whose highest notes are `melody`, int64 (L,) of MIDI numbers, 0 where it rests.

    A net that composes from left to right does not know which melody notes are to come. So many pieces are begun, each
    weighed by how probable it makes the next melody note; those that make it improbable die out and others are gone on
    with several times (sequential importance resampling; Gordon, Salmond and Smith 1993). That comes the nearer to
    drawing from the model under the condition of the melody, the more there are. The piece with the best weight at the
    end is taken."""
    net.eval()
    random = torch.Generator().manual_seed(mix(seed, "harmony") % 2**63)
    composer = Composer(net, particles)
    top = as_choices(melody)
    weight = torch.zeros(particles)
    rows: list[Tensor] = []
    for note in top:
        uniform = torch.rand(particles, net.voices, generator=random).to(composer.last.device)
        frame, likely = composer.next(uniform, temperature, top=note.expand(particles).to(composer.last.device))
        weight = weight + likely.cpu()
        rows.append(frame)
        share = weight.softmax(0)
        if 1 / share.square().sum() < ALIVE * particles:
            kept = resampled(share, float(torch.rand((), generator=random)))
            composer.keep(kept)
            rows = [row[kept] for row in rows]
            weight = torch.zeros(particles)
    best = int(weight.argmax())
    return as_notes(torch.stack([row[best] for row in rows])).cpu().numpy()


def resampled(share: Tensor, uniform: float) -> Tensor:
    """Rows int64 (P,), each about as often as its `share` (P,) says (systematic resampling)."""
    places = (torch.arange(len(share)) + uniform) / len(share)
    return torch.searchsorted(share.cumsum(0), places).clamp(max=len(share) - 1)


def as_notes(choices: Tensor) -> Tensor:
    """Choices 0 … 88 as MIDI numbers, 0 for none."""
    return torch.where((choices > 0) & (choices < CHOICES), choices + LOWEST - 1, 0)


def new_net(kind: str, voices: int, **sizes: Any) -> nn.Module:
    """The net of a configuration, with new weights; `sizes` are the other fields of `ComposerNetConfig`."""
    from torchworks.seq_models.models.roll_rnn import RollRNN

    kernel, frame_dim, layers = sizes.pop("kernel"), sizes.pop("frame_dim"), sizes.pop("layers")
    if kind == "tcn":
        return MusicTCN(kernel=kernel, **sizes)
    if kind == "roll":
        return RollRNN(kind=layers, **sizes)
    return NoteByNote(voices, kind=layers, frame_dim=frame_dim, **sizes)
