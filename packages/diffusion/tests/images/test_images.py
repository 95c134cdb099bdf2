"""Diffusion on pixels, from recipe to image: what a run promises when it is trained and drawn with."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import nn

from torchworks.diffusion import (
    Denoiser,
    DiffusionTask,
    Objective,
    ProcessConfig,
    SamplingConfig,
    UNet,
    draw,
    open_drawer,
)
from torchworks.diffusion.images.config import UNetImagesConfig
from torchworks.diffusion.images.predictor import Drawer, build_images, predictor_config
from torchworks.diffusion.models.config import UNetConfig
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.denoising import FlowPath, Guidance, Level, target_of
from torchworks.shared.numbers.stream import StepRandom, sample_normal
from torchworks.shared.testing import check_predictor, randomize
from torchworks.shared.testing_runs import BETWEEN_TWO, finish, killed_and_resumed, start
from torchworks.shared.training.metrics import read_lines

CLASSES = tuple("0123456789")
PROCESSES = {
    "flow": ProcessConfig(),
    "ddpm": ProcessConfig(path="variance-preserving", prediction="noise", times="uniform"),
    "v": ProcessConfig(
        path="variance-preserving", betas="cosine", prediction="v", weighting="min-snr", times="uniform"
    ),
    "edm": ProcessConfig(path="variance-exploding", prediction="edm", times="log-normal", time_mean=-1.2),
    "image": ProcessConfig(prediction="image", weighting="velocity"),
}


def tiny(process: ProcessConfig = PROCESSES["flow"], **more) -> DiffusionTask:
    config = UNetImagesConfig(process=process, loader=ImageConfig(image_size=8), net=UNetConfig(widths=(8, 16)), **more)
    torch.manual_seed(0)
    net = UNet(1, widths=(8, 16), num_classes=10, fold=2)
    task = DiffusionTask(net, config, image_shape=(1, 8, 8), num_classes=10)
    task.random = StepRandom(0)
    return task


def batch(n: int = 64) -> dict[str, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    return {"image": torch.rand(n, 1, 8, 8, generator=draws) * 2 - 1, "label": torch.arange(n) % 10}


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_a_new_net_that_answers_0_has_the_targets_mean_square_as_its_loss(process):
    task, given = tiny(process), batch()
    loss = task.loss("train", given).loss
    problem = Objective.of(process).problem(given["image"], StepRandom(0))
    weight = 1.0 if problem.weight is None else problem.weight
    expected = (problem.target.square().flatten(1).mean(1) * weight).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_training_lowers_the_loss_on_every_path(process):
    task, given = tiny(process), batch(16)
    optimizer, losses = task.optimizer("model"), []
    for group in optimizer.param_groups:
        group["lr"] = 3e-3
    for _ in range(60):
        task.random = StepRandom(0)  # the same noises at each step, which can be learnt by heart
        loss = task.loss("train", given).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


def test_weights_of_the_loss_make_predictions_the_same_problem():
    """Min-SNR weighs the error of the image that follows, whatever the net predicts."""
    image, noise = torch.randn(2, 50, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t = torch.linspace(0.05, 0.95, 50, dtype=torch.float64)
    found = []
    for kind in ("noise", "image", "v", "flow", "edm"):
        process = ProcessConfig(path="variance-preserving", prediction=kind, weighting="min-snr")
        objective = Objective.of(process)
        problem = objective.problem_at(image, noise, t)
        alpha, sigma, _ = (each[:, None, None, None] for each in objective.path.at(t))
        x = alpha * image + sigma * noise
        off = image + 0.1  # a net whose image is off by 0.1
        rest = (x - alpha * off) / sigma
        predicted = target_of(kind, off, rest, alpha, sigma)
        assert problem.weight is not None
        found.append((predicted - problem.target).square().flatten(1).mean(1) * problem.weight)
    for each in found[1:]:
        torch.testing.assert_close(each, found[0], rtol=1e-9, atol=1e-12)


class Counting(nn.Module):
    """Says something of x, the time and the class, and counts how often it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def forward(self, x, time, label):
        self.asked += 1
        return x * 0.3 + time[:, None, None, None] / 1000 + label[:, None, None, None] / 10


def denoiser(net: nn.Module, guidance: float, n: int = 3) -> Denoiser:
    labels = torch.arange(n)
    return Denoiser(
        net, ProcessConfig(), condition=(labels,), unconditional=(torch.full((n,), 10),), guidance=Guidance(guidance)
    )


def test_guidance_is_one_doubled_batch_and_what_two_calls_give():
    net, x, level = Counting(), sample_normal(0, range(3), 1, 4, 4), FlowPath().level(0.6)
    told, free, both = (denoiser(net, weight)(x, level) for weight in (1.0, 0.0, 2.5))
    assert net.asked == 3
    torch.testing.assert_close(both, free + 2.5 * (told - free))


def test_a_new_net_without_a_class_is_the_net_of_the_class_that_stands_for_none():
    net = randomize(UNet(1, widths=(8, 16), num_classes=10, fold=2))
    x, time = sample_normal(0, range(2), 1, 8, 8), torch.tensor([100.0, 900.0])
    torch.testing.assert_close(net(x, time), net(x, time, torch.tensor([10, 10])))


def test_classes_are_dropped_at_their_rate():
    task = tiny(class_dropout=0.3)
    dropped = torch.cat([task._told(batch(1000))[0] == 10 for _ in range(5)]).float().mean()
    assert dropped == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("sampler", ["dpmpp-2m", "ddpm", "ddim", "heun", "ab2", "unipc"])
def test_an_image_of_a_seed_is_the_same_bit_for_bit_however_many_are_drawn(trained, sampler):
    drawer = open_drawer(trained("flow"))
    drawer = Drawer(drawer.run, dataclasses.replace(drawer.sampling, sampler=sampler, steps=3))
    labels = torch.arange(20) % 10
    many = drawer.draw(5, range(20), labels)
    assert torch.equal(drawer.draw(5, range(7, 9), labels[7:9]), many[7:9])
    assert not torch.equal(many[0], many[10])


@pytest.mark.parametrize(
    "process",
    [
        pytest.param(process, id=name, marks=pytest.mark.long if name in ("v", "image") else pytest.mark.slow)
        for name, process in PROCESSES.items()
    ],
)
def test_the_predictor_is_exported_at_any_number_of_rows_and_says_what_sampling_says(process):
    sampling = SamplingConfig(steps=3, guidance=1.5)
    config = predictor_config(UNetConfig(widths=(8, 16)), process, sampling, (1, 8, 8), CLASSES)
    predictor = build_images(config)
    randomize(predictor.net)
    check_predictor(predictor)
    latent, label = sample_normal(0, range(4), 64), torch.tensor([3, 1, 4, 1])
    drawn = draw(predictor.denoiser((label,), sampling), latent.view(4, 1, 8, 8), process, sampling)
    torch.testing.assert_close(predictor(latent, label), drawn.clamp(-1, 1) / 2 + 0.5)


def test_a_sampler_that_adds_noise_is_exported_as_one_that_does_not():
    process = PROCESSES["ddpm"]
    made = [
        build_images(
            predictor_config(UNetConfig(widths=(8, 16)), process, SamplingConfig(sampler=name, steps=3), (1, 8, 8), ())
        )
        for name in ("ddpm", "ddim")
    ]
    made[0].net.load_state_dict(randomize(made[1].net).state_dict())
    latent = sample_normal(0, range(2), 64)
    assert torch.equal(made[0](latent), made[1](latent))


def test_levels_fall_to_the_image_and_a_chain_of_noise_alone_refuses_a_net_that_says_the_noise():
    with pytest.raises(UserError, match="divided by 0"):
        ProcessConfig(path="variance-preserving", zero_terminal_snr=True, prediction="noise")
    with pytest.raises(UserError, match="Log-normal"):
        ProcessConfig(times="log-normal")


# ---- commands ----------------------------------------------------------------------------------------------------


def test_sample_writes_a_grid_files_and_a_film_that_ends_with_them(trained, diffusion, tmp_path):
    run = trained("flow")
    words = ["--n", 10, "--files", "--film", "--steps", 4, "--out", tmp_path, "--seed", 3]
    assert diffusion("sample", run, *words) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(["film-seed3.gif", "grid-seed3.png", *(f"seed3-{i:05d}-{i}.png" for i in range(10))])
    with Image.open(tmp_path / "film-seed3.gif") as film, Image.open(tmp_path / "grid-seed3.png") as grid:
        frames = [frame.convert("L").copy() for frame in ImageSequence.Iterator(film)]
        assert film.n_frames >= 4
        last = torch.tensor(list(frames[-1].get_flattened_data())).view(frames[-1].height, frames[-1].width)
        whole = torch.tensor(list(grid.convert("L").get_flattened_data())).view(grid.height, grid.width)
        assert (last[:, -grid.width :].int() - whole.int()).abs().max() <= 1


def test_sample_draws_the_classes_asked_for(trained, tmp_path, diffusion):
    run = trained("flow")
    assert diffusion("sample", run, "--labels", 3, 7, "--n", 4, "--files", "--no-grid", "--out", tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "seed0-00000-3.png", "seed0-00001-7.png", "seed0-00002-3.png", "seed0-00003-7.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--labels", "x"], "no class 'x'"),
        (["--n", 0], "--n is 0"),
        (["--steps", 0], "at least 1"),
        (["--steps", 5000], "gain nothing"),
        (["--guidance", -1], "at least 0"),
        (["--no-grid"], "nothing to write"),
        (["--columns", 0], "at least 1"),
    ],
)
def test_mistakes_get_a_sentence_and_lose_nothing(trained, diffusion, capsys, tmp_path, words, message):
    assert diffusion("sample", trained("flow"), "--out", tmp_path, *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_without_classes_draws_and_refuses_classes_and_guidance(trained, diffusion, capsys, tmp_path):
    run = trained("ddpm")
    assert diffusion("sample", run, "--n", 4, "--steps", 3, "--out", tmp_path) == 0
    for words in (["--labels", "3"], ["--guidance", 2]):
        assert diffusion("sample", run, "--out", tmp_path / "more", *words) == 2
    errors = " ".join(capsys.readouterr().err.split())
    assert "knows no classes" in errors
    assert "nothing for --guidance to strengthen" in errors


def test_evaluate_writes_scores_copies_and_the_loss_by_level(trained, diffusion, capsys):
    run = trained("flow")
    assert diffusion("evaluate", run, "--n", 32, "--steps", 2) == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("fd_digits64", "label_accuracy", "copy_share_pixels", "real images"))
    assert {path.name for path in (run / "evaluation").iterdir()} == {"evaluation.json", "copies.png", "loss.png"}


def test_copies_names_the_share_of_real_images(trained, diffusion, capsys, tmp_path):
    assert diffusion("copies", trained("flow"), "--n", 20, "--steps", 2, "--out", tmp_path / "c.png") == 0
    assert "real test images 0.050" in capsys.readouterr().out
    assert (tmp_path / "c.png").exists()


# ---- resuming ----------------------------------------------------------------------------------------------------

TRAIN = [
    "-m", "torchworks.diffusion", "train", "flow", "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1",
    "--trainer.batch-size", "8", "--trainer.steps", "40", "--trainer.eval-every", "15", "--trainer.checkpoint-every",
    "4", "--sampling.steps", "2", "--most-drawn", "16", "--loader.image-size", "16", "--net.widths", "8", "16",
]  # fmt: skip


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> list[object]:
    """Words of a command that trains on so few images that drawing as many takes no time."""
    folder = tmp_path_factory.mktemp("few")
    noise = np.random.default_rng(0).integers(0, 256, (80, 16, 16), dtype=np.uint8)
    for i, image in enumerate(noise):
        path = folder / str(i % 4) / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return ["--data", f"folder:{folder}"]


@pytest.mark.slow
def test_a_run_killed_and_resumed_ends_with_the_very_same_weights(tmp_path, few):
    killed_and_resumed([*TRAIN, *few], tmp_path)


DIT = [
    *TRAIN[:3], "dit", *TRAIN[4:-3], "--net.embed-dim", "16", "--net.depth", "2", "--net.num-heads", "2",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "strategy"),
    [pytest.param(TRAIN, "ddp", id="U-Net, DDP", marks=pytest.mark.long), pytest.param(DIT, "fsdp", id="DiT, FSDP2")],
)
def test_two_processes_train_like_one_with_the_doubled_batch(tmp_path, few, words, strategy):
    common = [*words, *few, "--trainer.steps", "10", "--optim.schedule", "constant", "--optim.lr", "1e-3"]
    two = [*common, "--strategy", strategy, "--trainer.batch-size", 8, "--out", tmp_path / "two"]
    finish(start(*two, launcher=BETWEEN_TWO))
    finish(start(*common, "--trainer.batch-size", 16, "--out", tmp_path / "one"))
    one, two = (read_lines(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    losses, theirs = ([line["train/loss"] for line in lines if line["kind"] == "train"] for lines in (one, two))
    assert len(losses) == 10
    assert losses == pytest.approx(theirs, rel=1e-4)


def test_levels_are_plain_numbers():
    assert Level(0.6, 0.8, 500.0).log_snr == pytest.approx(-0.2877, abs=1e-4)
