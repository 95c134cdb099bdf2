"""Nets that speak beside those of torchaudio and transformers, in small, with random weights."""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.parity import Comparison, Sizes
from torchworks.seq_models.models.tacotron2 import Tacotron2
from torchworks.seq_models.models.wavernn import WaveRNN
from torchworks.shared.testing import randomize

VOCABULARY, MELS = 11, 6
SCALES, KERNEL = (2, 3), 5


# ---- Tacotron 2


def tacotron2() -> Comparison:
    """The prenet's dropout is left out on both sides: in torchaudio it cannot be turned off."""
    from torchaudio.models import Tacotron2 as Reference

    theirs = Reference(
        n_mels=MELS, n_symbol=VOCABULARY, symbol_embedding_dim=8, encoder_embedding_dim=8, decoder_rnn_dim=10,
        attention_rnn_dim=9, attention_hidden_dim=7, attention_location_n_filter=4, attention_location_kernel_size=5,
        prenet_dim=6, postnet_n_convolution=3, postnet_embedding_dim=7, attention_dropout=0.0, decoder_dropout=0.0,
    )  # fmt: skip
    theirs.decoder.prenet = WithoutDropout(theirs.decoder.prenet)  # ty: ignore[invalid-assignment]
    return Comparison(
        "torchaudio.models.Tacotron2",
        OurTacotron2(new_tacotron2(prenet_drop_rate=0.0, drop_rate=0.0)),
        TorchaudioTacotron2(randomize(theirs)),
        make=lambda sizes: (tokens(sizes), lengths(sizes), mels(sizes, "T")),
        axes=({0: "N", 1: "R"}, {0: "N"}, {0: "N", 1: "T"}),
        key_map=tacotron2_key,
    )


def new_tacotron2(**options: Any) -> Tacotron2:
    return Tacotron2(
        VOCABULARY, num_mels=MELS, embed_dim=8, attention_rnn_dim=9, decoder_dim=10, attention_dim=7,
        location_filters=4, location_kernel=5, prenet_dim=6, postnet_depth=3, postnet_dim=7, **options,
    )  # fmt: skip


def tacotron2_key(key: str) -> str:
    """From torchaudio's key to ours; its cells are layers here."""
    return f"{key}_l0" if key.split(".")[2] in ("attention_rnn", "decoder_rnn") else key


class OurTacotron2(nn.Module):
    """Exported with weights that have no gradient, as the net's file says."""

    def __init__(self, net: Tacotron2):
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor, lengths: Tensor, frames: Tensor) -> tuple[Tensor, ...]:
        if torch.compiler.is_exporting():
            self.net.requires_grad_(False)
        return tuple(self.net(tokens, lengths, frames))


class WithoutDropout(nn.Module):
    def __init__(self, prenet: Any):
        super().__init__()
        self.layers = prenet.layers

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        return x


class TorchaudioTacotron2(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor, lengths: Tensor, frames: Tensor) -> tuple[Tensor, ...]:
        full = torch.full_like(lengths, frames.shape[1])
        mel, refined, stop, attention = self.net(tokens, lengths, frames.transpose(1, 2), full)
        return mel.transpose(1, 2), refined.transpose(1, 2), stop, attention


def tokens(sizes: Sizes) -> Tensor:
    found = torch.randint(1, VOCABULARY, (sizes["N"], sizes["R"]), generator=torch.Generator().manual_seed(0))
    return found * (torch.arange(sizes["R"]) < lengths(sizes)[:, None])


def lengths(sizes: Sizes) -> Tensor:
    """From R down: torchaudio wants the longest row first."""
    return (sizes["R"] - torch.arange(sizes["N"])).clamp_min(1)


def mels(sizes: Sizes, name: str) -> Tensor:
    return torch.randn(sizes["N"], sizes[name], MELS, generator=torch.Generator().manual_seed(1))


# ---- WaveRNN


def wavernn() -> Comparison:
    from torchaudio.models import WaveRNN as Reference

    sizes = {"n_classes": 16, "n_res_block": 2, "n_rnn": 7, "n_fc": 5, "n_freq": MELS, "n_hidden": 8, "n_output": 8}
    theirs = Reference(upsample_scales=list(SCALES), hop_length=6, kernel_size=KERNEL, **sizes)
    return Comparison(
        "torchaudio.models.WaveRNN",
        PaddedWaveRNN(new_wavernn()),
        TorchaudioWaveRNN(randomize(theirs)),
        make=lambda sizes: (frames(sizes), mels(sizes, "T")),
        axes=({0: "N", 1: "T"},) * 2,
    )


def new_wavernn() -> WaveRNN:
    return WaveRNN(SCALES, 16, num_mels=MELS, depth=2, hidden_dim=7, fc_dim=5, conv_dim=8, output_dim=8)


def frames(sizes: Sizes) -> Tensor:
    """Sound in frames (N, T, 6)."""
    return torch.rand(sizes["N"], sizes["T"], 6, generator=torch.Generator().manual_seed(2)) * 2 - 1


class PaddedWaveRNN(nn.Module):
    """Both inputs have T frames, so that one size stands for both."""

    def __init__(self, net: WaveRNN):
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor, mel: Tensor) -> Tensor:
        return self.net(frames.flatten(1), self.net.padded(mel))


class TorchaudioWaveRNN(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor, mel: Tensor) -> Tensor:
        half = KERNEL // 2
        padded = nn.functional.pad(mel, (0, 0, half, half)).transpose(1, 2)
        return self.net(frames.flatten(1)[:, None], padded[:, None])[:, 0]


# ---- HiFi-GAN, FastSpeech 2


def hifigan() -> Comparison:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    from torchworks.seq_models.models.hifigan import HiFiGAN

    stacks = {"kernels": [3, 5], "dilations": [[1, 3], [1, 2, 3]]}
    config = SpeechT5HifiGanConfig(
        model_in_dim=MELS, upsample_initial_channel=8, upsample_rates=[3, 2], upsample_kernel_sizes=[7, 4],
        resblock_kernel_sizes=stacks["kernels"], resblock_dilation_sizes=stacks["dilations"],
    )  # fmt: skip
    theirs = randomize(SpeechT5HifiGan(config))
    ours = HiFiGAN(
        MELS, channels=8, upsample_rates=(3, 2), upsample_kernels=(7, 4), stack_kernels=stacks["kernels"],
        stack_dilations=stacks["dilations"],
    )  # fmt: skip
    return Comparison(
        "transformers.SpeechT5HifiGan", ours, theirs, make=lambda sizes: (mels(sizes, "T"),), axes=({0: "N", 1: "T"},)
    )


def fastspeech2() -> Comparison:
    """transformers has the variance adaptor, with a Conformer around it."""
    from transformers import FastSpeech2ConformerConfig
    from transformers.models.fastspeech2_conformer import modeling_fastspeech2_conformer as theirs

    from torchworks.seq_models.models.fastspeech import VarianceEmbedding, VariancePredictor

    config = FastSpeech2ConformerConfig(hidden_size=8)
    reference = Adaptor(
        theirs.FastSpeech2ConformerVariancePredictor(config, num_layers=2, num_chans=7, dropout_rate=0.0),
        theirs.FastSpeech2ConformerVarianceEmbedding(out_channels=8, kernel_size=3, padding=1),
    )
    ours = Adaptor(VariancePredictor(8, 7, 3, 0.0), VarianceEmbedding(8, 3))
    return Comparison(
        "transformers.FastSpeech2ConformerVariancePredictor, …Embedding",
        ours,
        randomize(reference),
        make=lambda sizes: (torch.randn(sizes["N"], sizes["P"], 8, generator=torch.Generator().manual_seed(3)),),
        axes=({0: "N", 1: "P"},),
    )


class Adaptor(nn.Module):
    """A number of each phoneme is predicted, and added to it."""

    def __init__(self, predictor: nn.Module, embedding: nn.Module):
        super().__init__()
        self.predictor, self.embedding = predictor, embedding

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.embedding(self.predictor(hidden))
