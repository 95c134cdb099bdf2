"""The recipes of the classification of series. Their docstrings are what `list` prints."""

from torchworks.seq_models.series_classification.config import SeriesClassifierConfig, SeriesNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def classify_series() -> SeriesClassifierConfig:
    """The class of a series by a fully convolutional net, by default the speaker of a vowel. Needs the extra series.

    seq-models train classify-series

    MEASURED
    """
    return SeriesClassifierConfig(
        recipe="classify-series",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=32),
    )


def classify_series_inception() -> SeriesClassifierConfig:
    """The same series by an Inception network, which looks at long and short stretches at once. Needs the extra series.

    seq-models train classify-series-inception

    MEASURED
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

    MEASURED
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

    MEASURED
    """
    return SeriesClassifierConfig(
        recipe="classify-series-transformer",
        net=SeriesNetConfig(architecture="transformer", drop_rate=0.2),
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=500, batch_size=32, clip=1.0),
    )
