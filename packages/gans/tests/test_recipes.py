"""From recipe to task to predictor: what every GAN of this package promises when it is trained and packed."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from torchworks.gans import DCGANDiscriminator, DCGANGenerator, GanTask, R3GANDiscriminator, R3GANGenerator
from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.models.config import SIZES, resolutions_of, stages_of
from torchworks.gans.noise.task import to_latent
from torchworks.shared.config import ImageConfig, TrainerConfig, UserError, find_recipe, from_dict, recipes, to_dict
from torchworks.shared.data import ResidentLoader, TensorDataset, open_source
from torchworks.shared.fidelity import FeatureSpace, Fidelity
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom, sample_normal
from torchworks.shared.training.checkpoint import Checkpoint, load, path_of
from torchworks.shared.training.experiment import build
from torchworks.shared.training.trainer import Trainer

GANS = ["dcgan", "dcgan-mnist", "dcgan-paper", "cgan", "cgan-mnist", "r3gan", "stylegan2"]
GANS += ["wgan-gp", "infogan", "biggan", "stylegan2-mnist"]
TRANSLATORS = ["cyclegan", "pix2pix"]
SWAPPERS = ["face-swap", "swap-detector"]
ENLARGERS = ["esrgan", "srgan", "srresnet", "srresnet-x2"]


class Pixels(FeatureSpace):
    """A feature space that needs no training: 4 × 4 means, and a class by brightness."""

    name, classes = "pixels", tuple("0123456789")

    def __init__(self):
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, images):
        features = nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        level = ((features.mean(1) + 1) * 5).clamp(0, 9).long()
        return features, nn.functional.one_hot(level, 10).float()

    def logits(self, images):
        return self(images)[1]


@pytest.fixture
def untrained_judge(monkeypatch):
    """Experiments without the seconds it takes to train a judge."""
    for module in ("noise.experiment", "translation.build"):
        monkeypatch.setattr(f"torchworks.gans.{module}.judge_for", lambda *args, **kwargs: Pixels())


def tiny(name: str, **trainer):
    """A recipe with its nets shrunk."""
    config = find_recipe("gans", name)()
    narrow = {"width": 4, "discriminator_width": 4, "blocks": 1, "max_channels": 8, "group_size": 2, "latent_dim": 6}
    narrow |= {"style_dim": 8}
    net = replace(config.net, **{key: value for key, value in narrow.items() if hasattr(config.net, key)})
    settings = replace(TrainerConfig(batch_size=8, device="cpu", precision="fp32"), **trainer)
    return replace(config, net=net, trainer=settings)


def r3gan_task(**options) -> GanTask:
    torch.manual_seed(0)
    small = {"width": 4, "max_channels": 8, "blocks": 1, "group_size": 4}
    nets = R3GANGenerator(16, 1, latent_dim=6, **small), R3GANDiscriminator(16, 1, **small)
    for net in nets:
        for parameter in net.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    task = GanTask(*nets, AdversarialConfig(**options), latent_dim=6)
    task.random = StepRandom(0)
    return task


def images(n: int = 6) -> torch.Tensor:
    return torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


# ---- recipes ---------------------------------------------------------------------------------------------


def test_every_recipe_is_announced_and_says_what_it_is():
    found = recipes("gans")
    assert set(found) == {*GANS, *TRANSLATORS, *ENLARGERS, *SWAPPERS}
    for name, recipe in found.items():
        assert recipe().recipe == name
        assert f"gans train {name}" in recipe.__doc__
        assert from_dict(type(recipe()), to_dict(recipe())) == recipe()


def test_recipes_are_read_without_importing_torch():
    code = "import sys, torchworks.gans.noise.recipes, torchworks.gans; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_offers_its_parts_by_name():
    import torchworks.gans as gans

    for name in gans.__all__:
        assert getattr(gans, name) is not None
    with pytest.raises(AttributeError, match="attribute DCGANGenerater"):
        gans.DCGANGenerater  # noqa: B018


@pytest.mark.parametrize("name", GANS + TRANSLATORS)
def test_a_recipe_trains_evaluates_draws_and_packs_a_model_that_loads(name, untrained_judge, tmp_path):
    torch.manual_seed(0)
    config = tiny(name, steps=2, ema=0.9)
    experiment = build(config)
    trained = experiment.task.nets()[experiment.task.exported[0]]
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    settings = TrainerConfig(steps=2, batch_size=8, device="cpu", precision="fp32")
    result = Trainer(experiment.task, experiment.train, experiment.select, settings).fit()
    assert result.steps == 2
    assert experiment.task.watch in result.scores
    after = trained.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    for picture in experiment.task.preview().values():
        assert picture.dtype == torch.uint8
        assert picture.shape[0] == 3
    (model,) = experiment.models
    model.save(tmp_path, config, experiment.sources)
    assert check_golden(tmp_path) < 1e-4
    outputs = load_predictor(tmp_path).predict(example(load_predictor(tmp_path).signature))
    assert outputs["image"].shape[-2:] == (config.loader.image_size, config.loader.image_size)
    assert outputs["image"].min() >= 0
    assert outputs["image"].max() <= 1


def example(signature) -> dict[str, torch.Tensor]:
    """Three rows of what the signature asks for."""
    rows = {}
    for spec in signature.inputs:
        shape = [3 if isinstance(size, str) else size for size in spec.shape]
        if spec.dtype == "float32":
            rows[spec.name] = torch.rand(shape)
        else:
            rows[spec.name] = torch.randint(0, 10, shape).to(getattr(torch, spec.dtype))
    return rows


def test_baselines_say_what_real_test_images_and_untranslated_ones_score(untrained_judge):
    floors = build(tiny("dcgan")).baselines()
    assert floors["fd_pixels_floor"] < 0.1
    assert floors["precision_real"] > 0.5
    assert floors["fd_pixels_baseline"] > 2 * floors["fd_pixels_floor"]
    untranslated = build(tiny("cyclegan")).baselines()
    assert set(untranslated) == {"label_kept_ab_baseline", "label_kept_ba_baseline", "label_kept_baseline"}
    inputs = build(tiny("pix2pix")).baselines()
    assert inputs["l1_baseline"] > 0
    assert 0 <= inputs["label_read_baseline"] <= 1


def test_unpaired_domains_come_in_orders_of_their_own(untrained_judge):
    batch = next(build(tiny("cyclegan")).train.iter_from(0))
    assert not torch.equal(batch["a_index"], batch["b_index"])
    assert (batch["a_label"] != batch["b_label"]).any()


@pytest.mark.parametrize(("use_labels", "planes"), [(True, 10), (False, 0)])
def test_critics_are_told_the_class_where_both_domains_have_the_same_classes(untrained_judge, use_labels, planes):
    experiment = build(replace(tiny("cyclegan"), use_labels=use_labels))
    assert experiment.task.num_classes == planes
    assert experiment.task.critics.a.layers[0].in_channels == 1 + planes


@pytest.mark.parametrize(
    ("name", "section", "setting", "value", "words"),
    [
        ("dcgan", "net", "width", 0, "--net.width must be at least 1"),
        ("dcgan", "net", "latent_dim", 0, "--net.latent-dim must be at least 1"),
        ("dcgan", "adversarial", "r1", float("nan"), "--adversarial.r1 must be at least 0"),
        ("dcgan", "adversarial", "discriminator_lr", -1.0, "--adversarial.discriminator-lr must be above 0"),
        ("dcgan", "adversarial", "betas", (1.5, 0.9), "--adversarial.betas must be at least 0 and below 1"),
        ("dcgan", "doctor", "patience", 0, "--doctor.patience must be at least 1"),
        ("cyclegan", "", "cycle_weight", -1.0, "--cycle-weight must be at least 0"),
        ("pix2pix", "net", "blocks", -1, "--net.blocks must be at least 0"),
    ],
)
def test_numbers_that_make_no_sense_are_told_by_the_option_that_sets_them(name, section, setting, value, words):
    config = tiny(name)
    with pytest.raises(UserError, match=re.escape(words)):
        replace(getattr(config, section) if section else config, **{setting: value})


# ---- the game --------------------------------------------------------------------------------------------


def test_phases_are_the_discriminators_steps_and_one_of_the_generator():
    phases = r3gan_task(discriminator_steps=3).phases
    assert [(phase.name, phase.net, phase.repeat) for phase in phases] == [
        ("d", "discriminator", 3),
        ("g", "generator", 1),
    ]


@pytest.mark.parametrize("loss", ["hinge", "non-saturating", "least-squares", "wasserstein", "relativistic"])
@pytest.mark.parametrize("penalty", [0.0, 2.0])
def test_every_loss_trains_both_nets(loss, penalty):
    task = r3gan_task(loss=loss, r1=penalty, r2=penalty, augment=("color", "translation", "cutout"))
    for phase, other in (("d", task.generator), ("g", task.discriminator)):
        trained = task.nets()[task.phases[phase == "g"].net]
        task.random.at("train", 0, phase)
        out = task.loss(phase, {"image": images()})
        gradients = torch.autograd.grad(out.loss, list(trained.parameters()), allow_unused=True, retain_graph=True)
        assert sum(gradient is not None and bool(gradient.any()) for gradient in gradients) > 3
        assert all(torch.isfinite(value) and value.ndim == 0 for value in out.logs.values())
        if phase == "d":  # the generator takes no part
            with pytest.raises(RuntimeError):
                torch.autograd.grad(out.loss, list(other.parameters()))


def test_penalties_are_gamma_half_times_the_squared_slopes():
    free, held = r3gan_task(loss="relativistic"), r3gan_task(loss="relativistic", r1=3.0, r2=5.0)
    a, b = (task.loss("d", {"image": images()}) for task in (free, held))
    expected = a.loss + 1.5 * b.logs["r1"] + 2.5 * b.logs["r2"]
    torch.testing.assert_close(b.loss, expected)
    assert b.logs["r1"] != b.logs["r2"]


@pytest.mark.parametrize("options", [
    {"loss": "hinge", "augment": ("color", "translation", "cutout")},
    {"loss": "relativistic", "r1": 1.0, "r2": 1.0},
])  # fmt: skip
@pytest.mark.parametrize("phase", ["d", "g"])
def test_micro_batches_have_the_gradient_of_the_whole_batch(options, phase):
    task = r3gan_task(**options)
    net = task.nets()[task.phases[phase == "g"].net]
    x = images(8)

    def gradient(parts):
        net.zero_grad()
        start = 0
        for part in parts:
            task.random.at("train", 3, phase, 0, rows=len(part), start=start, total=8)
            (task.loss(phase, {"image": part}).loss * len(part) / 8).backward()
            start += len(part)
        return [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None]

    for whole, summed in zip(gradient([x]), gradient([x[:3], x[3:]]), strict=True):
        torch.testing.assert_close(summed, whole, rtol=1e-3, atol=1e-5)


def dcgan_task(**options) -> GanTask:
    torch.manual_seed(0)
    nets = DCGANGenerator(16, 1, latent_dim=6, width=4), DCGANDiscriminator(16, 1, width=4, kernel_size=4)
    task = GanTask(*nets, AdversarialConfig(**options), latent_dim=6)
    task.random = StepRandom(0)
    return task


def generator_gradient(task: GanTask, batch: dict[str, torch.Tensor], other: dict | None = None) -> list[torch.Tensor]:
    """Of the phase "g" at `other` or `batch`, after that of "d" at `batch`."""
    task.random.at("train", 0, "d")
    task.loss("d", batch).loss.backward(inputs=list(task.discriminator.parameters()))
    task.random.at("train", 0, "g")
    parameters = list(task.generator.parameters())
    return list(torch.autograd.grad(task.loss("g", batch if other is None else other).loss, parameters))


def test_with_reuse_the_generator_learns_by_the_images_that_the_discriminator_saw(monkeypatch):
    task, drawn = dcgan_task(reuse=True), []
    task.generator.register_forward_hook(lambda module, given, out: drawn.append(given[0]))
    kept = generator_gradient(task, {"image": images()})
    assert len(drawn) == 1
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)  # several processes draw them once more
    again = generator_gradient(dcgan_task(reuse=True), {"image": images()})
    for a, b in zip(kept, again, strict=True):
        torch.testing.assert_close(a, b)
    monkeypatch.undo()
    others = generator_gradient(dcgan_task(), {"image": images()})
    assert any(not torch.allclose(a, b) for a, b in zip(kept, others, strict=True))


def test_with_reuse_a_part_of_a_batch_has_images_of_its_own():
    task, drawn = dcgan_task(reuse=True), []
    task.generator.register_forward_hook(lambda module, given, out: drawn.append(given[0]))
    generator_gradient(task, {"image": images()}, {"image": images()[:3]})
    assert [len(z) for z in drawn] == [6, 3]


def test_a_training_with_reuse_that_is_resumed_ends_like_a_whole_one_bit_for_bit(tmp_path):
    def trained(name: str, steps: int, resume: Checkpoint | None = None) -> Checkpoint:
        settings = TrainerConfig(steps=steps, batch_size=6, device="cpu", precision="fp32", ema=0.5)
        folder = tmp_path / name
        Trainer(dcgan_task(reuse=True), [{"image": images()}] * 20, None, settings, folder=folder).fit(resume)
        return load(path_of(folder / "checkpoints", steps))

    whole, resumed = trained("whole", 7), trained("resumed", 7, trained("half", 4))
    for name, net in whole.nets.items():
        assert all(torch.equal(value, resumed.nets[name][key]) for key, value in net.items()), name


def test_more_clusters_than_images_are_refused(untrained_judge):
    config = tiny("dcgan-mnist")
    with pytest.raises(UserError, match=r"4000 training images, fewer than --net\.clusters 4001"):
        build(replace(config, net=replace(config.net, clusters=4001)))


def test_clusters_are_found_in_the_data_before_the_training(untrained_judge):
    task = build(tiny("dcgan-mnist")).task
    shares, centers = task.generator.shares, task.discriminator.clusters.centers
    assert shares.sum().item() == pytest.approx(1)
    assert shares.min() > 0
    assert shares.std() > 0
    assert torch.equal(task.discriminator.clusters.shares, shares)
    assert len(centers.unique(dim=0)) == len(centers) == 25


def test_a_discriminator_with_batch_norm_sees_real_and_generated_images_apart():
    config = AdversarialConfig()
    for norm, calls in ("batch", 2), ("spectral", 1):
        task = GanTask(
            DCGANGenerator(16, 1, latent_dim=6, width=4),
            DCGANDiscriminator(16, 1, width=4, kernel_size=4, norm=norm),
            config,
            latent_dim=6,
        )
        task.random = StepRandom(0)
        seen = []
        task.discriminator.register_forward_hook(lambda module, given, out, seen=seen: seen.append(len(out)))
        task.loss("d", {"image": images()})
        assert seen == [6] * 2 if calls == 2 else seen == [12]


def test_diversity_is_near_one_for_a_generator_like_the_data_and_zero_for_one_image():
    task = r3gan_task()
    task.generator = nn.Module()
    task.generator.forward = lambda z: images(len(z)).flip(0)
    assert task.loss("g", {"image": images()}).logs["diversity"].item() == pytest.approx(1)
    task.generator.forward = lambda z: images(1).expand(len(z), -1, -1, -1)
    assert task.loss("g", {"image": images()}).logs["diversity"].item() == pytest.approx(0, abs=1e-4)


def test_uniform_latents_fill_minus_one_to_one_evenly():
    z = to_latent(sample_normal(0, range(2000), 10), "uniform")
    assert z.abs().max() <= 1
    assert z.mean().item() == pytest.approx(0, abs=0.02)
    assert z.var().item() == pytest.approx(1 / 3, abs=0.01)


def test_an_evaluation_says_the_same_each_time_and_scores_requested_classes(untrained_judge):
    task = build(tiny("cgan")).task
    task.fidelity = Fidelity(Pixels(), reference=torch.randn(50, 16))
    task.random = StepRandom(0)
    scores = []
    for _ in range(2):
        for number in range(2):
            task.random.at("evaluate", number)
            task.evaluate({"image": images(), "label": torch.arange(6)})
        scores.append(task.fidelity.compute())
        task.fidelity.reset()
    assert scores[0] == scores[1]
    assert "label_accuracy" in scores[0]


def test_the_preview_of_a_conditional_generator_has_a_row_for_each_class(untrained_judge):
    task = build(tiny("cgan")).task
    asked = []
    task.generator.register_forward_pre_hook(lambda module, given: asked.append(given[1]))
    first, second = task.preview()["samples"], task.preview()["samples"]
    assert torch.equal(asked[0], torch.arange(10).repeat_interleave(10))
    assert torch.equal(first, second)


def test_a_short_training_brings_a_dcgan_closer_to_the_digits():
    torch.manual_seed(0)
    config = tiny("dcgan", steps=120, batch_size=32)
    source = open_source("digits", config.loader)
    real = Pixels().features(source.train.tensors["image"].float() / 127.5 - 1)
    task = GanTask(
        DCGANGenerator(16, 1, latent_dim=6, width=16),
        DCGANDiscriminator(16, 1, width=16, kernel_size=4, norm="spectral"),
        config.adversarial,
        latent_dim=6,
        lr=2e-3,
        fidelity=Fidelity(Pixels(), reference=real),
    )
    test = ResidentLoader(source.test, 256, train=False)
    trainer = Trainer(task, ResidentLoader(source.train, 32), test, config.trainer)
    before = trainer.score(test)["fd_pixels"]
    after = trainer.fit().scores["fd_pixels"]
    assert after < before / 3


# ---- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "near"), [(24, "16 or 28"), (1, "16"), (300, "256")])
@pytest.mark.parametrize("name", ["dcgan", "cgan", "r3gan", "stylegan2", "cyclegan", "pix2pix"])
def test_a_size_that_no_network_has_is_refused_before_anything_is_opened(name, size, near):
    with pytest.raises(UserError, match=f"--loader.image-size {near};"):
        replace(tiny(name), loader=ImageConfig(image_size=size), data="folder:nowhere")


@pytest.mark.parametrize("name", ["cgan", "cyclegan"])
def test_sets_of_labels_are_refused_with_what_to_do_instead(name):
    with pytest.raises(UserError, match="Leave out --multi-label"):
        replace(tiny(name), loader=ImageConfig(image_size=16, multi_label=True), data="csv:nowhere")


def test_sizes_are_counted_in_doublings():
    assert [stages_of(size) for size in SIZES] == [2, 3, 3, 4, 5, 6]
    assert resolutions_of(28) == [28, 14, 7, 4]
    assert resolutions_of(64) == [64, 32, 16, 8, 4]


@pytest.mark.parametrize("name", ["cyclegan", "pix2pix"])
def test_a_translator_that_cannot_halve_the_image_so_often_is_refused(name):
    config = tiny(name)
    net = replace(config.net, downsamplings=3)
    with pytest.raises(UserError, match=r"--net\.downsamplings 2"):
        replace(config, net=net, loader=ImageConfig(image_size=28), data="folder:nowhere")


def picture_folder(path: Path, classes: list[str]) -> str:
    for name in classes:
        (path / name).mkdir(parents=True, exist_ok=True)
        for level in range(6):
            Image.new("L", (16, 16), 40 * level + len(name)).save(path / name / f"{level}.png")
    return f"folder:{path}"


@pytest.mark.parametrize(("classes", "found"), [([""], "no labels"), (["cats"], "only the class 'cats'")])
def test_a_conditional_gan_needs_two_classes(classes, found, tmp_path):
    loader = ImageConfig(image_size=16, root=tmp_path / "cache")
    config = replace(tiny("cgan"), data=picture_folder(tmp_path / "pictures", classes), loader=loader)
    with pytest.raises(UserError, match=found):
        build(config)


@pytest.mark.parametrize("spec", ["digits", "digits+", "digits+digits+digits"])
def test_a_translation_needs_two_domains(spec):
    with pytest.raises(UserError, match="needs two domains"):
        build(replace(tiny("cyclegan"), data=spec))


def test_penalties_and_compilation_do_not_go_together():
    config = tiny("r3gan")
    with pytest.raises(UserError, match="twice"):
        build(replace(config, trainer=replace(config.trainer, compile=True)))


def test_unlabelled_domains_are_judged_by_distance(tmp_path, untrained_judge, monkeypatch):
    monkeypatch.setattr(Pixels, "classes", ())
    loader = ImageConfig(image_size=16, root=tmp_path / "cache")
    specs = [picture_folder(tmp_path / name, [""]) for name in "ab"]
    experiment = build(replace(tiny("cyclegan"), data="+".join(specs), loader=loader))
    assert experiment.task.kept is None
    assert experiment.task.watch == "fd_pixels_ab"
    assert experiment.task.watch_mode == "min"
    assert experiment.baselines() == {}


def test_grey_and_color_domains_are_both_read_in_color(tmp_path, untrained_judge):
    folder = tmp_path / "color"
    folder.mkdir()
    for level in range(6):
        Image.new("RGB", (16, 16), (40 * level, 0, 255)).save(folder / f"{level}.png")
    loader = ImageConfig(image_size=16, root=tmp_path / "cache")
    experiment = build(replace(tiny("cyclegan"), data=f"digits+folder:{folder}", loader=loader))
    batch = next(experiment.train.iter_from(0))
    assert batch["a_image"].shape == batch["b_image"].shape == (8, 3, 16, 16)


def test_data_in_memory_can_be_trained_on_directly():
    """The parts work without recipes: a task, a loader, a trainer."""
    data = TensorDataset({"image": torch.randint(0, 256, (20, 1, 16, 16), dtype=torch.uint8)})
    task = r3gan_task()
    Trainer(task, ResidentLoader(data, 4), config=TrainerConfig(steps=2, batch_size=4, device="cpu")).fit()
