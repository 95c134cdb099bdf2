"""Nets that caption images."""

import pytest
import torch

from torchworks.hybrid_multimodal.captioning.nets import MODELS
from torchworks.hybrid_multimodal.models.captioner import Captioner
from torchworks.hybrid_multimodal.models.factored_captioner import FactoredCaptioner, color_stream, evened

OPTIONS = {"channels": 3, "places": 16, "vocabulary": 9, "begin": 2, "end": 3, "color_words": (4, 7)}
SMALL = {"embed_dim": 8, "hidden_dim": 12, "attention_dim": 8, "width": 16}


def new(model: str) -> Captioner:
    torch.manual_seed(0)
    return MODELS[model](**OPTIONS, **SMALL).eval()


@pytest.fixture
def image():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


TOKENS = torch.tensor([[2, 4, 5, 6, 3], [2, 7, 8, 3, 0], [2, 4, 4, 4, 4]])


@pytest.mark.parametrize("model", MODELS)
def test_teacher_forcing_is_one_step_after_the_other(model, image):
    net = new(model)
    logits, maps = net(image, TOKENS)
    assert logits.shape == (3, 5, 9)
    assert maps.shape == (3, 5, 16)
    assert torch.allclose(maps.sum(2), torch.ones(3, 5))
    memory = net.look(image)
    state = net.start(memory)
    for place, token in enumerate(TOKENS.unbind(1)):
        found, state, where = net.step(memory, state, token)
        assert torch.allclose(found, logits[:, place], atol=1e-6)
        assert torch.allclose(where, maps[:, place], atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_a_word_depends_on_those_before_it_alone(model, image):
    net, other = new(model), TOKENS.clone()
    other[:, 3:] = 8
    assert torch.equal(net(image, TOKENS)[0][:, :3], net(image, other)[0][:, :3])


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_trained(model, image):
    net = new(model).train()
    logits, _ = net(image, TOKENS)
    logits.square().sum().backward()
    silent = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.any()]
    assert not silent


@pytest.mark.parametrize("model", MODELS)
def test_grey_images_of_other_sizes_are_described_too(model):
    net = MODELS[model](**OPTIONS | {"channels": 1, "places": 25}, **SMALL).eval()
    assert net(torch.rand(2, 1, 40, 40), TOKENS[:2])[0].shape == (2, 5, 9)


# ---- what the factored net keeps apart


def test_a_color_is_read_from_eleven_pixels():
    net = color_stream(3).eval()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    net(image)[0, :, 4, 4].sum().backward()
    assert image.grad is not None
    rows = image.grad[0].abs().sum((0, 2)).nonzero()[:, 0]
    assert int(rows.max() - rows.min()) + 1 <= 11


def test_shapes_are_read_in_grey_of_one_brightness_and_contrast():
    image = torch.rand(2, 3, 32, 32)
    shares = torch.tensor([0.2, 0.3, 0.5])
    grey = evened(image, shares)
    assert torch.allclose(grey.mean((2, 3)), torch.zeros(2, 1), atol=1e-5)
    assert torch.allclose(evened(image * 0.5 + 0.2, shares), grey, atol=0.02)


def test_where_it_looks_and_its_language_know_no_color(image):
    """With each channel exchanged, and a grey that follows, only what is read of colors changes."""
    net = new("factored")
    assert isinstance(net, FactoredCaptioner)
    grey = torch.tensor([[0.2, 0.3, 0.5]]).expand(3, 3)
    for one, two in zip(net.look(image, grey)[1:], net.look(image.flip(1), grey.flip(1))[1:], strict=True):
        assert torch.allclose(one, two, atol=1e-5)
    assert torch.allclose(net(image, TOKENS, grey)[1], net(image.flip(1), TOKENS, grey.flip(1))[1], atol=1e-5)
    assert not torch.allclose(net(image, TOKENS, grey)[0], net(image.flip(1), TOKENS, grey.flip(1))[0], atol=1e-3)


def test_what_follows_a_color_is_the_same_for_every_color(image):
    net, other = new("factored"), TOKENS.clone()
    other[TOKENS == 4], other[TOKENS == 7] = 7, 4  # the two words for colors
    for one, two in zip(net(image, TOKENS), net(image, other), strict=True):
        assert torch.equal(one, two)


def test_which_color_is_said_follows_from_the_color_stream_alone(image):
    """Shapes and language raise or lower all colors alike."""
    net = new("factored")
    colors = net(image, TOKENS)[0][..., [4, 7]]
    with torch.no_grad():
        net.of_shape.weight.mul_(3)
        net.of_language.weight.mul_(3)
    again = net(image, TOKENS)[0][..., [4, 7]]
    assert torch.allclose(colors.diff(dim=2), again.diff(dim=2), atol=1e-5)
