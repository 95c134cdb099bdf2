"""A model that learns to draw in one step: what it learns from, what a step of it is, what it refuses."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from torchworks.diffusion import open_drawer
from torchworks.diffusion.few_step.config import FewStepConfig, PairsConfig, TeacherConfig
from torchworks.diffusion.few_step.task import FewStepTask
from torchworks.diffusion.few_step.teacher import opened_teacher, pairs_of
from torchworks.diffusion.models.config import UNetConfig
from torchworks.diffusion.models.unet import UNet
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.numbers.stream import StepRandom, sample_normal
from torchworks.shared.testing import randomize

LITTLE = [
    "--teacher.steps", 3, "--teacher.batch-size", 8, "--pairs.count", 24, "--pairs.steps", 2, "--most-drawn", 16,
    "--sampling.steps", 1, "--sampling.sampler", "euler", "--trainer.checkpoint-every", 2,
]  # fmt: skip


def config(**more) -> FewStepConfig:
    return FewStepConfig(loader=ImageConfig(image_size=16), net=UNetConfig(widths=(8, 16)), **more)


def test_at_noise_alone_the_model_learns_the_line_from_noise_to_the_image_made_of_it():
    net = randomize(UNet(1, widths=(8, 16), num_classes=10, fold=2))
    task = FewStepTask(net, config(at_noise=1.0), image_shape=(1, 8, 8), num_classes=10)
    task.random = StepRandom(0)
    noise, image = sample_normal(0, range(4), 1, 8, 8), sample_normal(1, range(4), 1, 8, 8)
    label = torch.tensor([0, 3, 10, 7])
    loss = task.loss("train", {"noise": noise, "image": image, "label": label}).loss
    expected = (net(noise, torch.full((4,), 1000.0), label) - (noise - image)).square().mean()
    torch.testing.assert_close(loss, expected)


def test_one_step_is_one_evaluation_of_the_net(trained):
    """float32"""
    predictor = open_drawer(trained("few-step", *LITTLE)).predictor
    latent, label = sample_normal(0, range(3), 256), torch.tensor([2, 0, 9])
    x = latent.view(3, 1, 16, 16)
    with torch.no_grad():
        drawn = x - predictor.net(x, torch.full((3,), 1000.0), label)
        torch.testing.assert_close(predictor(latent, label), drawn.clamp(-1, 1) / 2 + 0.5)
    assert predictor.denoising is not None
    assert (predictor.denoising.drawing.steps, predictor.denoising.drawing.guidance) == (1, 1.0)


def test_a_run_is_scored_beside_its_teacher_and_has_no_loss_at_levels_it_never_saw(trained, diffusion, capsys):
    run = trained("few-step", *LITTLE)
    scores = json.loads((run / "result.json").read_text())
    assert {f"fd_digits64_teacher_{steps}" for steps in (1, 2, 4)} <= scores.keys()
    assert {f"fd_digits64_steps_{steps}" for steps in (2, 4)} <= scores.keys()
    assert diffusion("evaluate", run, "--n", 16) == 0
    assert "copy_share_pixels" in capsys.readouterr().out
    assert {path.name for path in (run / "evaluation").iterdir()} == {"evaluation.json", "copies.png"}


def test_pairs_are_noise_and_what_the_teacher_makes_of_it_some_of_them_of_no_class(trained):
    run = trained("flow")
    settings = config(
        class_dropout=0.25, teacher=TeacherConfig(str(run)), pairs=PairsConfig(8, "euler", steps=2, guidance=3.0)
    )
    device, source = choose("cpu", "fp32", "off"), open_source(settings.data, settings.loader)
    teacher = opened_teacher(settings, (1, 16, 16), tuple("0123456789"), device)
    found, again = (pairs_of(settings, teacher, source, device).tensors for _ in range(2))
    assert all(torch.equal(found[name], again[name]) for name in ("noise", "image", "label"))
    noise, label = found["noise"], found["label"]
    assert (label == 10).tolist() == [True, True] + [False] * 6

    def velocity(x: torch.Tensor, time: float) -> torch.Tensor:
        told, free = (teacher.predictor.net(x, torch.full((8,), time), y) for y in (label, torch.full((8,), 10)))
        return free + 3.0 * (told - free)

    with torch.no_grad():
        half = noise - velocity(noise, 1000.0) / 2
        torch.testing.assert_close(found["image"], half - velocity(half, 500.0) / 2, rtol=1e-4, atol=1e-5)


def test_the_net_is_as_large_as_that_of_the_teacher_it_is_given(trained):
    run = trained("few-step", "--teacher.run", trained("flow"), "--net.widths", 32, 64, *LITTLE[4:])
    assert json.loads((run / "model.json").read_text())["config"]["net"]["widths"] == [8, 16]


def test_a_run_that_was_killed_goes_on_to_the_very_same_weights(trained, diffusion, tmp_path):
    """The teacher is trained again, to the same weights."""
    whole = trained("few-step", *LITTLE)
    killed = tmp_path / "killed"
    shutil.copytree(whole, killed)
    shutil.rmtree(killed / "checkpoints" / "step-00000004")
    for name in ("result.json", "model.safetensors", "model.json"):
        (killed / name).unlink()
    assert diffusion("train", "--resume", killed) == 0
    ours, theirs = (load_file(run / "model.safetensors") for run in (killed, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("recipe", "size", "classes", "message"),
    [
        ("ddpm", 16, "0123456789", "cannot learn"),
        ("flow", 16, "", "draws the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, but"),
        ("flow", 8, "0123456789", "draws images of the shape 1×16×16, but"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(trained, recipe, size, classes, message):
    settings = config(teacher=TeacherConfig(str(trained(recipe))))
    with pytest.raises(UserError, match=message):
        opened_teacher(settings, (1, size, size), tuple(classes), choose("cpu", "fp32", "off"))


def test_a_model_of_straight_lines_has_no_other_path():
    with pytest.raises(UserError, match="straight line"):
        config(process=ProcessConfig(path="variance-preserving"))
    assert config(sampling=SamplingConfig(steps=1)).process.path == "flow"
