"""Training of nets that enlarge, and the command `enlarge` on a real, tiny run."""

import dataclasses
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from torchworks.gans import KMeansFeatures, RRDBNet, SRGANDiscriminator, SRResNet
from torchworks.gans.commands import COMMANDS
from torchworks.gans.enlarging import features, photo_crops
from torchworks.gans.enlarging.build import start, too_short
from torchworks.gans.enlarging.config import SRGANConfig, SRResNetConfig
from torchworks.gans.enlarging.features import vgg19
from torchworks.gans.enlarging.metrics import feature_distance, luma, scores_of, texture_distance
from torchworks.gans.enlarging.predictor import build_enlarger
from torchworks.gans.enlarging.task import EnlargingGanTask, random_squares
from torchworks.gans.enlarging.tiles import bytes_per_pixel, enlarged, tile_for
from torchworks.gans.models.enlarger_config import SRResNetNet
from torchworks.gans.models.vgg19 import VGG19Features
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, TrainerConfig, UserError
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import check_predictor, randomize
from torchworks.shared.testing_runs import killed_and_resumed

SMALL = ("--net.width", 4, "--net.blocks", 1, "--crop", 32, "--loader.image-size", 48, "--trainer.batch-size", 2)


def gans(*words):
    return main("gans", default="srresnet", commands=COMMANDS, arguments=[str(word) for word in words])


def told(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def enlarger(kind: str, factor: int) -> nn.Module:
    """A net whose weights are all drawn at random."""
    if kind == "srresnet":
        return randomize(SRResNet(factor=factor, width=4, blocks=2, outer_kernel=5, skip=True)).eval()
    return randomize(RRDBNet(factor=factor, width=4, blocks=1, growth=2)).eval()


# ---- tiles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("kind", ["srresnet", "rrdbnet"])
def test_tiles_have_the_very_pixels_of_the_whole(kind, factor):
    """In double precision, since convolutions of other sizes differ in the last bits."""
    torch.manual_seed(0)
    net = enlarger(kind, factor).double()
    image = torch.randint(0, 256, (3, net.radius * 2 + 21, net.radius + 30), dtype=torch.uint8)
    whole = enlarged(net, image, 1000, 0, torch.float64)
    tiles = enlarged(net, image, 13, net.radius, torch.float64)
    torch.testing.assert_close(tiles, whole, rtol=0, atol=1e-9)
    seams = enlarged(net, image, 13, 1, torch.float64)
    assert (seams - whole).abs().max() > 1e-4
    assert torch.equal(enlarged(net, image, 13, net.radius), (tiles * 255).round().byte())


def test_tiles_are_as_large_as_memory_allows_and_too_little_is_refused():
    net = SRResNet(width=64)
    assert tile_for(net, 300, 200, net.radius, 1e6) == 300
    tile = tile_for(net, 3000, 2000, net.radius, 2048)
    assert tile > 50
    used = 3000 * 2000 * 16 * 12 + bytes_per_pixel(net) * (tile + 2 * net.radius) ** 2
    assert 0.9 * 2**31 < used <= 2**31
    with pytest.raises(UserError, match="2000 × 3000 pixels enlarged 4 times has 8000 × 12000"):
        tile_for(net, 3000, 2000, net.radius, 500)
    few = next(memory for memory in range(1, 500) if tile_or_none(net, memory))
    assert tile_or_none(net, few) >= 16  # not a pixel at a time, which takes hours


def tile_or_none(net: SRResNet, memory: int) -> int:
    with suppress(UserError):
        return tile_for(net, 300, 200, net.radius, memory)
    return 0


# ---- training --------------------------------------------------------------------------------------------


def test_squares_are_pieces_of_their_images_in_all_eight_ways():
    image = torch.arange(36.0).view(1, 1, 6, 6)
    ways = [torch.rot90(m, k, (2, 3)) for m in (image, image.flip(3)) for k in range(4)]
    pieces = {
        tuple(way[0, 0, i : i + 4, j : j + 4].flatten().tolist()) for way in ways for i in range(3) for j in range(3)
    }
    seen = set()
    random = StepRandom(0)
    for step in range(200):
        cut = random_squares(image.expand(8, -1, -1, -1), 4, random.at("train", step))
        seen |= {tuple(row.flatten().tolist()) for row in cut}
    assert seen == pieces


def test_scores_are_of_the_luma_and_the_truth_itself_is_perfect():
    features = KMeansFeatures((4, 4))
    truth = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    assert luma(torch.ones(1, 3, 1, 1)).item() == pytest.approx(235 / 255)
    perfect = {name: float(total) / float(n) for name, (total, n) in scores_of(truth, truth, 4, features).items()}
    assert perfect == pytest.approx({"psnr": 100, "ssim": 1, "perceptual": 0, "texture": 0, "detail": 1}, abs=1e-5)
    grey = scores_of(truth.flip(3), truth, 4, features)
    assert float(grey["psnr"][0]) / 2 < 20
    assert float(feature_distance([truth], [2 * truth]).max()) == pytest.approx(0, abs=1e-6)  # lengths do not count


def test_texture_and_detail_do_not_ask_where_things_are():
    features = KMeansFeatures((6,)).fit(torch.rand(4, 3, 32, 32), 0)
    truth = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    blurred = nn.functional.avg_pool2d(truth, 3, stride=1, padding=1, count_include_pad=False)
    found = {
        name: {score: float(total) / float(n) for score, (total, n) in scores_of(made, truth, 4, features).items()}
        for name, made in [("moved", truth.roll(5, 3)), ("blurred", blurred)]
    }
    assert found["moved"]["psnr"] < found["blurred"]["psnr"]
    assert found["moved"]["texture"] < 0.05 * found["blurred"]["texture"]
    assert found["blurred"]["detail"] < 0.3 < 0.9 < found["moved"]["detail"] < 1.1
    maps = torch.randn(2, 3, 4, 5)
    a, b = (one.flatten(2).double() for one in (maps, 2 * maps + 1))
    wanted = [frechet_distance(x.mean(1), torch.cov(x), y.mean(1), torch.cov(y)) for x, y in zip(a, b, strict=True)]
    assert texture_distance([maps], [2 * maps + 1]).tolist() == pytest.approx(wanted, rel=1e-4)


def frechet_distance(mean_a, cov_a, mean_b, cov_b) -> float:
    root = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()
    return float((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root)


def gan_task(**changes) -> EnlargingGanTask:
    torch.manual_seed(0)
    config = dataclasses.replace(
        SRGANConfig(), loader=ImageConfig(image_size=32), crop=32, net=SRResNetNet(4, 1), **changes
    )
    features = KMeansFeatures((4, 4))
    task = EnlargingGanTask(
        SRResNet(width=4, blocks=1), SRGANDiscriminator(width=2), config, features, features, torch.zeros(1, 3, 32, 32)
    )
    task.random = StepRandom(0)
    return task


@pytest.mark.parametrize("loss", ["non-saturating", "relativistic-average"])
def test_losses_are_the_papers(loss):
    task = gan_task(adversarial_loss=loss, pretrain_steps=0, adversarial_weight=0.5, pixel_weight=2.0)
    batch = {"image": torch.rand(4, 3, 32, 32) * 2 - 1}
    out = task.loss("g", batch)
    task.random.at("idle")
    small, wanted = task.pair(batch["image"])
    made = task.generator(small)
    real, fake = task.discriminator(wanted), task.discriminator(made)
    softplus = nn.functional.softplus
    if loss == "non-saturating":
        fooling, judged = softplus(-fake).mean(), softplus(-real).mean() + softplus(fake).mean()
    else:
        over, under = real - fake.mean(), fake - real.mean()
        fooling, judged = (
            softplus(-under).mean() + softplus(over).mean(),
            softplus(-over).mean() + softplus(under).mean(),
        )
    ours, theirs = task.loss_features(made), task.loss_features(wanted)
    perceptual = sum((a - b).abs().mean() for a, b in zip(ours, theirs, strict=True)) / 2
    torch.testing.assert_close(out.loss, 2 * (made - wanted).abs().mean() + perceptual + 0.5 * fooling)
    task.random.at("idle")
    torch.testing.assert_close(task.loss("d", batch).loss, judged)


def test_the_discriminator_is_idle_until_it_joins():
    task = gan_task(pretrain_steps=2)
    batch = {"image": torch.rand(2, 3, 32, 32) * 2 - 1}
    out = task.loss("d", batch)
    gradients = torch.autograd.grad(out.loss, list(task.discriminator.parameters()))
    assert not any(gradient.any() for gradient in gradients)
    assert not task.loss("g", batch).logs
    task.step = 2
    assert {"pixels", "perceptual", "fooling"} == task.loss("g", batch).logs.keys()


def test_a_training_that_ends_before_the_discriminator_joins_says_so():
    steps = TrainerConfig(steps=10)
    assert "never joins" in too_short(SRGANConfig(pretrain_steps=10, trainer=steps))
    assert not too_short(SRGANConfig(pretrain_steps=9, trainer=steps))
    assert not too_short(SRResNetConfig(trainer=steps))


def test_training_starts_from_weights_of_the_same_net(tmp_path):
    net = SRResNet(width=4, blocks=1)
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    other = SRResNet(width=4, blocks=1)
    start(other, SRResNetConfig(start=tmp_path))
    assert torch.equal(other.tail.weight, net.tail.weight)
    with pytest.raises(UserError, match=r"do not fit this net: .* is \S+ × .*, not .* and \d+ more. Give a") as refused:
        start(SRResNet(width=8, blocks=1), SRResNetConfig(start=tmp_path / "model.safetensors"))
    assert len(str(refused.value)) < 500  # however many weights a net has
    save_file(net.state_dict() | {"tail.weight": net.tail.weight.detach() * torch.inf}, tmp_path / "inf.safetensors")
    with pytest.raises(UserError, match=r"do not fit this net: tail\.weight is not finite"):
        start(other, SRResNetConfig(start=tmp_path / "inf.safetensors"))
    with pytest.raises(UserError, match="x is not there"):
        start(other, SRResNetConfig(start=tmp_path / "x"))


@pytest.mark.slow
def test_vggs_features_are_torchvisions(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.vgg19(weights=None).features.eval()
    file = tmp_path / "vgg19.safetensors"
    save_file({f"features.{key}": value for key, value in theirs.state_dict().items()}, file)
    net, x = vgg19(file), torch.rand(1, 3, 32, 32)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    maps = net(x)
    torch.testing.assert_close(maps[-1], theirs[:35]((x - mean) / std))
    torch.testing.assert_close(maps[0], theirs[:3]((x - mean) / std))
    assert isinstance(net, VGG19Features)
    save_file({"features.0.weight": torch.zeros(1)}, file)
    with pytest.raises(UserError, match="are not those of VGG-19"):
        vgg19(file)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--crop", 60], "--crop is 60; it must be divisible by 8"),
        (["--loader.image-size", 64], "at most --loader.image-size, 64 pixels"),
        (["--loader.channels", 1], "Leave out --loader.channels"),
        (["--data", "folder:x", "--loader.multi-label"], "Leave out --multi-label"),
    ],
)
def test_options_that_make_no_sense_are_refused(words, said, capsys):
    assert gans("train", "srresnet", *words) == 2
    assert said in told(capsys)


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["esrgan", "srgan"])
def test_a_run_killed_and_resumed_ends_with_the_very_same_weights(recipe, tmp_path):
    """With the discriminator joining at step 10, and degradation and its noise in the data."""
    words = ("-m", "torchworks.gans", "train", recipe, *map(str, SMALL))
    options = "--discriminator.width 4 --pretrain-steps 10 --degradation second-order --trainer.steps 40"
    options += " --trainer.log-every 1 --trainer.checkpoint-every 5 --trainer.eval-every 20 --device cpu"
    killed_and_resumed((*words, *options.split()), tmp_path)


# ---- use -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "srresnet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_crops, "COUNT", 24)
        patch.setattr(photo_crops, "TEST", {"scikit-image": ("chelsea.png",)})
        patch.setattr(features, "SCORE_WIDTHS", (8, 8))
        words = ["--trainer.steps", 2, "--trainer.eval-every", 0, "--device", "cpu", "--precision", "fp32"]
        assert gans("train", "srresnet", *SMALL, *words, "--out", folder) == 0
    return folder


def test_a_run_is_scored_beside_interpolation(run):
    scores = json.loads((run / "result.json").read_text())
    assert scores["psnr_nearest"] < scores["psnr_bicubic"] < scores["psnr_lanczos"]
    assert scores["psnr"] == pytest.approx(scores["psnr_bicubic"], abs=0.5)  # where the net starts
    assert (run / "samples").is_dir()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.copy()


def test_images_of_every_kind_are_enlarged_alike(run, tmp_path, capsys):
    color = Image.fromarray(noise(20, 30, 3))
    color.save(tmp_path / "color.png")
    Image.fromarray(noise(20, 30)).save(tmp_path / "grey.png")
    Image.fromarray(noise(20, 30, 4)).save(tmp_path / "alpha.png")
    Image.fromarray(noise(20, 30).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(noise(1, 1, 3)).save(tmp_path / "pixel.png")
    turned = color.getexif()
    turned[0x112] = 6
    color.save(tmp_path / "turned.jpg", exif=turned)
    out = tmp_path / "out"
    assert gans("enlarge", run, tmp_path, tmp_path / "none.png", "--out", out) == 2  # for the one that is not there
    assert "none.png (there is no such file)" in told(capsys)
    found = {file.name: opened(file) for file in out.iterdir()}
    assert {name: (image.mode, image.size) for name, image in found.items()} == {
        "color.png": ("RGB", (120, 80)),
        "grey.png": ("L", (120, 80)),
        "alpha.png": ("RGBA", (120, 80)),
        "deep.png": ("L", (120, 80)),
        "pixel.png": ("RGB", (4, 4)),
        "turned.png": ("RGB", (80, 120)),
    }
    assert np.array_equal(found["grey.png"], found["deep.png"])
    assert gans("enlarge", run, tmp_path / "color.png", "--out", tmp_path / "tiles", "--tile", 5) == 0
    for tile in (1000, 10**20):  # beyond the image
        assert gans("enlarge", run, tmp_path / "pixel.png", "--out", out, "--overwrite", "--tile", tile) == 0
    assert np.abs(np.array(opened(tmp_path / "tiles/color.png"), int) - np.array(found["color.png"])).max() <= 1


def test_no_image_is_replaced_and_mistakes_are_told(run, tmp_path, capsys):
    file = tmp_path / "a.png"
    Image.fromarray(noise(20, 30, 3)).save(file)
    assert gans("enlarge", run, file, "--out", tmp_path) == 2
    assert "is one of the images to read" in told(capsys)
    assert gans("enlarge", run, file, "--out", tmp_path / "b") == 0
    assert gans("enlarge", run, file, "--out", tmp_path / "b") == 2
    assert "Pass --overwrite" in told(capsys)
    large = tmp_path / "large.png"
    Image.fromarray(noise(300, 400, 3)).save(large)
    for words, said in [(["--max-memory", 1], "at least"), (["--max-memory", 100, "--tile", 300], "Leave --tile out")]:
        assert gans("enlarge", run, large, "--out", tmp_path / "c", *words) == 2
        assert said in told(capsys)
    for words, said in [
        (["--max-memory", 0], "--max-memory is 0.0; it must be at least 1"),
        (["--max-memory", "nan"], "--max-memory is nan; it must be at least 1 and finite"),
        (["--max-memory", "inf"], "--max-memory is inf; it must be at least 1 and finite"),
        (["--tile", 0], "--tile is 0; it must be at least 1"),
    ]:
        assert gans("enlarge", run, file, "--out", tmp_path / "c", *words) == 2
        assert said in told(capsys)
    assert gans("enlarge", run) == 2
    for words in [("sample", run), ("translate", run, file, "--out", tmp_path / "d")]:
        assert gans(*words) == 2
        assert f"Use `gans enlarge {run} IMAGES… --out DIR`" in told(capsys)


def test_a_run_that_does_not_enlarge_is_refused(run, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    assert gans("enlarge", other, "a.png") == 2
    assert "Traceback" not in told(capsys)


@pytest.mark.parametrize(
    ("architecture", "factor"),
    [("srresnet", 4), ("srresnet", 2), ("rrdbnet", 4), pytest.param("rrdbnet", 2, marks=pytest.mark.long)],
)
def test_predictors_export_for_images_of_every_size(architecture, factor):
    sizes = {"width": 4, "blocks": 1, "skip": True} | ({"growth": 2} if architecture == "rrdbnet" else {"norm": False})
    predictor = build_enlarger({"architecture": architecture, "factor": factor, "net": sizes})
    randomize(predictor.net)
    check_predictor(predictor, lengths={"H": (1, 5, 9), "W": (1, 8, 3)})
