"""The recipes of speech synthesis. Their docstrings are what `list` prints."""

from torchworks.seq_models.synthesis.config import NetConfig, SpeakConfig, VocodeConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def speak() -> SpeakConfig:
    """Speaks texts: a FastSpeech 2 that makes all frames at once, and Griffin-Lim.

    seq-models train speak

    Three seeds: pocketsphinx's word error rate on test sentences of digits (41 to 110 words) 10.6 ± 1.4 %;
    Griffin-Lim of true spectrograms 8.2 ± 4.0 %, the speaker itself 4.2 ± 0.9 %. Log-mels are off by 3.22 ± 0.04 dB,
    durations by 10.3 ± 0.4 ms (median of each phoneme 12.3 ± 0.1); 104 to 115 s of CPU time (torch 2.14.1, one core of
    an AMD EPYC with AVX512-BF16, fp32).
    """
    return SpeakConfig(
        recipe="speak",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=200, clip=1.0),
    )


def speak_tacotron() -> SpeakConfig:
    """Speaks texts frame by frame: a Tacotron 2 with guided attention, and Griffin-Lim.

    seq-models train speak-tacotron

    Not good enough yet. One seed, and the encoder then saw padding, which it does not now: attention finds the diagonal
    (0.990; 97.1 % of it lies on the phoneme that is spoken, or on one beside it) and every sentence ends by itself, but
    frames that follow from frames of its own are blurred, and pocketsphinx takes 90 % of 41 digits for others; with the
    true frames before them they differ from these by 5.9 dB. 178 s of CPU time (torch 2.14.1, one core of an AMD EPYC
    with AVX512-BF16, fp32).
    """
    return SpeakConfig(
        recipe="speak-tacotron",
        model="tacotron",
        net=NetConfig(depth=2, filter_dim=96, hidden_dim=160),
        optim=OptimConfig(lr=2.5e-3, schedule="linear", warmup=20),
        trainer=TrainerConfig(steps=1000, batch_size=16, eval_every=250, clip=1.0),
    )


def vocode() -> VocodeConfig:
    """Makes sound of log-mel spectrograms: a small HiFi-GAN generator, trained without a discriminator.

    seq-models train vocode

    One seed: log-mels of its sound differ from those given by 4.2 dB, those of Griffin-Lim by **1.1**; pocketsphinx's
    word error rate is 34 % of 41 digits, by Griffin-Lim **12 %**, of the speaker itself 5 %; 95 s of CPU time (torch
    2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32). Griffin-Lim is better here.
    """
    return VocodeConfig(
        recipe="vocode",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=200, batch_size=8, eval_every=100, clip=5.0),
    )
