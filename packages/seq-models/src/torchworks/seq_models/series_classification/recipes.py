"""The recipes of the classification of series. Their docstrings are what `list` prints."""

from torchworks.seq_models.series_classification.config import SeriesClassifierConfig, SeriesNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def classify_series() -> SeriesClassifierConfig:
    """The class of a series by a fully convolutional net, by default the speaker of a vowel. Needs the extra series.

    seq-models train classify-series

    Three seeds: accuracy 99.4 ± 0.2 % of 370 test series of JapaneseVowels, published 99.3; one nearest
    neighbor by time warping 96.2 %, by Euclidean distance 94.1 %, majority class 8.4 %; 20 to 22 s of CPU time
    (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
    """
    return SeriesClassifierConfig(
        recipe="classify-series",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=32),
    )


def classify_series_inception() -> SeriesClassifierConfig:
    """The same series by an Inception network, which looks at long and short stretches at once. Needs the extra series.

    seq-models train classify-series-inception

    Three seeds: accuracy 98.8 ± 0.7 % of 370 test series of JapaneseVowels; one nearest
    neighbor by time warping 96.2 %, by Euclidean distance 94.1 %, majority class 8.4 %; 30 to 32 s of CPU time
    (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
    """
    return SeriesClassifierConfig(
        recipe="classify-series-inception",
        net=SeriesNetConfig(architecture="inception", kernels=(40, 20, 10), depth=6),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=200, batch_size=32),
    )


def classify_series_gru() -> SeriesClassifierConfig:
    """The same series by a GRU that reads in both directions. Needs the extra series.

    seq-models train classify-series-gru

    Three seeds: accuracy 97.7 ± 0.9 % of 370 test series of JapaneseVowels; one nearest
    neighbor by time warping 96.2 %, by Euclidean distance 94.1 %, majority class 8.4 %; 20 s of CPU time
    (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
    """
    return SeriesClassifierConfig(
        recipe="classify-series-gru",
        net=SeriesNetConfig(architecture="gru", hidden_dim=64, depth=1, drop_rate=0.2),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=32, clip=1.0),
    )


def classify_series_transformer() -> SeriesClassifierConfig:
    """The same series by a Transformer's encoder. Needs the extra series.

    seq-models train classify-series-transformer

    Three seeds: accuracy 98.3 ± 0.4 % of 370 test series of JapaneseVowels; one nearest
    neighbor by time warping 96.2 %, by Euclidean distance 94.1 %, majority class 8.4 %; 23 to 25 s of CPU time
    (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
    """
    return SeriesClassifierConfig(
        recipe="classify-series-transformer",
        net=SeriesNetConfig(architecture="transformer", drop_rate=0.2),
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=500, batch_size=32, clip=1.0),
    )
