"""Recognisers of speech beside those of the libraries torchaudio and transformers, in small, with random weights."""

from typing import Any

import torch
import torch.nn.functional as F
import torchaudio
import transformers
from torch import Tensor

from torchworks.seq_models.models import conformer, deep_speech, wav2vec2, whisper
from torchworks.seq_models.models.oracles.hugging_face import On, name_in
from torchworks.seq_models.models.parity import Comparison, Sizes
from torchworks.shared.testing import randomize

FEATURES, LETTERS, POSITIONS, VOCABULARY = 6, 7, 5, 23


def of_deep_speech() -> Comparison:
    ours = deep_speech.DeepSpeech(FEATURES, 12, LETTERS)
    theirs = randomize(torchaudio.models.DeepSpeech(FEATURES, 12, LETTERS))
    return Comparison(
        "torchaudio.models.DeepSpeech",
        On(ours, lambda net, x: net(x)),
        On(theirs, lambda net, x: net(x[:, None])),
        make=lambda sizes: (noise(sizes["N"], sizes["T"], FEATURES),),
        axes=({0: "N", 1: "T"},),
    )


def of_conformer() -> Comparison:
    ours = conformer.Conformer(8, num_heads=2, ffn_dim=12, num_layers=2, kernel_size=5)
    theirs = randomize(torchaudio.models.Conformer(8, 2, 12, 2, 5))

    def call(net: Any, x: Tensor) -> Tensor:
        return net(x, torch.full_like(x[:, 0, 0], x.shape[1], dtype=torch.int64))[0]

    return Comparison(
        "torchaudio.models.Conformer", On(ours, call), On(theirs, call),
        make=lambda sizes: (noise(sizes["N"], sizes["T"], 8),), axes=({0: "N", 1: "T"},),
    )  # fmt: skip


def of_wav2vec2() -> Comparison:
    return waves("group", norm_first=False)


def of_wav2vec2_layer_norm() -> Comparison:
    return waves("layer", norm_first=True)


def waves(norm: Any, *, norm_first: bool) -> Comparison:
    """Two nets that hear samples; 30 more than are given, so that one is enough for a frame."""
    config = transformers.Wav2Vec2Config(
        vocab_size=LETTERS, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        conv_dim=(8, 8), conv_stride=(5, 2), conv_kernel=(10, 3), num_conv_pos_embeddings=6,
        num_conv_pos_embedding_groups=2, feat_extract_norm=norm, conv_bias=norm_first,
        do_stable_layer_norm=norm_first, hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
        feat_proj_dropout=0.0, final_dropout=0.0, layerdrop=0.0, apply_spec_augment=False,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    ours = wav2vec2.Wav2Vec2ForCTC(
        LETTERS, dim=16, hidden=24, depth=2, num_heads=2, conv_dims=(8, 8), conv_kernels=(10, 3), conv_strides=(5, 2),
        conv_bias=norm_first, norm=norm, norm_first=norm_first, position_kernel=6, position_groups=2, drop_rate=0.0,
    )  # fmt: skip

    def padded(x: Tensor) -> Tensor:
        return F.pad(x, (15, 15))

    return Comparison(
        f"transformers.Wav2Vec2ForCTC, {norm} norm",
        On(ours, lambda net, x: net(padded(x))),
        On(randomize(transformers.Wav2Vec2ForCTC(config)), lambda net, x: net(padded(x)).logits),
        make=lambda sizes: (noise(sizes["N"], sizes["T"]),),
        axes=({0: "N", 1: "T"},),
    )


def of_whisper() -> Comparison:
    config = transformers.WhisperConfig(
        vocab_size=VOCABULARY, num_mel_bins=FEATURES, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, d_model=16, max_source_positions=POSITIONS,
        max_target_positions=24, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    ours = whisper.Whisper(
        VOCABULARY, num_mels=FEATURES, dim=16, num_heads=2, hidden=24, depth=2, source_positions=POSITIONS,
        target_positions=24,
    )  # fmt: skip

    def make(sizes: Sizes) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(0, VOCABULARY, (sizes["N"], sizes["T"]), generator=torch.Generator().manual_seed(1))
        return noise(sizes["N"], FEATURES, 2 * POSITIONS), tokens

    return Comparison(
        "transformers.WhisperForConditionalGeneration",
        On(ours, lambda net, mel, tokens: net(mel, tokens)),
        On(
            randomize(transformers.WhisperForConditionalGeneration(config)),
            lambda net, mel, tokens: net(input_features=mel, decoder_input_ids=tokens).logits,
        ),
        make=make,
        axes=({0: "N"}, {0: "N", 1: "T"}),
        key_map=name_in(ours),
    )


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))
