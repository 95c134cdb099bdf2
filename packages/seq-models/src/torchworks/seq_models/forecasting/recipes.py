"""The recipes of forecasting. Their docstrings are what `list` prints."""

import dataclasses

from torchworks.seq_models.forecasting.config import ForecastConfig, ForecastNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig

_OPTIM = OptimConfig(lr=4e-3, schedule="one-cycle")
_TRAINER = TrainerConfig(steps=500, batch_size=256, eval_every=125, clip=1.0)


def forecast() -> ForecastConfig:
    """Daily guests of cafés two weeks ahead, with quantiles: an LSTM beside ridge regression, which goes on learning.

    seq-models train forecast

    Three seeds: MASE (season 7) 0.532 ± 0.004, the interval from 0.1 to 0.9 holds 78.1 ± 0.5 %; boosted trees 0.629,
    ridge 0.835, Holt-Winters 0.933, seasonal naive 1.084, and 0.465 by the rules that made the data. 51 to 53 s of CPU
    time of one core of an AMD EPYC with AVX512-BF16, torch 2.14.1, fp32.

    On taylor (--trainer.steps 200 --trainer.batch-size 64 --trainer.eval-every 50 --optim.lr 0.001) three seeds: MAPE
    1.350 ± 0.005 %, ridge 1.368 %, the week before 1.651 %; the interval holds 53 % only. 27 to 29 s.
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

    Three seeds: MASE 0.555 ± 0.003; boosted trees 0.629, ridge 0.835, seasonal naive 1.084. 33 to 34 s of CPU time of
    one core of an AMD EPYC with AVX512-BF16, torch 2.14.1, fp32, without the baselines.
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

    Three seeds: MASE 0.593 ± 0.007; boosted trees 0.629, ridge 0.835, seasonal naive 1.084. 28 to 29 s of CPU time of
    one core of an AMD EPYC with AVX512-BF16, torch 2.14.1, fp32, without the baselines.
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

    Three seeds: MASE 0.590 ± 0.006; boosted trees 0.629, ridge 0.835, seasonal naive 1.084. 47 to 48 s of CPU time of
    one core of an AMD EPYC with AVX512-BF16, torch 2.14.1, fp32, without the baselines.
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

    Three seeds: MASE 0.557 ± 0.007; boosted trees 0.629, ridge 0.835, seasonal naive 1.084. 80 to 83 s of CPU time of
    one core of an AMD EPYC with AVX512-BF16, torch 2.14.1, fp32, without the baselines.
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

    Three seeds: MASE 0.835 ± 0.006; ridge 0.835, boosted trees 0.629, seasonal naive 1.084. 12 s of CPU time of one
    core of an AMD EPYC with AVX512-BF16, torch 2.14.1, fp32, without the baselines.
    """
    return ForecastConfig(
        recipe="forecast-linear",
        net=ForecastNetConfig(architecture="linear", skip="none", head_dim=0, effect_dim=0, drop_rate=0.0),
        optim=dataclasses.replace(_OPTIM, lr=5e-3),
        trainer=_TRAINER,
    )
