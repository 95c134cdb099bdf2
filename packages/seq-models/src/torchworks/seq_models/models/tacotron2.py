"""Tacotron 2: a recurrent net with attention that speaks a text as a log-mel spectrogram, frame by frame.

Shen et al. 2018, "Natural TTS Synthesis by Conditioning WaveNet on Mel Spectrogram Predictions" (arXiv:1712.05884),
section 2.2; attention by content and location as in Chorowski et al. 2015, "Attention-Based Models for Speech
Recognition" (arXiv:1506.07503), equations 5 to 9.

The idea: an encoder reads the text; a decoder makes one frame after another of the frame before and of the place in the
text that it attends to. That place moves on by itself, since attention sees where it was: the weights of the step
before, and the sum of all weights so far, go through a convolution F into the energies:

    e_r = vᵀ tanh(W q + V h_r + U (F ∗ [α', Σ α'])_r),    α = softmax(e),    c = Σ_r α_r h_r

A second output of each step says whether the speech is over. A stack of convolutions, the postnet, adds detail that
needs to see frames on both sides.

To ONNX it is exported with weights that have no gradient (`requires_grad_(False)`): the scan over time would want the
sizes of gradients otherwise.

The dropout between the frame before and the decoder (the prenet) is on in use too, as the paper says in its section
2.2, to make the speech vary. `prenet_dropout="training"` turns it off there: the same text is then always the same
speech.

Attention that finds no diagonal is how such nets fail. `guided_attention` is the cure of Tachibana et al. 2018
(arXiv:1710.08969, section 4): weight far from the diagonal costs.

What differs from the paper: a step may make several frames (`frames_per_step`), as in the first Tacotron
(arXiv:1703.10135, section 3.3); dropout instead of zoneout in the LSTMs.

Shape letters: N rows, R tokens, T frames, S = T / frames_per_step steps, M mels, E embed_dim.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.recurrent import LSTM
from torchworks.seq_models.models.recurrent_base import State, loop, scan


class Memory(NamedTuple):
    """What the decoder attends to."""

    values: Tensor
    """The encoder's outputs, (N, R, E)."""
    keys: Tensor
    """V h, (N, R, attention_dim)."""
    real: Tensor
    """bool (N, R), False for padding."""


class Output(NamedTuple):
    """Of `Tacotron2`."""

    mel: Tensor
    """Before the postnet, (N, T, M)."""
    refined: Tensor
    """After it, (N, T, M)."""
    stop: Tensor
    """Logits that speech is over with this step, (N, S)."""
    attention: Tensor
    """α of each step, (N, S, R)."""


@dataclass(frozen=True)
class Spoken:
    """What `Tacotron2.generate` returns."""

    mel: Tensor
    """(N, T, M)."""
    lengths: Tensor
    """Frames of each row, int64 (N,)."""
    attention: Tensor
    """(N, S, R)."""
    stopped: Tensor
    """Whether the net said by itself that speech is over, bool (N,)."""


class Tacotron2(nn.Module):
    """Tokens, int64 (N, R), their lengths (N,) and the frames (N, T, M) → an `Output`, each frame by those before it.

    T must be a multiple of `frames_per_step`. With `masked`, padding counts as 0 before each of the encoder's
    convolutions, so that a row is spoken alike however it is padded; without, as in torchaudio, padding reaches into a
    row's last tokens. The defaults are the paper's.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        num_mels: int = 80,
        embed_dim: int = 512,
        conv_depth: int = 3,
        kernel_size: int = 5,
        attention_rnn_dim: int = 1024,
        decoder_dim: int = 1024,
        attention_dim: int = 128,
        location_filters: int = 32,
        location_kernel: int = 31,
        prenet_dim: int = 256,
        postnet_depth: int = 5,
        postnet_dim: int = 512,
        frames_per_step: int = 1,
        drop_rate: float = 0.1,
        conv_drop_rate: float = 0.5,
        prenet_drop_rate: float = 0.5,
        prenet_dropout: Literal["always", "training"] = "always",
        masked: bool = False,
    ):
        super().__init__()
        if embed_dim % 2 or not kernel_size % 2 or not location_kernel % 2:
            raise ValueError(f"embed_dim must be even and kernels odd: {embed_dim}, {kernel_size}, {location_kernel}")
        if prenet_dropout not in ("always", "training"):
            raise ValueError(f"prenet_dropout must be 'always' or 'training', but it is {prenet_dropout!r}")
        self.num_mels, self.frames_per_step = num_mels, frames_per_step
        self.embedding = nn.Embedding(vocabulary, embed_dim)
        self.encoder = Encoder(embed_dim, conv_depth, kernel_size, conv_drop_rate, masked)
        self.decoder = Decoder(
            num_mels * frames_per_step, embed_dim, attention_rnn_dim, decoder_dim,
            attention=LocationAttention(attention_rnn_dim, embed_dim, attention_dim, location_filters, location_kernel),
            prenet=Prenet(num_mels * frames_per_step, prenet_dim, prenet_drop_rate, prenet_dropout == "always"),
            prenet_dim=prenet_dim, drop_rate=drop_rate,
        )  # fmt: skip
        self.postnet = Postnet(num_mels, postnet_dim, postnet_depth, kernel_size, conv_drop_rate)

    def forward(self, tokens: Tensor, lengths: Tensor, frames: Tensor, alignment: Tensor | None = None) -> Output:
        """`alignment`, weights (N, S, R), is attended to in place of what attention says, as it has been before each
        step too; then no step waits for another one's attention, and a step of training is several times as fast."""
        memory = self.remember(tokens, lengths)
        grouped = frames.unflatten(1, (-1, self.frames_per_step)).flatten(2)  # (N, S, r·M)
        before = F.pad(grouped, (0, 0, 1, 0))[:, : grouped.shape[1]]
        if alignment is None:
            found, stop, attention = self.decoder(before, memory)
        else:
            found, stop, attention = self.decoder.aligned(before, memory, alignment)
        mel = found.unflatten(2, (self.frames_per_step, self.num_mels)).flatten(1, 2)
        return Output(mel, mel + self.postnet(mel), stop, attention)

    def remember(self, tokens: Tensor, lengths: Tensor) -> Memory:
        values = self.encoder(self.embedding(tokens), lengths)
        real = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        return Memory(values, self.decoder.attention_layer.memory_layer(values), real)

    @torch.no_grad()
    def generate(self, tokens: Tensor, lengths: Tensor, *, most: int = 1000, threshold: float = 0.5) -> Spoken:
        """Speak tokens (N, R): a step after the other until each row is over with a probability above `threshold`, at
        most `most` steps."""
        memory = self.remember(tokens, lengths)
        state, frame = self.decoder.start(memory), memory.values.new_zeros(len(tokens), self.decoder.frame_dim)
        steps = torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device)
        over = torch.zeros_like(steps, dtype=torch.bool)
        found, attention = [], []
        for _ in range(most):
            state, output = self.decoder.step(self.decoder.prenet(frame), state, memory)
            frame, stop, weights = self.decoder.parts(output)
            found.append(frame)
            attention.append(weights)
            steps += ~over
            over = over | (stop.sigmoid() > threshold)
            if bool(over.all()):
                break
        mel = torch.stack(found, 1).unflatten(2, (self.frames_per_step, self.num_mels)).flatten(1, 2)
        return Spoken(mel + self.postnet(mel), steps * self.frames_per_step, torch.stack(attention, 1), over)

    def generate_steps(self, tokens: Tensor, lengths: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """As `generate` with a threshold of 0.5, always `steps` steps, as an exported graph needs it: log-mel
        (N, T, M), the frames of each row (N,), and attention (N, S, R)."""
        memory = self.remember(tokens, lengths)
        frame = memory.values.new_zeros(tokens.shape[0], self.decoder.frame_dim)

        def step(state: State, _: tuple[Tensor, ...]) -> tuple[State, Tensor]:
            state, output = self.decoder.step(self.decoder.prenet(state[-1]), state[:-1], memory)
            return (*state, self.decoder.parts(output)[0].clone()), output

        over_time = scan if torch.compiler.is_exporting() else loop
        moments = (memory.values.new_zeros(steps, 1),)
        found, stop, attention = self.decoder.parts(over_time(step, (*self.decoder.start(memory), frame), moments)[1])
        over = (stop > 0).long().cumsum(0) > 0  # (S, N)
        mel = found.transpose(0, 1).unflatten(2, (self.frames_per_step, self.num_mels)).flatten(1, 2)
        lengths = ((~over).sum(0) + 1).clamp_max(steps) * self.frames_per_step
        return mel + self.postnet(mel), lengths, attention.transpose(0, 1)


class Encoder(nn.Module):
    """Embedded tokens (N, R, E) → (N, R, E): convolutions, and an LSTM in both directions. 0 beyond a row's length."""

    def __init__(self, embed_dim: int, depth: int, kernel_size: int, drop_rate: float, masked: bool):
        super().__init__()
        self.drop_rate, self.masked = drop_rate, masked
        self.convolutions = nn.ModuleList(convolution(embed_dim, embed_dim, kernel_size) for _ in range(depth))
        self.lstm = LSTM(embed_dim, embed_dim // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        real = (torch.arange(x.shape[2], device=x.device) < lengths[:, None])[:, None] if self.masked else True
        for conv in self.convolutions:
            x = F.dropout(conv(x * real).relu(), self.drop_rate, self.training)
        return self.lstm(x.transpose(1, 2), None, lengths)[0]


class Prenet(nn.Module):
    """The frame before (N, …, D) → (N, …, prenet_dim): a bottleneck, so that the decoder cannot just copy it."""

    def __init__(self, frame_dim: int, prenet_dim: int, drop_rate: float, always: bool):
        super().__init__()
        self.drop_rate, self.always = drop_rate, always
        self.layers = nn.ModuleList(nn.Linear(size, prenet_dim, bias=False) for size in (frame_dim, prenet_dim))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.dropout(layer(x).relu(), self.drop_rate, self.training or self.always)
        return x


class LocationAttention(nn.Module):
    """Chorowski et al. 2015, equations 5 to 9, with the sum of all weights beside the last ones."""

    def __init__(self, query_dim: int, embed_dim: int, attention_dim: int, filters: int, kernel_size: int):
        super().__init__()
        self.query_layer = nn.Linear(query_dim, attention_dim, bias=False)
        self.memory_layer = nn.Linear(embed_dim, attention_dim, bias=False)
        self.v = nn.Linear(attention_dim, 1, bias=False)
        self.location_layer = LocationLayer(filters, kernel_size, attention_dim)

    def forward(self, query: Tensor, memory: Memory, last: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """The context c (N, E) and the weights α (N, R)."""
        weights = self.weights(query, memory, last, total)
        return torch.bmm(weights[:, None], memory.values)[:, 0], weights

    def weights(self, query: Tensor, memory: Memory, last: Tensor, total: Tensor) -> Tensor:
        seen = self.location_layer(torch.cat([last[:, None], total[:, None]], 1))  # (N, R, attention_dim)
        fitting = (self.query_layer(query)[:, None] + seen + memory.keys).tanh()
        energies = (fitting * self.v.weight).sum(2)  # as a layer of (N, R, …), v would fix sizes in an exported scan
        return energies.masked_fill(~memory.real, -torch.inf).softmax(1)


class LocationLayer(nn.Module):
    def __init__(self, filters: int, kernel_size: int, attention_dim: int):
        super().__init__()
        self.location_conv = nn.Conv1d(2, filters, kernel_size, padding=kernel_size // 2, bias=False)
        self.location_dense = nn.Linear(filters, attention_dim, bias=False)

    def forward(self, weights: Tensor) -> Tensor:
        """Weights of before (N, 2, R) → (N, R, attention_dim)."""
        return F.conv1d(self.location_conv(weights), self.location_dense.weight[..., None]).transpose(1, 2)


class Decoder(nn.Module):
    """Two LSTMs with attention between them. D is the size of the frames of one step."""

    def __init__(
        self,
        frame_dim: int,
        embed_dim: int,
        attention_rnn_dim: int,
        decoder_dim: int,
        *,
        attention: LocationAttention,
        prenet: Prenet,
        prenet_dim: int,
        drop_rate: float,
    ):
        super().__init__()
        self.frame_dim, self.embed_dim, self.drop_rate = frame_dim, embed_dim, drop_rate
        self.prenet = prenet
        self.attention_rnn = LSTM(prenet_dim + embed_dim, attention_rnn_dim)
        self.attention_layer = attention
        self.decoder_rnn = LSTM(attention_rnn_dim + embed_dim, decoder_dim)
        self.linear_projection = nn.Linear(decoder_dim + embed_dim, frame_dim)
        self.gate_layer = nn.Linear(decoder_dim + embed_dim, 1)

    def forward(self, before: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of the step before (N, S, D) → frames (N, S, D), stop logits (N, S), attention (N, S, R)."""
        inputs = self.prenet(before.transpose(0, 1).contiguous())  # (S, N, prenet_dim)

        def step(state: State, each: tuple[Tensor, ...]) -> tuple[State, Tensor]:
            return self.step(each[0], state, memory)

        over_time = scan if torch.compiler.is_exporting() else loop
        outputs = over_time(step, self.start(memory), (inputs,))[1]  # (S, N, D + 1 + R)
        frames, stop, attention = self.parts(outputs)
        return frames.transpose(0, 1), stop.transpose(0, 1), attention.transpose(0, 1)

    def aligned(self, before: Tensor, memory: Memory, alignment: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, attending to `alignment` (N, S, R). What is returned is what attention says of each step, which
        equals `alignment` where it has learnt it."""
        rows, steps, _ = alignment.shape
        inputs, context = self.prenet(before), torch.bmm(alignment, memory.values)
        query = self._over_time(self.attention_rnn, torch.cat([inputs, _later(context)], 2))
        hidden = self._over_time(self.decoder_rnn, torch.cat([query, context], 2))
        both = torch.cat([hidden, context], 2)
        each = Memory(*(value.repeat_interleave(steps, 0) for value in memory))  # (N · S, …)
        last, total = _later(alignment).flatten(0, 1), _later(alignment.cumsum(1)).flatten(0, 1)
        weights = self.attention_layer.weights(query.flatten(0, 1), each, last, total).unflatten(0, (rows, steps))
        return self.linear_projection(both), self.gate_layer(both)[..., 0], weights

    def _over_time(self, lstm: LSTM, x: Tensor) -> Tensor:
        return F.dropout(lstm(x.transpose(0, 1).contiguous())[0].transpose(0, 1), self.drop_rate, self.training)

    def start(self, memory: Memory) -> State:
        """Zeros: of both LSTMs, of the context, and of the weights of before and their sum."""
        rows, tokens, _ = memory.values.shape
        sizes = [self.attention_rnn.hidden_size] * 2 + [self.decoder_rnn.hidden_size] * 2
        sizes += [self.embed_dim, tokens, tokens]
        return tuple(memory.values.new_zeros(rows, size) for size in sizes)

    def step(self, frame: Tensor, state: State, memory: Memory) -> tuple[State, Tensor]:
        """What the prenet made of the frames before, (N, prenet_dim) → the next state, and (N, D + 1 + R): the frames,
        the stop's logit, the weights."""
        query, cell, hidden, decoder_cell, context, last, total = state
        query, cell = self._cell(self.attention_rnn, torch.cat([frame, context], 1), (query, cell))
        context, weights = self.attention_layer(query, memory, last, total)
        hidden, decoder_cell = self._cell(self.decoder_rnn, torch.cat([query, context], 1), (hidden, decoder_cell))
        both = torch.cat([hidden, context], 1)
        output = torch.cat([self.linear_projection(both), self.gate_layer(both), weights], 1)
        return (query, cell, hidden, decoder_cell, context, weights, total + weights), output

    def _cell(self, lstm: LSTM, x: Tensor, state: State) -> State:
        weights = lstm.weights(0)
        h, c = LSTM.equations(LSTM.input_part(x, weights), state, weights)
        return F.dropout(h, self.drop_rate, self.training), c

    def parts(self, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(…, D + 1 + R) → frames (…, D), stop logits (…), weights (…, R)."""
        return output[..., : self.frame_dim], output[..., self.frame_dim], output[..., self.frame_dim + 1 :]


def _later(x: Tensor) -> Tensor:
    """What was one step before, (N, S, …), and 0 first."""
    return F.pad(x, (0, 0, 1, 0))[:, : x.shape[1]]


class Postnet(nn.Module):
    """Frames (N, T, M) → what is added to them, (N, T, M)."""

    def __init__(self, num_mels: int, width: int, depth: int, kernel_size: int, drop_rate: float):
        super().__init__()
        self.drop_rate = drop_rate
        sizes = [num_mels, *[width] * (depth - 1), num_mels]
        self.convolutions = nn.ModuleList(convolution(a, b, kernel_size) for a, b in pairwise(sizes))

    def forward(self, mel: Tensor) -> Tensor:
        x = mel.transpose(1, 2)
        for i, conv in enumerate(self.convolutions, 1):
            x = conv(x)
            x = F.dropout(x.tanh() if i < len(self.convolutions) else x, self.drop_rate, self.training)
        return x.transpose(1, 2)


def convolution(inputs: int, outputs: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(inputs, outputs, kernel_size, padding=kernel_size // 2), nn.BatchNorm1d(outputs))


def guided_attention(attention: Tensor, tokens: Tensor, steps: Tensor, width: float = 0.2) -> Tensor:
    """How far weights (N, S, R) are from the diagonal, 0 to 1, the mean over real steps: a scalar (Tachibana et al.
    2018, equation 6; `width` is g).

        1/S Σ_t Σ_r α_tr (1 − exp(−(r/R − t/S)² / 2g²))

    `tokens` and `steps`, int64 (N,), are the rows' lengths."""
    r = torch.arange(attention.shape[2], device=attention.device) / tokens[:, None].clamp_min(1)  # (N, R)
    t = torch.arange(attention.shape[1], device=attention.device) / steps[:, None].clamp_min(1)  # (N, S)
    away = 1 - torch.exp(-((r[:, None] - t[..., None]) ** 2) / (2 * width**2))
    cost = (attention * away).sum(2)
    real = t < 1
    return (cost * real).sum() / real.sum()
