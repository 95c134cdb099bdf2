"""The recipes of forecasting. Their docstrings are what `list` prints."""

from torchworks.seq_models.forecasting.config import ForecastConfig, ForecastNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig

_TRAINER = TrainerConfig(steps=1500, batch_size=256, eval_every=250, clip=1.0)


def forecast() -> ForecastConfig:
    """Daily guests of cafés two weeks ahead.

    seq-models train forecast
    """
    return ForecastConfig(recipe="forecast", optim=OptimConfig(lr=2e-3, schedule="one-cycle"), trainer=_TRAINER)


def forecast_nbeats() -> ForecastConfig:
    """The same by N-BEATS.

    seq-models train forecast-nbeats
    """
    return ForecastConfig(
        recipe="forecast-nbeats",
        net=ForecastNetConfig(skip="naive"),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=_TRAINER,
    )


def forecast_linear() -> ForecastConfig:
    """The same by NLinear.

    seq-models train forecast-linear
    """
    return ForecastConfig(
        recipe="forecast-linear",
        net=ForecastNetConfig(architecture="linear", skip="none", head_dim=0, drop_rate=0.0),
        optim=OptimConfig(lr=5e-3, schedule="one-cycle"),
        trainer=_TRAINER,
    )


def forecast_lstm() -> ForecastConfig:
    """The same by an LSTM over patches.

    seq-models train forecast-lstm
    """
    return ForecastConfig(
        recipe="forecast-lstm",
        net=ForecastNetConfig(architecture="lstm", skip="naive", width=96, depth=1),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=_TRAINER,
    )


def forecast_patchtst() -> ForecastConfig:
    """The same by PatchTST.

    seq-models train forecast-patchtst
    """
    return ForecastConfig(
        recipe="forecast-patchtst",
        net=ForecastNetConfig(architecture="patchtst", skip="naive", width=64, depth=2),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=_TRAINER,
    )


def forecast_tcn() -> ForecastConfig:
    """The same by a temporal convolutional net.

    seq-models train forecast-tcn
    """
    return ForecastConfig(
        recipe="forecast-tcn",
        net=ForecastNetConfig(architecture="tcn", skip="naive", width=32, depth=5),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=_TRAINER,
    )
