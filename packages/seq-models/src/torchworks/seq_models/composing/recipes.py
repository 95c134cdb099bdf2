"""The recipes that compose. Their docstrings are what `list` prints."""

import dataclasses

from torchworks.seq_models.composing.config import ComposeConfig, ComposerNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def compose() -> ComposeConfig:
    """Music for four voices by a GRU that tells each chord note by note.

    seq-models train compose

    Generated counterpoint, seed 0 alone: 3.37 nats a frame of 100 test pieces; frames as symbols, the last two known,
    4.39, repeated notes 12.29, independent notes 12.84. In its own pieces 24.8 rules are broken in 100 frames, in the
    test part 3.1. On the JSB chorales 4.95 nats (frames as symbols 5.99; published on rolls: GRU 8.43, TCN 8.10). fp32,
    91 to 96 s of CPU time (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, beside other work).
    """
    return ComposeConfig(
        recipe="compose",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=600, batch_size=16, clip=1.0, eval_every=150, precision="fp32"),
    )


def compose_chorales() -> ComposeConfig:
    """The same after Bach's chorales, from the files of music21 (needs the extra music).

    seq-models train compose-chorales

    Seed 0 alone: 4.76 nats a frame of 72 chorales, none of a hymn of training; frames as symbols 5.69, repeated notes
    11.00, independent notes 11.82. In its own pieces 34.5 rules are broken in 100 frames, in Bach's 15.8. fp32, about
    100 s of CPU time.
    """
    return dataclasses.replace(compose(), recipe="compose-chorales", data="chorales")


def compose_roll() -> ComposeConfig:
    """A GRU that tells each of 88 notes by itself, to compare.

    seq-models train compose-roll

    Counterpoint, seed 0 alone: 9.59 nats a frame; frames as symbols 4.39. 58 s of CPU time.
    """
    return ComposeConfig(
        recipe="compose-roll",
        net=ComposerNetConfig(kind="roll"),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=16, clip=1.0, eval_every=200, precision="fp32"),
    )


def compose_tcn() -> ComposeConfig:
    """A temporal convolutional net that does so, to compare.

    seq-models train compose-tcn

    Counterpoint, seed 0 alone: 8.49 nats a frame; frames as symbols 4.39. 69 s of CPU time.
    """
    return ComposeConfig(
        recipe="compose-tcn",
        net=ComposerNetConfig(kind="tcn", depth=2, embed_dim=150, hidden_dim=150, drop_rate=0.25),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1200, batch_size=16, clip=0.4, eval_every=300, precision="fp32"),
    )
