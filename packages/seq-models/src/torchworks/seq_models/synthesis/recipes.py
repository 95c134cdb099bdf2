"""The recipes of speech synthesis. Their docstrings are what `list` prints."""

from torchworks.seq_models.synthesis.config import NetConfig, SpeakConfig, VocodeConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def speak() -> SpeakConfig:
    """Speaks texts: a FastSpeech 2 that makes all frames at once, and Griffin-Lim.

    seq-models train speak

    Three seeds: pocketsphinx's word error rate on test sentences of digits (82 to 110 words) 9.3 ± 2.6 %; Griffin-Lim
    of true spectrograms 7.8 ± 2.9 %, the speaker itself 4.2 ± 0.9 %. Log-mels are off by 3.18 ± 0.03 dB, durations by
    10.3 ± 0.3 ms (median of each phoneme 12.3 ± 0.1); 104 s of CPU time, seed 0 (torch 2.14.1, one core of an AMD EPYC
    with AVX512-BF16, fp32).
    """
    return SpeakConfig(
        recipe="speak",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=200, clip=1.0),
    )


def speak_tacotron() -> SpeakConfig:
    """Speaks texts frame by frame: a Tacotron 2 whose attention is shown the alignment, and Griffin-Lim.

    seq-models train speak-tacotron

    Three seeds: pocketsphinx's word error rate on test sentences of digits (82 to 110 words) 11.4 ± 1.2 %; Griffin-Lim
    of true spectrograms 7.8 ± 2.9 %, the speaker itself 4.2 ± 0.9 %. Every sentence ends by itself; 98.7 ± 0.1 % of
    attention lies on the phoneme that is spoken, or on one beside it. With the true frames before each, log-mels are
    off by 4.0 ± 0.1 dB; 223 s of CPU time, seed 0 (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32).
    """
    return SpeakConfig(
        recipe="speak-tacotron",
        model="tacotron",
        net=NetConfig(depth=2, filter_dim=96, hidden_dim=160),
        optim=OptimConfig(lr=2.5e-3, schedule="linear", warmup=20),
        trainer=TrainerConfig(steps=1000, batch_size=16, eval_every=250, clip=1.0),
    )


def vocode() -> VocodeConfig:
    """Makes sound of log-mel spectrograms: a source with their pitch, whose magnitudes and phases a Vocos corrects.

    seq-models train vocode

    Three seeds: log-mels of its sound differ from those given by 1.37 ± 0.02 dB, those of 32 iterations of Griffin-Lim
    by **1.16 ± 0.02**; pocketsphinx's word error rate on sentences of digits (82 to 110 words) is 7.3 ± 0.9 %, by
    Griffin-Lim 7.8 ± 2.9 %, of the speaker itself 4.2 ± 0.9 %; 101 s of CPU time, seed 0 (torch 2.14.1, one core of an
    AMD EPYC with AVX512-BF16, fp32). A HiFi-GAN (--model hifigan) had 4.2 dB and 34 % after 95 s.
    """
    return VocodeConfig(
        recipe="vocode",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=200, batch_size=8, eval_every=100, clip=5.0),
    )
