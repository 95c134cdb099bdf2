"""pix2pix: how inputs are made, the loss by hand, pairs from folders."""

from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import nn

from torchworks.gans import PatchDiscriminator, Pix2PixTask, ResnetGenerator
from torchworks.gans.translation.config import Pix2PixConfig
from torchworks.gans.translation.data import is_paired, open_pairs
from torchworks.gans.translation.pix2pix import blur, outline
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.numbers.stream import StepRandom


def digits(size: int = 32) -> torch.Tensor:
    source = open_source("digits", ImageConfig(image_size=size))
    return source.test.tensors["image"].float() / 127.5 - 1


def test_an_outline_surrounds_what_is_bright_and_is_all_there_is():
    image = torch.full((1, 1, 8, 8), -1.0)
    image[..., 3:5, 3:5] = 0.5
    expected = torch.full((8, 8), -1.0)
    expected[2:6, 2:6] = 1
    expected[3:5, 3:5] = -1
    assert torch.equal(outline(image)[0, 0], expected)


def test_outlines_of_digits_are_thin_and_never_empty():
    lines = outline(digits())
    assert set(lines.unique().tolist()) == {-1.0, 1.0}
    share = (lines > 0).float().mean((1, 2, 3))
    assert share.min() > 0.02
    assert share.max() < 0.4


def test_a_blur_keeps_the_brightness_and_loses_detail():
    images = digits(16)
    soft = blur(images)
    assert soft.shape == images.shape
    torch.testing.assert_close(soft.mean(), images.mean(), atol=0.02, rtol=0)
    assert soft.diff(dim=-1).abs().mean() < 0.6 * images.diff(dim=-1).abs().mean()


class Keep(nn.Module):
    """A generator that gives back a part of its input."""

    def __init__(self):
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.share * x


class Difference(nn.Module):
    """A discriminator whose logit is the mean difference between input and output."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, pair):
        return self.scale * (pair[:, 1:] - pair[:, :1])


def test_losses_are_the_papers():
    task = Pix2PixTask(Keep(), Difference(), Pix2PixConfig())
    batch = {"a_image": torch.full((2, 1, 4, 4), 0.6), "b_image": torch.full((2, 1, 4, 4), 1.0)}
    softplus = nn.functional.softplus
    real, fake = torch.tensor(1 - 0.6), torch.tensor(0.3 - 0.6)
    torch.testing.assert_close(task.loss("d", batch).loss, (softplus(-real) + softplus(fake)) / 2)
    torch.testing.assert_close(task.loss("g", batch).loss, softplus(-fake) + 100 * 0.7)


def test_the_generator_learns_to_fill_outlines():
    torch.manual_seed(0)
    images = digits(16)[:32]
    task = Pix2PixTask(
        ResnetGenerator(1, 1, width=4, blocks=1, downsamplings=1), PatchDiscriminator(2, width=4, layers=1),
        replace(Pix2PixConfig(), optim=replace(Pix2PixConfig().optim, lr=2e-3)),
    )  # fmt: skip
    task.random = StepRandom(0)
    before = task.loss("g", {"image": images}).logs["l1"].item()
    optimizer = task.optimizer("generator")
    for _ in range(25):
        optimizer.zero_grad()
        out = task.loss("g", {"image": images})
        out.loss.backward()
        optimizer.step()
    assert out.logs["l1"].item() < before / 2


# ---- pairs -----------------------------------------------------------------------------------------------


def folder(path, names_a, names_b):
    """Pairs whose grey levels say which they are: B is A's level plus one."""
    for name, names, extra in ("A", names_a, 0), ("B", names_b, 1):
        (path / name).mkdir()
        for level in names:
            image = Image.new("L", (16, 16), 5 * level + extra)
            image.putpixel((0, 0), 255)
            image.save(path / name / f"{level:02d}.png")
    return f"folder:{path}"


def test_pairs_keep_together_in_both_parts(tmp_path):
    spec = folder(tmp_path, range(20), reversed(range(20)))
    assert is_paired(spec)
    a, b = open_pairs(spec, ImageConfig(image_size=16, root=tmp_path / "cache"))
    assert len(a.train) + len(a.test) == 20
    for part in ("train", "test"):
        inputs, wanted = getattr(a, part), getattr(b, part)
        assert len(inputs) == len(wanted) > 0
        for i in range(len(inputs)):
            assert wanted[i]["image"][0, 8, 8] == inputs[i]["image"][0, 8, 8] + 1


def test_an_input_without_a_partner_is_named(tmp_path):
    spec = folder(tmp_path, range(8), range(7))
    with pytest.raises(UserError, match=r"07\.png"):
        open_pairs(spec, ImageConfig(image_size=16, root=tmp_path / "cache"))


def test_a_folder_without_a_and_b_is_not_paired(tmp_path):
    (tmp_path / "A").mkdir()
    assert not is_paired(f"folder:{tmp_path}")
    assert not is_paired("digits")
