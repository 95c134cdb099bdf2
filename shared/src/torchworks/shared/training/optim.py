"""Optimizers with fused kernels, learning-rate schedules as plain functions of the step, and moving averages.

A schedule is a factor on the learning rates that a recipe set, a pure function of the step: a resumed run needs
no state for it, and all nets of a GAN share one.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.adamw import adamw as take_adamw_steps
from torch.optim.sgd import sgd as take_sgd_steps

from torchworks.shared.config import OptimConfig, UserError
from torchworks.shared.training import parallel

Slot = tuple[dict[str, Any], dict[str, Any], str]
Parameters = nn.Module | Iterable[Tensor] | list[dict[str, Any]]
Kind = TypeVar("Kind", bound=Optimizer)
_WRAPPED = ("step", "zero_grad", "add_param_group", "state_dict", "load_state_dict")
_FUSED_DEVICES = {"cpu", "cuda", "mps", "xpu"}


# ------------------------------------------------------------------------------------------- optimizers


def adam(parameters: Parameters, lr: float, betas: tuple[float, float] = (0.9, 0.999), **options) -> Adam:
    """Adam (Kingma & Ba 2015), fused where the parameters' device can. Further options are torch's own."""
    groups = _groups(parameters)
    return _lean(Adam)(groups, lr=lr, betas=betas, fused=_fusible(groups), **options)


def adamw(
    parameters: Parameters, lr: float, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.01, **options
) -> AdamW:
    """AdamW (Loshchilov & Hutter 2019), fused where the parameters' device can."""
    groups = _groups(parameters)
    return _lean(AdamW)(groups, lr=lr, betas=betas, weight_decay=weight_decay, fused=_fusible(groups), **options)


def sgd(
    parameters: Parameters, lr: float, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
) -> SGD:
    """SGD with momentum, fused where the parameters' device can, and not if they are sharded (DTensor has no such
    kernel).

    The momentum starts as zeros, not as torch's uninitialized memory: that would ruin a parameter if its very
    first step is skipped for gradients that are not finite. Other first steps come out the same.
    """
    groups = _groups(parameters)
    fused = _fusible(groups) and not any(parallel.is_sharded(p) for group in groups for p in group["params"])
    optimizer = _lean(SGD)(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=fused)
    for group in optimizer.param_groups:
        for parameter in group["params"] if momentum else ():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


@cache
def _lean(kind: type[Kind]) -> type[Kind]:
    """`kind` as it is inside: torch wraps some methods so that a step may be compiled, and these import TorchDynamo,
    SymPy and more when first called, which doubles the time that PyTorch takes to start. Nobody compiles a step here.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    return cast(type[Kind], type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(methods["step"])}))


class Muon(Optimizer):
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for matrices and kernels of convolutions,
    Nesterov's SGD or AdamW for everything else.

    Each step of a matrix (a kernel is one of out_channels rows) is the momentum made orthogonal, so that it is as long
    in every direction:

        M ← μ M + (1 - μ) ∇        U Σ Vᵀ ≈ (1 - μ) ∇ + μ M        W ← (1 - η λ) W - η √max(1, rows / columns) U Vᵀ

    A group with `"orthogonal": True` is stepped so, one with `"betas"` like AdamW, others like SGD. Every group may
    have its own `lr`, `momentum` and `weight_decay`, which in SGD alone is not decoupled.

    It takes the steps of `torch.optim.Muon`, which knows neither kernels nor other parameters, cannot skip a step
    without waiting for the GPU, and on a CPU that has no bf16 is many times slower, since it multiplies in bf16
    everywhere; this one does so on CUDA only. Sharded parameters (DTensor) are not supported.
    """

    _step_supports_amp_scaling = True

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "orthogonal": False, "betas": None}
        super().__init__(groups, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                if group["orthogonal"] and parameter.ndim < 2:
                    raise ValueError(f"Muon needs matrices or kernels, but one parameter is {tuple(parameter.shape)}.")
                if group["betas"]:
                    averages = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                    self.state[parameter].update(averages, step=torch.zeros((), device=parameter.device))
                else:
                    self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # ty: ignore[incompatible-method-override]
        """One step; it changes nothing if there is an attribute `found_inf`, a 0-d tensor, and it is not 0."""
        found = getattr(self, "found_inf", None)
        for group in self.param_groups:
            pairs = [(parameter, parameter.grad) for parameter in group["params"] if parameter.grad is not None]
            if group["orthogonal"]:
                for parameter, gradient in pairs:
                    self._step_orthogonally(parameter, gradient, group, found)
            elif pairs:
                step = self._step_by_adamw if group.get("betas") else self._step_by_sgd
                step(pairs, group, found)

    def _step_orthogonally(self, parameter: Tensor, gradient: Tensor, group: dict, found: Tensor | None) -> None:
        lr, momentum, buffer = group["lr"], group["momentum"], self.state[parameter]["momentum_buffer"]
        average = buffer.lerp(gradient, 1 - momentum)
        step = orthogonal(gradient.lerp(average, momentum))
        length = lr * math.sqrt(max(1.0, len(parameter) / parameter[0].numel()))
        stepped = torch.sub(parameter * (1 - lr * group["weight_decay"]), step, alpha=length)
        for old, new in ((buffer, average), (parameter, stepped)):
            old.copy_(new if found is None else torch.where(found > 0, old, new))  # chosen without waiting for the GPU

    def _step_by_adamw(self, pairs: list[tuple[Tensor, Tensor]], group: dict, found: Tensor | None) -> None:
        parameters, gradients = map(list, zip(*pairs, strict=True))
        states = [self.state[parameter] for parameter in parameters]
        beta1, beta2 = group["betas"]
        take_adamw_steps(
            parameters,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=_fusible([{"params": parameters}]),
            found_inf=found,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )

    def _step_by_sgd(self, pairs: list[tuple[Tensor, Tensor]], group: dict, found: Tensor | None) -> None:
        parameters, gradients = map(list, zip(*pairs, strict=True))
        take_sgd_steps(
            parameters,
            gradients,
            [self.state[parameter]["momentum_buffer"] for parameter in parameters],
            lr=group["lr"],
            momentum=group["momentum"],
            weight_decay=group["weight_decay"],
            dampening=0.0,
            nesterov=True,
            maximize=False,
            fused=_fusible([{"params": parameters}]),
            found_inf=found,
        )


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """The orthogonal matrix nearest to `matrix`, or nearly so: singular values are between 0.6 and 1.3, where they were
    not too small a part of the norm. A kernel (out, in, h, w) is taken for a matrix (out, in·h·w).

    X ← a X + (b A + c A²) X with A = X Xᵀ, from X = matrix / norm: Newton and Schulz's iteration, whose coefficients
    make small singular values grow fastest. In bf16 on CUDA, where it costs least.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.flatten(1)
    x = x.bfloat16() if x.is_cuda else x
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).reshape(matrix.shape).to(matrix.dtype)


def _groups(parameters: Parameters) -> list[dict[str, Any]]:
    if isinstance(parameters, list) and parameters and isinstance(parameters[0], dict):
        return cast(list[dict[str, Any]], parameters)
    tensors = parameters.parameters() if isinstance(parameters, nn.Module) else cast(Iterable[Tensor], parameters)
    return [{"params": [tensor for tensor in tensors if tensor.requires_grad]}]


def _fusible(groups: list[dict[str, Any]]) -> bool:
    tensors = [tensor for group in groups for tensor in group["params"]]
    return all(tensor.device.type in _FUSED_DEVICES and tensor.is_floating_point() for tensor in tensors)


def parameter_groups(parameters: nn.Module | Iterable[Tensor], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of the trained parameters: matrices and kernels decay, biases and norms' scales do not."""
    tensors = parameters.parameters() if isinstance(parameters, nn.Module) else parameters
    trained = [parameter for parameter in tensors if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    exempt = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = ({"params": decayed, "weight_decay": weight_decay}, {"params": exempt, "weight_decay": 0.0})
    return [{**group, "lr": lr} for group in groups if group["params"]]


# -------------------------------------------------------------------------------------------- schedules


def schedule(config: OptimConfig, steps: int) -> Callable[[int], float]:
    """The factor on the learning rate at each step 0 … `steps` - 1; later steps keep the last factor.

    Warm-up rises from 1 / (warmup + 1) in equal steps and reaches 1 at step `warmup`, where the shape sets in:
    - constant, plateau: 1 (the drops of plateau are `Plateau`'s).
    - linear, cosine (Loshchilov & Hutter 2017): from 1 to `final` at the last step.
    - step: times `gamma` at each of the `milestones`.
    - one-cycle (Smith & Topin 2018): 1/25 → 1 → 1/250,000 along cosines, with the peak at `warmup`, or after
      three tenths of the steps.
    """
    if config.schedule == "one-cycle":
        return _one_cycle(config.warmup or 0.3 * steps - 1, steps)
    shape = _shape(config, steps)
    if not config.warmup:
        return shape
    return lambda step: (step + 1) / (config.warmup + 1) if step < config.warmup else shape(step)


def _shape(config: OptimConfig, steps: int) -> Callable[[int], float]:
    """The factor from the end of warm-up on."""
    length = max(1, steps - 1 - config.warmup)

    def progress(step: int) -> float:
        return min(1.0, (step - config.warmup) / length)

    drops = sorted(milestone * steps for milestone in config.milestones)
    return {
        "constant": lambda step: 1.0,
        "plateau": lambda step: 1.0,
        "linear": lambda step: 1 + (config.final - 1) * progress(step),
        "cosine": lambda step: _cosine(1.0, config.final, progress(step)),
        "step": lambda step: config.gamma ** sum(step >= drop for drop in drops),
    }[config.schedule]


def _one_cycle(peak: float, steps: int) -> Callable[[int], float]:
    lowest = 1 / 25 / 1e4

    def factor(step: int) -> float:
        if step < peak:
            return _cosine(1 / 25, 1.0, step / peak)
        return _cosine(1.0, lowest, min(1.0, (step - peak) / max(1.0, steps - 1 - peak)))

    return factor


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


class Plateau:
    """The plateau schedule's part that depends on scores: `scale` drops by `gamma`, down to `final`, after each
    `plateau_patience` evaluations in a row that were not better than the best before them."""

    def __init__(self, config: OptimConfig):
        self._config = config
        self.scale, self.waited = 1.0, 0

    def update(self, better: bool) -> None:
        """Take in whether an evaluation was the best so far."""
        self.waited = 0 if better else self.waited + 1
        if self.waited == self._config.plateau_patience:
            self.scale, self.waited = max(self.scale * self._config.gamma, self._config.final), 0

    def state_dict(self) -> dict[str, float]:
        return {"scale": self.scale, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.scale, self.waited = state["scale"], int(state["waited"])


class LearningRates:
    """Sets the learning rates of `optimizers` before each step: what each started with, times the schedule's factor,
    the plateau's if that is the schedule, and `factor`."""

    def __init__(self, optimizers: dict[str, Optimizer], config: OptimConfig, steps: int):
        self.schedule = schedule(config, steps)
        self.plateau = Plateau(config) if config.schedule == "plateau" else None
        self.factor = 1.0
        self._optimizers, self._scale = optimizers, math.nan  # what the rates were last multiplied by
        for group in self._all():
            group.setdefault("initial_lr", group["lr"])

    def set(self, step: int) -> None:
        scale = self.factor * (self.plateau.scale if self.plateau else 1.0) * self.schedule(step)
        if scale != self._scale:
            self._scale = scale
            for group in self._all():
                group["lr"] = group["initial_lr"] * scale

    def largest(self) -> float:
        """The largest rate of any group."""
        return max(group["lr"] for group in self._all())

    def forget(self) -> None:
        """Set all rates anew at the next step, since the optimizers were loaded."""
        self._scale = math.nan

    def _all(self) -> list[dict[str, Any]]:  # loading its state gives an optimizer new groups
        return [group for optimizer in self._optimizers.values() for group in optimizer.param_groups]


# -------------------------------------------------------------------------------------- moving averages


class EMA:
    """Exponential moving averages of nets, in `nets` under the same names: in evaluation mode, not trained.

    After update t = 0, 1, …: average ← d·average + (1 - d)·net with d = min(decay, (1 + t) / (10 + t)), so that
    the first, bad weights are soon forgotten. Floating-point buffers are averaged too; integer buffers, and
    those of a parametrization (spectral norm's unit vectors, which an average would shorten), are copied.
    """

    def __init__(self, nets: dict[str, nn.Module], decay: float):
        if not 0 <= decay < 1:
            raise UserError(f"The decay of the moving average must be from 0 to below 1, but it is {decay}.")
        self.decay, self.updates = decay, 0
        self.nets = {name: copy.deepcopy(net).eval().requires_grad_(False) for name, net in nets.items()}
        self._parameters: list[Slot] = []
        self._statistics: list[Slot] = []
        self._copied: list[Slot] = []
        for name, net in nets.items():
            self._collect(self.nets[name], net)

    def _collect(self, average: nn.Module, net: nn.Module) -> None:
        """Where the tensors live: (average's table, net's table, name), each tensor once."""
        seen = set()
        for (path, ours), theirs in zip(average.named_modules(), net.modules(), strict=True):
            derived = "parametrizations" in path.split(".")
            for name, tensor in [*theirs._parameters.items(), *theirs._buffers.items()]:
                if tensor is None or id(tensor) in seen:
                    continue
                seen.add(id(tensor))
                if name in theirs._parameters:
                    self._parameters.append((ours._parameters, theirs._parameters, name))
                elif tensor.is_floating_point() and not derived:
                    self._statistics.append((ours._buffers, theirs._buffers, name))
                else:
                    self._copied.append((ours._buffers, theirs._buffers, name))

    @torch.no_grad()
    def update(self) -> None:
        """Move the averages towards the nets' present weights. Launches kernels but waits for none."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for slots in (self._parameters, self._statistics):  # apart, since FSDP shards parameters only
            averages, values = self._tensors(slots)
            if averages:
                torch._foreach_lerp_(averages, values, 1 - decay)
        for average, value in zip(*self._tensors(self._copied), strict=True):
            average.copy_(value)
        self.updates += 1

    @staticmethod
    def _tensors(slots: list[Slot]) -> tuple[list[Tensor], list[Tensor]]:
        """The tensors now in the slots; wrapping, moving or compiling a net may have replaced them."""
        return [ours[name] for ours, _, name in slots], [theirs[name] for _, theirs, name in slots]

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "nets": {name: net.state_dict() for name, net in self.nets.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
