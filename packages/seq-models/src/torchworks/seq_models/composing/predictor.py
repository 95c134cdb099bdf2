"""Trained models of music as they are used: a melody to four voices, or frames to the probabilities of the next notes.

Shape letters: N pieces, T frames, V notes of a frame, H size of a state.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.composing.sampling import as_notes, new_net
from torchworks.seq_models.models.recurrent_base import State, loop, scan
from torchworks.seq_models.models.rnn_nade import NoteByNote, as_choices
from torchworks.seq_models.models.roll_rnn import RollModel
from torchworks.seq_models.music.frames import HIGHEST, NOTES, VOICES, name_of
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

HARMONY, ROLL = "seq-models-harmony", "seq-models-roll"


class HarmonyPredictor(Predictor):
    """melody, int64 (N, T) of MIDI numbers, 0 where it rests → `notes` (N, T, V): each melody note with the most
    probable ones below it, after those before. What follows a frame does not change it, so that padding does not
    either. A note below a piano's lowest rests."""

    exported_with_gradients = False

    def forward(self, *inputs: Tensor) -> Tensor:
        (melody,) = inputs
        net = self.net
        assert isinstance(net, NoteByNote)
        top = as_choices(melody)
        rows = top.shape[0]
        layers = net.layers
        blank = net.begin.new_zeros(rows, layers.hidden_size)
        zeros = [blank.clone() for _ in range(layers.num_layers * layers.states)]
        start = (
            net.begin.expand(rows, -1).clone(),
            torch.zeros_like(top[:, :1].expand(-1, net.voices)).clone(),
            *zeros,
        )

        def step(state: State, moment: tuple[Tensor, ...]) -> tuple[State, Tensor]:
            x, last, *states = state
            output, states = one_moment(net, x, states)
            context = net.context(x, output)
            note = moment[0]
            chosen = [note]
            for k in range(1, net.voices):
                blanks = [torch.zeros_like(note)] * (net.voices - k)
                logits = net.frame_logits(context, last, torch.stack([*chosen, *blanks], 1))[:, k]
                chosen.append(torch.where(chosen[-1] > 0, logits.argmax(1), 0))
            frame = torch.stack(chosen, 1)
            return (net.embedding(frame), frame, *states), frame.clone()

        over_time = scan if torch.compiler.is_exporting() else loop
        _, notes = over_time(step, start, (top.transpose(0, 1),))
        return as_notes(notes.transpose(0, 1))


def one_moment(net: NoteByNote, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The recurrent layers once: x (N, E) and the states of all layers → the output (N, H) and the new states."""
    layers, new = net.layers, []
    for layer in range(layers.num_layers):
        weights = layers.weights(layer)
        given = tuple(states[layer * layers.states : (layer + 1) * layers.states])
        found = layers.equations(layers.input_part(x, weights), given, weights)
        new += found
        x = found[0]
    return x, new


class RollPredictor(Predictor):
    """frames, float32 (N, T, V) of MIDI numbers from high to low, filled up with 0 → `probability` (N, T, 88) of each
    note in the frame after each."""

    def forward(self, *inputs: Tensor) -> Tensor:
        (frames,) = inputs
        assert isinstance(self.net, RollModel)
        return self.net.after(frames.round().long())[:, 1:].float().sigmoid()


def build_harmony(config: dict[str, Any]) -> HarmonyPredictor:
    """The predictor of a net that tells frames note by note, with new weights. Builder "seq-models-harmony"."""
    voices = config["voices"]
    melody = TensorSpec("melody", "tokens", "int64", ("N", "T"), low=0, high=HIGHEST, pad=0)
    notes = TensorSpec("notes", "tokens", "int64", ("N", "T", voices), low=0, high=HIGHEST)
    return HarmonyPredictor(new_net(voices=voices, **config["net"]), Signature((melody,), (notes,)))


def build_roll(config: dict[str, Any]) -> RollPredictor:
    """The predictor of a net on rolls, with new weights. Builder "seq-models-roll"."""
    voices = config["voices"]
    labels = VOICES if voices == len(VOICES) else tuple(f"note{i + 1}" for i in range(voices))
    frames = TensorSpec("frames", "series", "float32", ("N", "T", voices), low=0, high=HIGHEST, labels=labels, pad=0.0)
    names = tuple(name_of(note) for note in range(HIGHEST - NOTES + 1, HIGHEST + 1))
    probability = TensorSpec("probability", "series", "float32", ("N", "T", NOTES), low=0, high=1, labels=names)
    return RollPredictor(new_net(voices=voices, **config["net"]), Signature((frames,), (probability,)))
