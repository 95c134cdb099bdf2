"""The recipe `speed`: its answers, its learning rates, its resume, from the command line to a predictor."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.airbench import airbench94
from torchworks.cnn_vision.speedrun.build import some_images
from torchworks.cnn_vision.speedrun.config import SpeedConfig
from torchworks.cnn_vision.speedrun.predictor import build_speed
from torchworks.cnn_vision.speedrun.task import Speed, parameter_groups
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig
from torchworks.shared.data import ResidentLoader, TensorDataset, flip, open_source, resident, shift
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.training import checkpoint
from torchworks.shared.training.trainer import Trainer

NARROW = (8, 8, 8)
OPTIMIZERS = ("muon", "sgd", "adamw")


def config(**options) -> SpeedConfig:
    return SpeedConfig(widths=NARROW, head_lr=0.2, bias_lr=0.5, optim=OptimConfig(lr=0.05), **options)


def batch(n: int = 8) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"image": torch.randn(n, 3, 16, 16, generator=generator), "label": torch.arange(n) % 3}


def task(whitening_steps: float = 2, **options) -> Speed:
    torch.manual_seed(0)
    return Speed(airbench94(num_classes=3, widths=NARROW), 3, config(**options), whitening_steps)


def pictures() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (48, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return TensorDataset({"image": images, "label": torch.arange(48) % 3})


def trainer(steps: int, folder=None, optimizer: str = "muon") -> Trainer:
    loader = ResidentLoader(pictures(), 16, augment=[flip(), shift(2)])
    settings = TrainerConfig(steps=steps, device="cpu", precision="fp32", checkpoint_every=3)
    schedule = OptimConfig(lr=0.05, schedule="linear", warmup=2)
    return Trainer(task(4, optimizer=optimizer), loader, config=settings, optim=schedule, folder=folder)


# ---- the task --------------------------------------------------------------------------------------------


def test_kernels_matrices_and_biases_have_their_own_learning_rates_and_only_biases_do_not_decay():
    net = airbench94(num_classes=3, widths=NARROW)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    kernels, matrices, biases = parameter_groups(net, config(weight_decay=0.1))
    assert [group["lr"] for group in (kernels, matrices, biases)] == [0.05, 0.2, 0.5]
    assert [group["weight_decay"] for group in (kernels, matrices, biases)] == [0.1, 0.1, 0.0]
    assert all("conv" in names[id(parameter)] for parameter in kernels["params"])
    assert [names[id(parameter)] for parameter in matrices["params"]] == ["head.weight"]
    assert all(names[id(parameter)].endswith("bias") for parameter in biases["params"])
    assert sum(map(len, (kernels["params"], matrices["params"], biases["params"]))) == 6 + 1 + 7


def test_learning_rates_that_are_not_given_are_that_of_the_kernels():
    groups = parameter_groups(airbench94(widths=NARROW), SpeedConfig(optim=OptimConfig(lr=0.3)))
    assert [group["lr"] for group in groups] == [0.3, 0.3, 0.3]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_learns_the_training_images(optimizer):
    torch.manual_seed(0)
    ours, data = task(optimizer=optimizer, label_smoothing=0.0), batch()
    steps = ours.optimizer("model")
    losses = []
    for _ in range(30):
        steps.zero_grad()
        losses.append(ours.loss("train", data).loss)
        losses[-1].backward()
        steps.step()
    assert losses[-1] < 0.8 * losses[0]


def test_the_biases_of_the_whitening_stay_after_their_steps():
    ours, data = task(whitening_steps=2), batch()
    optimizer, seen = ours.optimizer("model"), []
    for ours.step in range(4):
        optimizer.zero_grad()
        ours.loss("train", data).loss.backward()
        optimizer.step()
        seen.append(ours.model.whitening.bias.detach().clone())
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[1], seen[2])
    assert torch.equal(seen[2], seen[3])


def test_test_time_augmentation_is_the_mean_of_the_probabilities_over_mirror_images():
    ours, data = task(tta=True), batch()
    ours.model.eval()
    with torch.no_grad():
        x = data["image"]
        mean = (ours.model(x).softmax(1) + ours.model(x.flip(-1)).softmax(1)) / 2
        total, count = ours.evaluate(data)["nll"]
    expected = -mean[torch.arange(len(x)), data["label"]].log().mean()
    torch.testing.assert_close(total / count, expected)
    share = (mean.argmax(1) == data["label"]).float().mean().item()
    assert ours.scores.compute()["accuracy"] == pytest.approx(share)
    assert type(ours.model).__name__ == "AirNet"


def test_a_predictor_with_test_time_augmentation_answers_a_mirror_image_alike():
    plain = {"model": "airbench94", "image_size": 16, "channels": 3, "classes": ["a", "b"], "small_images": True,
             "drop_rate": None, "mean": [0.5] * 3, "std": [0.5] * 3, "options": {"widths": list(NARROW)}}  # fmt: skip
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    torch.manual_seed(0)
    mirrored, single = build_speed(plain | {"tta": True}).eval(), build_speed(plain | {"tta": False}).eval()
    single.net.load_state_dict(mirrored.net.state_dict())
    torch.testing.assert_close(mirrored(images), mirrored(images.flip(-1)))
    torch.testing.assert_close(mirrored(images), (single(images) + single(images.flip(-1))) / 2)
    assert mirrored.signature == single.signature


def test_the_images_that_whiten_come_from_all_over_the_data_as_the_net_gets_them():
    images = torch.arange(5000).view(-1, 1, 1, 1).div(20, rounding_mode="floor").to(torch.uint8).expand(-1, 1, 2, 2)
    found = some_images(TensorDataset({"image": images.contiguous(), "label": torch.zeros(5000, dtype=torch.int64)}))
    assert 500 < len(found) <= 1024
    assert (found.min(), found[-1].max() > 0.9) == (-1, True)


# ---- resume ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_training_ends_with_the_same_weights_and_the_same_momentum(optimizer, tmp_path):
    folders = [tmp_path / name for name in ("straight", "halves")]
    trainer(7, folders[0], optimizer).fit()
    trainer(7, folders[1], optimizer).fit()
    late = checkpoint.path_of(folders[1] / "checkpoints", 7)
    (late / "state.pt").unlink()  # as if it had been killed while it wrote the last one
    saved, problems = checkpoint.newest(folders[1] / "checkpoints")
    assert (saved.step, len(problems)) == (6, 1)
    trainer(7, folders[1], optimizer).fit(saved)
    ends = [checkpoint.load(checkpoint.path_of(folder / "checkpoints", 7)) for folder in folders]
    torch.testing.assert_close(ends[0].nets, ends[1].nets, rtol=0, atol=0)
    torch.testing.assert_close(ends[0].state["optimizers"], ends[1].state["optimizers"], rtol=0, atol=0)


# ---- the command line ------------------------------------------------------------------------------------


def vision(*words) -> int:
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three steps on the digits in colour."""
    folder = tmp_path_factory.mktemp("runs") / "001"
    short = ("--steps", 3, "--trainer.batch-size", 16, "--widths", 8, 8, 8, "--loader.image-size", 16, "--tta")
    assert vision("train", "speed", *short, "--device", "cpu", "--precision", "fp32", "--out", folder) == 0
    return folder


def test_a_run_has_its_scores_and_a_model_that_replays_its_example(run):
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 3
    assert 0.9 < result["accuracy_baseline"] < 1
    assert check_golden(run) < 1e-4
    assert type(load_predictor(run)).__name__ == "MirroredPredictor"


def test_its_model_predicts_and_explains(run, tmp_path, capsys):
    path = tmp_path / "digit.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    assert vision("predict", run, path, "--top", 2) == 0
    assert capsys.readouterr().out.count("%") == 2
    assert vision("explain", run, path, "--out", tmp_path / "own") == 0
    assert (tmp_path / "own" / "explanations.png").is_file()


def test_the_score_of_a_run_is_that_of_its_predictor(run):
    test = resident(open_source("digits", ImageConfig(image_size=16, channels=3)).test).tensors
    with torch.no_grad():
        found = load_predictor(run)(test["image"]).argmax(1)
    right = (found == test["label"]).float().mean().item()
    assert right == pytest.approx(json.loads((run / "result.json").read_text())["accuracy"], abs=0.005)


def test_another_architecture_can_be_trained_the_same_way():
    net = create_model("resnet20", num_classes=3)
    kernels, matrices, _ = parameter_groups(net, config())
    assert {parameter.ndim for parameter in kernels["params"]} == {4}
    assert len(matrices["params"]) == 1
    ours = Speed(net, 3, config(), 2)
    optimizer = ours.optimizer("model")
    ours.loss("train", batch(4)).loss.backward()
    optimizer.step()
    assert all(parameter.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--head-lr", "-1"], "--head-lr must be at least 0, but it is -1.0"),
        (["--kernel-momentum", "1"], "--kernel-momentum must be at least 0 and below 1"),
        (["--widths", "8", "0", "8"], "--widths must be at least 1, but it is (8, 0, 8)"),
        (["--strategy", "fsdp"], "Muon needs whole kernels"),
        (["--loader.image-size", "8"], "9 pixels or more"),
    ],
)
def test_what_cannot_be_is_said_in_one_paragraph_and_leaves_no_run(words, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert vision("train", "speed", *words, "--device", "cpu", "--out", out) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not out.exists()
