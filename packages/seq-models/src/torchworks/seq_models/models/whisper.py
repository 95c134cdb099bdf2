"""A Transformer that hears a log-mel spectrogram and writes text, token by token.

Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision" (arXiv:2212.04356).

The idea (section 2.2): with 680,000 hours of sound and text from the web, the plainest encoder and decoder do: two
convolutions, the second of stride 2, sinusoids as positions, and pre-norm layers. What is to be done (which language,
transcribe or translate, times or none) is said by the first tokens of the decoder.

Sounds are always as long as the encoder has positions for (30 s), silence behind them. Keys of parameters are those of
transformers' WhisperForConditionalGeneration; the projection of keys has no bias, and the last layer is the embedding.

Shape letters: N sounds, M mel channels, S frames after the stride, T tokens, D width, V tokens of the vocabulary.
"""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoids(length: int, dim: int) -> Tensor:
    """Positions (S, D): sines of geometrically falling frequencies, then the cosines of the same."""
    rate = torch.exp(-math.log(10_000) / (dim // 2 - 1) * torch.arange(dim // 2))
    angle = torch.arange(length)[:, None] * rate
    return torch.cat((angle.sin(), angle.cos()), 1)


class Attention(nn.Module):
    """From (N, T, D) to what it finds in `memory` (N, S, D), or in itself."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj, self.q_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x: Tensor, memory: Tensor | None = None, *, causal: bool = False) -> Tensor:
        memory = x if memory is None else memory
        q, k, v = (
            layer(given).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for layer, given in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        mask = None
        if causal:
            places = torch.arange(x.shape[1], device=x.device)
            mask = places <= places[:, None]  # written out: `is_causal` is exported for 2 tokens and more only
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """A pre-norm layer; of a decoder, it also looks at the encoder's frames."""

    def __init__(self, dim: int, num_heads: int, hidden: int, *, decoder: bool):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(dim, num_heads), nn.LayerNorm(dim)
        if decoder:
            self.encoder_attn, self.encoder_attn_layer_norm = Attention(dim, num_heads), nn.LayerNorm(dim)
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self.decoder = decoder

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        x = x + self.self_attn(self.self_attn_layer_norm(x), causal=self.decoder)
        if self.decoder:
            x = x + self.encoder_attn(self.encoder_attn_layer_norm(x), memory)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class Encoder(nn.Module):
    """Log-mel (N, M, 2S) → (N, S, D)."""

    def __init__(self, num_mels: int, positions: int, dim: int, num_heads: int, hidden: int, depth: int):
        super().__init__()
        self.conv1 = nn.Conv1d(num_mels, dim, 3, padding=1)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding.from_pretrained(sinusoids(positions, dim), freeze=True)
        self.layers = nn.ModuleList(Layer(dim, num_heads, hidden, decoder=False) for _ in range(depth))
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, mel: Tensor) -> Tensor:
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        if x.shape[1] != self.embed_positions.num_embeddings:
            raise ValueError(
                f"the spectrogram must have {2 * self.embed_positions.num_embeddings} frames, but it has {mel.shape[2]}"
            )
        x = x + self.embed_positions.weight
        for layer in self.layers:
            x = layer(x)
        return self.layer_norm(x)


class Decoder(nn.Module):
    """Tokens (N, T) and frames (N, S, D) → (N, T, D)."""

    def __init__(self, vocabulary: int, positions: int, dim: int, num_heads: int, hidden: int, depth: int):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, dim)
        self.embed_positions = nn.Embedding(positions, dim)
        self.layers = nn.ModuleList(Layer(dim, num_heads, hidden, decoder=True) for _ in range(depth))
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        x = self.embed_tokens(tokens) + self.embed_positions(torch.arange(tokens.shape[1], device=tokens.device))
        for layer in self.layers:
            x = layer(x, memory)
        return self.layer_norm(x)


class EncoderDecoder(nn.Module):
    def __init__(self, encoder: Encoder, decoder: Decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder


class Whisper(nn.Module):
    """Log-mel (N, M, 2S) and tokens (N, T) → logits (N, T, V) of the token after each."""

    tied: ClassVar[dict[str, str]] = {"proj_out.weight": "model.decoder.embed_tokens.weight"}

    def __init__(
        self,
        vocabulary: int = 51_865,
        *,
        num_mels: int = 80,
        dim: int = 384,
        num_heads: int = 6,
        hidden: int = 1536,
        depth: int = 4,
        source_positions: int = 1500,
        target_positions: int = 448,
    ):
        super().__init__()
        self.model = EncoderDecoder(
            Encoder(num_mels, source_positions, dim, num_heads, hidden, depth),
            Decoder(vocabulary, target_positions, dim, num_heads, hidden, depth),
        )

    def forward(self, mel: Tensor, tokens: Tensor) -> Tensor:
        return F.linear(self.model.decoder(tokens, self.model.encoder(mel)), self.model.decoder.embed_tokens.weight)

    @torch.no_grad()
    def generate(self, mel: Tensor, tokens: Tensor, *, end: int, most: int = 224) -> Tensor:
        """The likeliest tokens after those given (N, T), until each row has `end`, or `most` in all."""
        memory = self.model.encoder(mel)
        done = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
        while tokens.shape[1] < most and not bool(done.all()):
            hidden = self.model.decoder(tokens, memory)[:, -1]
            best = F.linear(hidden, self.model.decoder.embed_tokens.weight).argmax(1).masked_fill(done, end)
            tokens, done = torch.cat((tokens, best[:, None]), 1), done | (best == end)
        return tokens
