"""A real training: the recipe `dcgan` through the trainer, against the same computation in a loop by hand.

Both take batches from the same kind of loader and use the same nets, losses, augmentation, optimizers, precision,
learning-rate schedule and weight averaging. Only ours also logs, watches for gradients that are not finite, and
can be resumed. There is no evaluation.
"""

import copy
from dataclasses import replace

import torch
from race import Clock, Loop
from torch import Tensor, nn
from training import train

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.adversarial.diffaugment import diff_augment
from torchworks.gans.adversarial.losses import hinge_discriminator, raise_logits
from torchworks.gans.models import registry as build
from torchworks.gans.noise.config import DCGANConfig
from torchworks.gans.noise.recipes import dcgan
from torchworks.gans.noise.task import GanTask
from torchworks.shared.data import Loader, open_loader, open_source
from torchworks.shared.machine.device import Device

HAND_GAN, OURS_GAN = "loop by hand", "ours"
CALLS = 2
"""Of the discriminator in a step: one for real and generated images together, one for the generator."""


def loops(device: Device) -> dict[str, Loop]:
    return {
        HAND_GAN: lambda clock: by_hand(clock, device, dcgan()),
        OURS_GAN: lambda clock: ours(clock, device, dcgan()),
    }


def loader_of(config: DCGANConfig, device: Device) -> Loader:
    source = open_source(config.data, config.loader, config.seed)
    return open_loader(source.train, config.loader, config.trainer.batch_size, device=device.device)


def nets_of(config: DCGANConfig, clock: Clock | None) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator, for digits: grey images."""
    nets = [make(config.net, config.loader.image_size, 1, 0) for make in (build.generator, build.discriminator)]
    if clock is not None:
        clock.watch(nets[1])
    return nets[0], nets[1]


def task_of(config: DCGANConfig, clock: Clock | None = None) -> GanTask:
    nets = nets_of(config, clock)
    return GanTask(*nets, config.adversarial, latent_dim=config.net.latent_dim, lr=config.optim.lr)


def ours(clock: Clock, device: Device, config: DCGANConfig) -> None:
    settings = replace(config.trainer, steps=clock.steps, eval_every=0)
    train(task_of(config, clock), loader_of(config, device), settings, device, config.optim)


class GlobalRandom:
    """Random numbers as a loop by hand draws them, from torch's global generator."""

    def __init__(self, device: torch.device):
        self.device = device

    def normal(self, n: int, *shape: int) -> Tensor:
        return torch.randn(n, *shape, device=self.device)

    def uniform(self, n: int, *shape: int) -> Tensor:
        return torch.rand(n, *shape, device=self.device)

    def integers(self, high: int, n: int, *shape: int) -> Tensor:
        return torch.randint(high, (n, *shape), device=self.device)


def by_hand(clock: Clock, device: Device, config: DCGANConfig) -> None:
    game, rate = _as_written_below(config), config.optim.lr
    random, batches = GlobalRandom(device.device), loader_of(config, device).iter_from(0)
    generator, discriminator = (device.place(net) for net in nets_of(config, clock))
    g_parameters, d_parameters = list(generator.parameters()), list(discriminator.parameters())
    g_adam = torch.optim.Adam(g_parameters, lr=rate, betas=game.betas, fused=True)
    d_adam = torch.optim.Adam(d_parameters, lr=rate * game.discriminator_lr, betas=game.betas, fused=True)
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    averages, values = list(average.state_dict().values()), list(generator.state_dict().values())

    def augmented(images: Tensor) -> Tensor:
        return diff_augment(images, game.augment, random)  # ty: ignore[invalid-argument-type]

    def generate(n: int) -> Tensor:
        return generator(random.normal(n, config.net.latent_dim))

    def discriminator_loss(real: Tensor) -> Tensor:
        with torch.no_grad():
            fake = generate(len(real))
        d_real, d_fake = discriminator(torch.cat([augmented(real), augmented(fake.to(real.dtype))])).chunk(2)
        return hinge_discriminator(d_real, d_fake)

    for step in range(clock.steps):
        scale = 1 - step / (clock.steps - 1)
        g_adam.param_groups[0]["lr"] = rate * scale
        d_adam.param_groups[0]["lr"] = rate * game.discriminator_lr * scale
        real = next(batches)["image"]

        with device.autocast():
            loss = discriminator_loss(real)
        loss.backward(inputs=d_parameters)
        d_adam.step()
        d_adam.zero_grad()

        with device.autocast():
            loss = raise_logits(None, discriminator(augmented(generate(len(real)))))
        loss.backward(inputs=g_parameters)
        g_adam.step()
        g_adam.zero_grad()
        del loss  # and with it what the forward pass kept

        move_averages(averages, values, min(config.trainer.ema, (1 + step) / (10 + step)))


def move_averages(averages: list[Tensor], values: list[Tensor], decay: float) -> None:
    """Counters are copied, all else moves a little."""
    counters = [pair for pair in zip(averages, values, strict=True) if not pair[0].is_floating_point()]
    rest = [pair for pair in zip(averages, values, strict=True) if pair[0].is_floating_point()]
    torch._foreach_lerp_([average for average, _ in rest], [value for _, value in rest], 1 - decay)
    for average, value in counters:
        average.copy_(value)


def _as_written_below(config: DCGANConfig) -> AdversarialConfig:
    """The recipe's game, having made sure that `by_hand` still plays it."""
    game, optim, trainer = config.adversarial, config.optim, config.trainer
    assert (game.loss, game.discriminator_steps, game.r1, game.r2) == ("hinge", 1, 0.0, 0.0)
    assert (optim.schedule, optim.warmup, optim.final, trainer.clip) == ("linear", 0, 0.0, None)
    assert (config.net.latent, trainer.accumulate) == ("normal", 1)
    return game
