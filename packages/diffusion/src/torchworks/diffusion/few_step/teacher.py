"""The model that draws in many steps, and what another one learns from it: noise, and the image that it makes of it."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from torchworks.diffusion.few_step.config import FewStepConfig
from torchworks.diffusion.images.config import ImagesConfig
from torchworks.diffusion.images.predictor import DiffusionPredictor, open_drawer, signature_of
from torchworks.diffusion.images.task import DiffusionTask
from torchworks.diffusion.models import registry
from torchworks.diffusion.process.config import SamplingConfig
from torchworks.diffusion.process.drawing import draw
from torchworks.diffusion.process.pretraining import DRY, pretrain, steps_of
from torchworks.shared.config import OptimConfig, UserError
from torchworks.shared.data import Source, TensorDataset
from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.outputs import progress

AT_ONCE = 128
"""Pairs that are drawn at once."""
AVERAGED = 0.998
"""How much of the teacher's averaged weights is kept in a step, as in the recipe flow."""
WARMUP = 100
"""Steps in which the teacher's learning rate rises."""


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A trained model, and the sizes of its net."""

    predictor: DiffusionPredictor
    net: registry.NetConfig


def opened_teacher(
    config: FewStepConfig, shape: tuple[int, int, int], classes: tuple[str, ...], device: Device
) -> Teacher:
    """The teacher of a finished run. Raises `UserError` if it draws other images than those of the data."""
    folder = Path(config.teacher.run).expanduser()
    drawer = open_drawer(folder, str(device.device))
    predictor, process = drawer.predictor, drawer.predictor.process
    if type(predictor) is not DiffusionPredictor or (process.path, process.prediction) != ("flow", "flow"):
        raise UserError(
            f"{folder} is a run of {drawer.run.config.recipe}, from which few-step cannot learn: its teacher draws "
            "pixels by flow matching. Give a run of flow, or leave out --teacher.run to train one first."
        )
    for what, theirs, ours in (
        ("images of the shape", "×".join(map(str, predictor.shape)), "×".join(map(str, shape))),
        ("the classes", ", ".join(predictor.classes) or "none", ", ".join(classes) or "none"),
    ):
        if theirs != ours:
            raise UserError(
                f"The teacher {folder} draws {what} {theirs}, but these data, with these options, have {ours}. Train "
                "on the data and with the options of its run, or leave out --teacher.run to train another one first."
            )
    assert isinstance(drawer.run.config, ImagesConfig)
    return Teacher(predictor, drawer.run.config.net)


def trained_teacher(
    config: FewStepConfig, source: Source, shape: tuple[int, int, int], classes: tuple[str, ...], device: Device
) -> Teacher:
    """A teacher trained as the recipe flow trains: with the same seed it has the same weights. Every process trains
    the same one."""
    settings, steps = config.teacher, steps_of(config, config.teacher.steps)
    optim = OptimConfig(lr=settings.lr, schedule="linear", warmup=min(WARMUP, steps // 2))
    task = DiffusionTask(
        registry.net_of(config.net, shape[0], len(classes)), dataclasses.replace(config, optim=optim),
        image_shape=shape, num_classes=len(classes),
    )  # fmt: skip
    pretrain(
        task, config, source.train, name="teacher", steps=steps, batch_size=settings.batch_size, optim=optim,
        device=device, ema=AVERAGED,
    )  # fmt: skip
    signature = signature_of(shape, shape, classes)
    predictor = DiffusionPredictor(task.model, signature, config.process, config.sampling, shape)
    return Teacher(predictor.to(device.device).eval(), config.net)


def pairs_of(config: FewStepConfig, teacher: Teacher, source: Source, device: Device) -> TensorDataset:
    """ "noise" and the "image" that the teacher makes of it, each (N, C, S, S), and, if it has classes, the "label",
    which is as often each class as in the training images. The share `class_dropout` was drawn of no class, without
    guidance."""
    predictor, settings = teacher.predictor, config.pairs
    count = min(settings.count, DRY * AT_ONCE) if config.trainer.dry_run else settings.count
    shape = predictor.shape
    noise = sample_normal(mix(config.seed, "pairs"), range(count), *shape)
    classes = len(predictor.classes)
    free = round(count * config.class_dropout) if classes else 0
    labels = torch.cat([torch.full((free,), classes), _labels(source, count - free, config.seed)]) if classes else None
    guided = SamplingConfig(settings.sampler, steps=settings.steps, guidance=settings.guidance)
    plain = dataclasses.replace(guided, guidance=1.0)
    parts = [(start, min(start + AT_ONCE, end), how) for begin, end, how in ((0, free, plain), (free, count, guided))
             for start in range(begin, end, AT_ONCE)]  # fmt: skip
    images = [
        drawn(predictor, noise[start:end], None if labels is None else labels[start:end], how, device.device)
        for start, end, how in progress(parts, "drawing pairs", len(parts))
    ]
    tensors = {"noise": noise, "image": torch.cat(images)}
    return TensorDataset(tensors if labels is None else tensors | {"label": labels})


@torch.no_grad()
def drawn(
    predictor: DiffusionPredictor,
    noise: Tensor,
    labels: Tensor | None,
    sampling: SamplingConfig,
    device: torch.device,
) -> Tensor:
    """The images (N, C, S, S) that a model makes of `noise`, on the CPU."""
    told = () if labels is None else (labels.to(device),)
    denoise = predictor.denoiser(told, sampling)
    return draw(denoise, noise.to(device), predictor.process, sampling).float().cpu()


def _labels(source: Source, count: int, seed: int) -> Tensor:
    """Classes (count,) of training images chosen at random."""
    draws = torch.Generator().manual_seed(mix(seed, "pairs", "label"))
    chosen = torch.randint(len(source.train), (count,), generator=draws)
    known = getattr(source.train, "labels", None)
    if known is not None:
        return known[chosen].long()
    return torch.stack([source.train[i]["label"] for i in chosen.tolist()])


def copy_of(net: nn.Module, teacher: nn.Module) -> nn.Module:
    """`net` with the weights of the teacher's."""
    net.load_state_dict(teacher.state_dict())
    return net
