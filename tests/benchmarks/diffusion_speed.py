"""Sampling and training of a diffusion model beside diffusers', with the same weights.

Both draw from the same noise over the same levels, so that they end at the same image: `difference` says how nearly.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from race import Clock, Loop
from torch import Tensor, nn

from torchworks.diffusion import Denoiser, Objective, ProcessConfig, UNet
from torchworks.shared.denoising import SAMPLERS, VariancePreservingPath
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import randomize
from torchworks.shared.training.optim import adamw

OURS, EXPORTED, THEIRS = "torchworks", "torchworks, ONNX Runtime", "diffusers"
STEPS, SIDE = 20, 16
DDPM = ProcessConfig(path="variance-preserving", prediction="noise", times="uniform")


def nets() -> tuple[nn.Module, nn.Module]:
    """Ours and diffusers' U-Net with the same weights, 16 pixels, some 700,000 parameters."""
    from diffusers import UNet2DModel

    theirs = UNet2DModel(
        sample_size=SIDE, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(32, 64),
        down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2, norm_num_groups=8,
        add_attention=False,
    )  # fmt: skip
    ours = randomize(UNet(1, widths=(32, 64), scale_shift=False, fold=1))
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours.eval(), theirs.eval()


def samplers(name: str, rows: int) -> dict[str, Callable[[], Tensor]]:
    """Draws `rows` images in `STEPS` steps, by ddim or dpmpp-2m."""
    ours, theirs = nets()
    noise = torch.randn(rows, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    session, scheduler = exported(ours), scheduler_of(name)
    path = VariancePreservingPath()
    scheduler.set_timesteps(STEPS)
    grid = [path.level_of(int(t)) for t in scheduler.timesteps]
    grid.append(path.level(0))
    sampler = SAMPLERS[name]

    @torch.inference_mode()
    def by_ours() -> Tensor:
        return sampler(Denoiser(ours, DDPM), noise, grid)

    def by_runtime() -> Tensor:
        def said(x: np.ndarray, time: float) -> np.ndarray:
            return session.run(None, {"x": x, "time": np.full(len(x), time, np.float32)})[0]

        def denoise(x, level):
            return (x - np.float32(level.sigma) * said(x, level.time)) / np.float32(level.alpha)

        return torch.from_numpy(sampler(denoise, noise.numpy(), [*map(in_float32, grid)]))

    @torch.no_grad()
    def by_theirs() -> Tensor:
        """As its pipelines do, without their bar of progress and their image files."""
        scheduler.set_timesteps(STEPS)
        x = noise
        for time in scheduler.timesteps:
            x = scheduler.step(theirs(x, time).sample, time, x).prev_sample
        return x

    return {OURS: by_ours, EXPORTED: by_runtime, THEIRS: by_theirs}


def in_float32(level):
    """Factors that leave an array of float32 what it is."""
    return level._replace(alpha=np.float32(level.alpha), sigma=np.float32(level.sigma)) if level.sigma else level


def scheduler_of(name: str):
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    if name == "ddim":
        return DDIMScheduler(timestep_spacing="trailing", clip_sample=False)
    return DPMSolverMultistepScheduler(
        beta_schedule="linear", beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing", final_sigmas_type="zero"
    )


def exported(net: nn.Module):
    """A session of ONNX Runtime with one thread, for any number of images."""
    import onnxruntime

    with warnings.catch_warnings():  # that both inputs have as many rows is meant
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        program = torch.onnx.export(
            net, (torch.randn(2, 1, SIDE, SIDE), torch.rand(2) * 1000), dynamo=True, input_names=["x", "time"],
            dynamic_shapes={name: {0: torch.export.Dim("N")} for name in ("x", "time")}, verbose=False,
        )  # fmt: skip
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def difference(name: str, rows: int) -> float:
    """How far the ends are apart, as a share of the largest value."""
    drawn = [draw() for draw in samplers(name, rows).values()]
    return max(float((each - drawn[0]).abs().max() / drawn[0].abs().max()) for each in drawn[1:])


def training_loops(rows: int) -> dict[str, Loop]:
    """Steps of DDPM on the same images: noise of a random level, forward, backward, AdamW."""
    ours, theirs = nets()
    images = torch.rand(rows, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def by_ours(clock: Clock) -> None:
        net = ours.train()
        clock.watch(net)
        optimizer, objective, random = adamw(net.parameters(), lr=1e-4), Objective.of(DDPM), StepRandom(0)
        for step in range(clock.steps):
            problem = objective.problem(images, random.at(step))
            problem.loss(net(problem.x, problem.time)).mean().backward()
            optimizer.step()
            optimizer.zero_grad()

    def by_theirs(clock: Clock) -> None:
        from diffusers import DDPMScheduler

        net, scheduler = theirs.train(), DDPMScheduler()
        clock.watch(net)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
        for _ in range(clock.steps):
            noise, times = torch.randn_like(images), torch.randint(0, 1000, (rows,))
            predicted = net(scheduler.add_noise(images, noise, times), times, return_dict=False)[0]
            F.mse_loss(predicted, noise).backward()
            optimizer.step()
            optimizer.zero_grad()

    return {OURS: by_ours, THEIRS: by_theirs}
