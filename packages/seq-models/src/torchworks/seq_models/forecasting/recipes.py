"""The recipes of forecasting. Their docstrings are what `list` prints."""

import dataclasses

from torchworks.seq_models.forecasting.config import ForecastConfig, ForecastNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig

_OPTIM = OptimConfig(lr=4e-3, schedule="one-cycle")
_TRAINER = TrainerConfig(steps=500, batch_size=256, eval_every=125, clip=1.0)


def forecast() -> ForecastConfig:
    """Daily guests of cafés two weeks ahead, with quantiles: an LSTM beside ridge regression, which goes on learning.

    seq-models train forecast

    MEASURED
    """
    return ForecastConfig(
        recipe="forecast",
        net=ForecastNetConfig(architecture="lstm", skip="ridge", width=96, depth=1),
        optim=_OPTIM,
        trainer=dataclasses.replace(_TRAINER, steps=800, eval_every=200),
    )


def forecast_lstm() -> ForecastConfig:
    """The same by an LSTM over weeks, beside a linear layer that begins as the week before.

    seq-models train forecast-lstm

    MEASURED
    """
    return ForecastConfig(
        recipe="forecast-lstm",
        net=ForecastNetConfig(architecture="lstm", skip="naive", width=96, depth=1),
        optim=_OPTIM,
        trainer=_TRAINER,
    )


def forecast_nbeats() -> ForecastConfig:
    """The same by N-BEATS, whose blocks take off what they explain.

    seq-models train forecast-nbeats

    MEASURED
    """
    return ForecastConfig(
        recipe="forecast-nbeats",
        net=ForecastNetConfig(architecture="nbeats", skip="naive", width=128, depth=2),
        optim=dataclasses.replace(_OPTIM, lr=2e-3),
        trainer=_TRAINER,
    )


def forecast_patchtst() -> ForecastConfig:
    """The same by PatchTST, a Transformer over pieces of two weeks.

    seq-models train forecast-patchtst

    MEASURED
    """
    return ForecastConfig(
        recipe="forecast-patchtst",
        net=ForecastNetConfig(architecture="patchtst", skip="naive", width=64, depth=2),
        optim=dataclasses.replace(_OPTIM, lr=2e-3),
        trainer=_TRAINER,
    )


def forecast_tcn() -> ForecastConfig:
    """The same by a temporal convolutional net.

    seq-models train forecast-tcn

    MEASURED
    """
    return ForecastConfig(
        recipe="forecast-tcn",
        net=ForecastNetConfig(architecture="tcn", skip="naive", width=32, depth=5),
        optim=_OPTIM,
        trainer=_TRAINER,
    )


def forecast_linear() -> ForecastConfig:
    """The same by NLinear, with quantiles around it: one linear layer, as a yardstick.

    seq-models train forecast-linear

    MEASURED
    """
    return ForecastConfig(
        recipe="forecast-linear",
        net=ForecastNetConfig(architecture="linear", skip="none", head_dim=0, effect_dim=0, drop_rate=0.0),
        optim=dataclasses.replace(_OPTIM, lr=5e-3),
        trainer=_TRAINER,
    )
