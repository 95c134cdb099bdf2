"""The recipes that compose. Their docstrings are what `list` prints."""

import dataclasses

from torchworks.seq_models.composing.config import ComposeConfig, ComposerNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def compose() -> ComposeConfig:
    """Music for four voices by a GRU that tells each chord note by note.

    seq-models train compose

    Generated counterpoint, three seeds: 3.35 ± 0.04 nats a frame of 100 test pieces; frames as symbols, the last two
    known, 4.38 ± 0.01, repeated notes 12.27 ± 0.03, independent notes 12.83 ± 0.03. In its own pieces 25.9 ± 1.0 rules
    are broken in 100 frames, in the test part 3.1 ± 0.2. On the JSB chorales 4.95 nats (seed 0; frames as symbols 5.99;
    published on rolls: GRU 8.43, TCN 8.10). fp32, 89 to 96 s of CPU time (torch 2.14.1, one core of an AMD EPYC with
    AVX512-BF16, beside other work).
    """
    return ComposeConfig(
        recipe="compose",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=600, batch_size=16, clip=1.0, eval_every=150, precision="fp32"),
    )


def compose_chorales() -> ComposeConfig:
    """The same after Bach's chorales, from the files of music21 (needs the extra music).

    seq-models train compose-chorales

    Seeds 0 and 1: 4.76 nats a frame of 72 chorales, none of a hymn of training; frames as symbols 5.60, repeated notes
    11.05, independent notes 11.83. In its own pieces 33.6 rules are broken in 100 frames, in Bach's 15.0. fp32, 92 s of
    CPU time.
    """
    return dataclasses.replace(compose(), recipe="compose-chorales", data="chorales")


def compose_roll() -> ComposeConfig:
    """A GRU that tells each of 88 notes by itself, to compare.

    seq-models train compose-roll

    Counterpoint, three seeds: 9.64 ± 0.20 nats a frame; frames as symbols 4.38. 58 to 60 s of CPU time.
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

    Counterpoint, three seeds: 8.46 ± 0.04 nats a frame; frames as symbols 4.38. 69 to 72 s of CPU time.
    """
    return ComposeConfig(
        recipe="compose-tcn",
        net=ComposerNetConfig(kind="tcn", depth=2, embed_dim=150, hidden_dim=150, drop_rate=0.25),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1200, batch_size=16, clip=0.4, eval_every=300, precision="fp32"),
    )
