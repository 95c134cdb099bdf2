"""The recipes that find anomalies. Their docstrings are what `list` prints."""

from torchworks.seq_models.anomalies.config import AnomalyNetConfig, AnomalySeriesConfig, FraudConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def fraud() -> FraudConfig:
    """Rows of a table that are unlike most, by the density of each number given those before it. Needs the extra
    series.

    seq-models train fraud

    MEASURED
    """
    return FraudConfig(
        recipe="fraud",
        loader=LoaderConfig(test_fraction=0.5),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=512, eval_every=250, clip=1.0),
    )


def fraud_autoencoder() -> FraudConfig:
    """The same rows, by how badly an autoencoder returns them. Needs the extra series.

    seq-models train fraud-autoencoder

    MEASURED
    """
    return FraudConfig(
        recipe="fraud-autoencoder",
        loader=LoaderConfig(test_fraction=0.5),
        net=AnomalyNetConfig(method="autoencoder"),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1500, batch_size=512, eval_every=500, clip=1.0),
    )


def anomaly_series() -> AnomalySeriesConfig:
    """Steps of a series that are unlike what came before, by the density of each value given its past. Needs the extra
    series.

    seq-models train anomaly-series

    MEASURED
    """
    return AnomalySeriesConfig(
        recipe="anomaly-series",
        noise=0.05,
        net=AnomalyNetConfig(hidden_dim=32, components=4),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=100, clip=1.0),
    )


def anomaly_series_autoencoder() -> AnomalySeriesConfig:
    """The same series, by how badly an autoencoder returns each stretch of it. Needs the extra series.

    seq-models train anomaly-series-autoencoder

    MEASURED
    """
    return AnomalySeriesConfig(
        recipe="anomaly-series-autoencoder",
        noise=0.05,
        net=AnomalyNetConfig(method="autoencoder", narrow=6),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=100, clip=1.0),
    )
