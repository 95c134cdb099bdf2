"""The training of InfoGAN: information in both players' losses, scores of the code, sweeps, a resume that changes
nothing."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.gans import InfoGANDiscriminator, InfoGANGenerator, InfoGANTask
from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.codes.baselines import clusters_of_pixels
from torchworks.gans.codes.config import InformationConfig
from torchworks.gans.codes.metrics import CodeScores, matched_accuracy
from torchworks.gans.codes.recipes import infogan
from torchworks.gans.codes.traits import correlation_within, traits_of
from torchworks.gans.commands import COMMANDS
from torchworks.gans.models.config import DCGANNet, InfoGANNet
from torchworks.gans.models.infogan import category_bound, number_bound
from torchworks.gans.noise.predictor import build_generator, generator_config, open_generator
from torchworks.gans.noise.recipes import dcgan
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, TrainerConfig, UserError, to_dict
from torchworks.shared.data import open_source
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.runs.directory import write_json
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.checkpoint import Checkpoint, load, path_of
from torchworks.shared.training.trainer import Trainer

SMALL = {"width": 4, "max_channels": 8, "kernel_size": 4}


def task(information: InformationConfig | None = None, **options) -> InfoGANTask:
    torch.manual_seed(0)
    made = InfoGANTask(
        InfoGANGenerator(16, 1, latent_dim=9, categories=4, numbers=2, **SMALL),
        InfoGANDiscriminator(16, 1, categories=4, numbers=2, **SMALL),
        AdversarialConfig(**options),
        information=information or InformationConfig(),
        lr=1e-3,
    )
    made.random = StepRandom(0)
    return made


def images(n: int = 8) -> torch.Tensor:
    return torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


@pytest.mark.parametrize("phase", ["d", "g"])
def test_both_players_raise_the_information_on_the_code_that_was_drawn(phase):
    free, told = task(InformationConfig(category=0.0, numbers=0.0)), task(InformationConfig(category=2.0, numbers=0.5))
    seen = []
    told.discriminator.register_forward_hook(lambda module, given, out: seen.append(out))
    told.generator.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    a, b = (made.loss(phase, {"image": images()}) for made in (free, told))
    z, guess = seen
    guess = guess if phase == "g" else type(guess)(*(part[8:] for part in guess))
    code = told.generator.code_of(z)
    expected = a.loss - 2.0 * category_bound(guess, code) - 0.5 * number_bound(guess, code)
    torch.testing.assert_close(b.loss, expected)
    torch.testing.assert_close(b.logs["category_nats"], category_bound(guess, code).detach())


def test_a_short_training_makes_the_category_readable():
    made = task(InformationConfig(category=1.0, numbers=0.0), reuse=True)
    settings = TrainerConfig(steps=60, batch_size=32, device="cpu", precision="fp32")
    before = made.loss("g", {"image": images(32)}).logs["category_nats"].item()
    Trainer(made, [{"image": images(32)}] * 60, None, settings).fit()
    made.random.at("after")
    after = made.loss("g", {"image": images(32)}).logs["category_nats"].item()
    assert before < 0.1
    assert after > math.log(4) / 2


def trained(made: InfoGANTask, folder: Path, steps: int, resume: Checkpoint | None = None) -> Checkpoint:
    """The last checkpoint of a training of `steps` steps."""
    settings = TrainerConfig(steps=steps, batch_size=8, device="cpu", precision="fp32", ema=0.5)
    Trainer(made, [{"image": images()}] * 20, None, settings, folder=folder).fit(resume)
    return load(path_of(folder / "checkpoints", steps))


def test_a_training_that_is_resumed_ends_like_a_whole_one_bit_for_bit(tmp_path):
    whole = trained(task(reuse=True), tmp_path / "whole", 4)
    half = trained(task(reuse=True), tmp_path / "half", 2)
    resumed = trained(task(reuse=True), tmp_path / "resumed", 4, half)
    for name, net in whole.nets.items():
        assert all(torch.equal(value, resumed.nets[name][key]) for key, value in net.items()), name


@pytest.mark.long
def test_a_killed_run_ends_like_a_whole_one_bit_for_bit(tmp_path):
    words = [
        "train", "infogan", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "5",
        "--trainer.batch-size", "24", "--trainer.eval-every", "20", "--device", "cpu", "--precision", "fp32",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.gans", *words], tmp_path)


def test_penalties_and_comparisons_are_refused():
    with pytest.raises(UserError, match="without penalties"):
        type(infogan())(adversarial=AdversarialConfig(loss="relativistic"))


# ---- scores ----------------------------------------------------------------------------------------------


def test_categories_are_matched_with_classes_as_well_as_can_be():
    assert matched_accuracy(np.array([2, 2, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2])) == 1
    assert matched_accuracy(np.array([0, 0, 0, 0]), np.array([0, 1, 2, 3])) == 0.25
    assert matched_accuracy(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 0, 0, 0])) == pytest.approx(4 / 6)


def test_scores_of_the_code_are_perfect_for_renamed_classes_and_left_out_without_any():
    scores, classes = CodeScores(), torch.arange(40) % 4
    assert scores.compute() == {}
    scores.update((classes + 1) % 4, classes)
    assert scores.compute() == pytest.approx({"code_accuracy": 1.0, "code_nmi": 1.0})
    scores.update_real(torch.zeros(40, dtype=torch.long), classes)
    assert scores.compute()["recognized_accuracy"] == 0.25
    assert scores.compute()["recognized_nmi"] == 0


def test_k_means_of_pixels_tells_digits_apart_better_than_chance():
    source = open_source("digits", ImageConfig(image_size=16))
    scores = clusters_of_pixels(source, 10, 0)
    assert 0.6 < scores["recognized_accuracy_baseline"] < 0.95
    assert 0.6 < scores["recognized_nmi_baseline"] < 0.95


def bar(slant: float, width: float, size: int = 64) -> torch.Tensor:
    """A bar of this width that leans by `slant` pixels for each of its height, (1, 1, size, size)."""
    y, x = torch.meshgrid(torch.arange(size) - size / 2 + 0.5, torch.arange(size) - size / 2 + 0.5, indexing="ij")
    inside = ((x + slant * y).abs() < width / 2) & (y.abs() < size * 0.3)
    return inside.float()[None, None]


def test_slant_and_stroke_width_are_those_of_a_drawn_bar():
    found = traits_of(torch.cat([bar(0.0, 6), bar(0.4, 6), bar(-0.4, 6), bar(0.0, 12)]))
    assert found["slant"].tolist() == pytest.approx([0, 0.4, -0.4, 0], abs=0.02)
    assert found["stroke width"][0].item() == pytest.approx(6, rel=0.2)
    assert found["stroke width"][3].item() == pytest.approx(12, rel=0.3)
    assert found["breadth"][3] > 1.8 * found["breadth"][0]
    assert all(torch.isfinite(values).all() for values in traits_of(torch.zeros(2, 1, 8, 8)).values())


def test_correlations_do_not_count_what_groups_differ_in():
    groups = torch.arange(40) % 2
    numbers = torch.linspace(-1, 1, 40)
    assert correlation_within(numbers, 3 * numbers + 100 * groups, groups) == pytest.approx(1)
    assert correlation_within(groups.float(), groups * 5.0, groups) == 0


# ---- the command sweep -----------------------------------------------------------------------------------


def saved(folder: Path, config, net) -> Path:
    """What a finished run leaves, as far as commands read it."""
    torch.manual_seed(0)
    plain = generator_config(net, 16, 1, ())
    predictor = build_generator(plain)
    golden = {"latent": torch.randn(2, net.latent_dim)}
    if isinstance(net, InfoGANNet):
        golden |= {"category": torch.tensor([0, 1]), "number_1": torch.tensor([-2.0, 0.5])}
        golden["number_2"] = torch.tensor([0.1, -2.0])
    folder.mkdir()
    TrainedModel(builder="gans-generator", config=plain, net=predictor.net, golden=golden).save(folder, config, ())
    write_json(folder / "config.json", {"package": config.package, **to_dict(config)})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    net = InfoGANNet(latent_dim=9, width=4, discriminator_width=4, categories=4)
    return saved(tmp_path_factory.mktemp("runs") / "coded", infogan(), net)


def gans(*words):
    return main("gans", default="dcgan", commands=COMMANDS, arguments=[str(word) for word in words])


def test_sweep_draws_a_table_for_each_part_of_the_code_and_measures(run, tmp_path, capsys):
    assert gans("sweep", run, "--rows", 3, "--columns", 5, "--n", 100, "--out", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [str(tmp_path / f"{name}.png") for name in ("categories", "number_1", "number_2")]
    assert [line.split()[0] for line in lines[3:]] == ["correlation", "number_1", "number_2"]
    shapes = []
    for line in lines[:3]:
        with Image.open(line) as image:
            shapes.append(image.size)
    assert shapes == [(4 * 66 + 2, 3 * 66 + 2), (5 * 66 + 2, 4 * 66 + 2), (5 * 66 + 2, 4 * 66 + 2)]
    assert gans("sweep", run, "--out", tmp_path) == 2
    assert "exists already" in " ".join(capsys.readouterr().err.split())


def test_images_from_noise_alone_have_the_code_that_their_latent_vector_holds(run):
    generator = open_generator(run, "cpu")
    z = generator.latents(0, range(6))
    category = generator.run.predictor.net.code_of(z).category + 1
    assert torch.equal(generator.draw(z, None), generator.draw(z, None, code={"category": category}))
    assert gans("sample", run, "--n", 4) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--columns", 1], "--columns is 1; it must be from 2 to 32"),
        (["--n", 5], "--n is 5; it must be from 100 to 100,000"),
        (["--reach", 3], "--reach is 3; it must be above 0 and at most 2"),
    ],
)
def test_mistakes_get_one_paragraph(run, tmp_path, capsys, words, told):
    assert gans("sweep", run, "--out", tmp_path / "out", *words) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_what_has_no_code_is_refused(tmp_path, capsys):
    plain = saved(tmp_path / "plain", dcgan(), DCGANNet(latent_dim=6, width=4, discriminator_width=4))
    assert gans("sweep", plain, "--out", tmp_path / "out") == 2
    assert "whose generator has no code" in " ".join(capsys.readouterr().err.split())
