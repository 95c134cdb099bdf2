"""The recipes that find anomalies. Their docstrings are what `list` prints."""

from torchworks.seq_models.anomalies.config import AnomalyNetConfig, AnomalySeriesConfig, FraudConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def fraud() -> FraudConfig:
    """Rows of a table that are unlike most, by the density of each number given those before it. Needs the extra
    series.

    seq-models train fraud

    Three seeds, shuttle, half of it for testing: AUROC 0.9998 ± 0.0000, average precision 0.996 ± 0.003, learned from
    rows labelled ordinary; without labels (--learn all) 0.9996 ± 0.0001 and 0.991 ± 0.005; isolation forest
    0.997 and 0.982, distance to neighbors 0.999 and 0.966, Mahalanobis 0.994 and 0.957; with labels, boosted trees
    1.000 and 1.000; 21 s of CPU time (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
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

    Three seeds: AUROC 0.9997 ± 0.0000, average precision 0.995 ± 0.002; without labels (--learn all, seed 0) 0.9997
    and 0.990; isolation forest
    0.997 and 0.982, distance to neighbors 0.999 and 0.966, Mahalanobis 0.994 and 0.957; with labels, boosted trees
    1.000 and 1.000; 15 s of CPU time (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
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

    Three seeds: the place is found by all three; AUROC of 12 steps among 6,301 0.932 ± 0.011, average precision
    0.418 ± 0.020; discord 0.987 and 0.074, found;
    isolation forest of stretches 0.868 and 0.007, moving z-score 0.076 and 0.001, neither finds it; 23 to 25 s of CPU
    time (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
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

    Three seeds: the place is found by all three; AUROC 0.909 ± 0.034, average precision 0.015 ± 0.004, as its errors
    last as long as its window; discord 0.987 and 0.074, found;
    isolation forest of stretches 0.868 and 0.007, moving z-score 0.076 and 0.001, neither finds it; 14 s of CPU
    time (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, fp32, beside other work).
    """
    return AnomalySeriesConfig(
        recipe="anomaly-series-autoencoder",
        noise=0.05,
        net=AnomalyNetConfig(method="autoencoder", narrow=6),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=100, clip=1.0),
    )
