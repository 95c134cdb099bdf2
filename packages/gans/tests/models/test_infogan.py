"""InfoGAN's nets: a code in the latent vector, or one that is asked for; and the bound on what images tell of it."""

import math

import pytest
import torch

from torchworks.gans import InfoGANDiscriminator, InfoGANGenerator
from torchworks.gans.models.config import InfoGANNet
from torchworks.gans.models.infogan import Code, Guess, category_bound, number_bound
from torchworks.gans.noise.predictor import build_generator, generator_config
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, check_predictor


def generator(**options) -> InfoGANGenerator:
    torch.manual_seed(0)
    return InfoGANGenerator(16, 1, **{"latent_dim": 9, "categories": 4, "numbers": 2, "width": 4, **options}).eval()


class FromNoise(InfoGANGenerator):
    """Without a code that is asked for."""

    def forward(self, z):
        return super().forward(z)


@pytest.mark.parametrize("size", [16, pytest.param(28, marks=pytest.mark.long)])
def test_the_nets_keep_the_models_contract(size):
    check_model(
        lambda: FromNoise(size, 1, latent_dim=9, categories=4, width=4), (torch.randn(4, 9),),
        shapes=(4, 1, size, size),
    )  # fmt: skip
    check_model(
        lambda: InfoGANDiscriminator(size, 1, categories=5, numbers=3, width=4), (torch.randn(4, 1, size, size),),
        shapes=[(4,), (4, 5), (4, 3)],
    )  # fmt: skip


def test_the_code_in_latent_vectors_is_evenly_distributed():
    net = generator(latent_dim=65, categories=10)
    code = net.code_of(torch.randn(5000, 65, generator=torch.Generator().manual_seed(0)))
    assert torch.bincount(code.category, minlength=10).min() > 400
    assert code.numbers.shape == (5000, 2)
    assert code.numbers.abs().max() <= 1
    assert code.numbers.var(dim=0).tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.02)


def test_latent_vectors_far_out_have_the_first_and_the_last_category():
    far = torch.tensor([[0.0] * 6 + [-9.0, 0.0, 0.0], [0.0] * 6 + [9.0, 0.0, 0.0]])
    assert generator().code_of(far).category.tolist() == [0, 3]


def test_what_is_asked_for_replaces_what_is_drawn_and_nothing_else():
    net, z = generator(), torch.randn(5, 9)
    drawn, nothing = net.code_of(z), torch.full((5,), -2.0)
    asked = net(z, torch.zeros(5, dtype=torch.long), nothing, nothing)
    assert torch.equal(asked, net(z))
    assert torch.equal(net(z, drawn.category + 1, drawn.numbers[:, 0], drawn.numbers[:, 1]), net(z))
    one = net(z, torch.full((5,), 2), nothing, torch.full((5,), 0.5))
    same = torch.cat(
        [z[:, :6], torch.tensor([0.0, 1, 0, 0]).expand(5, 4), drawn.numbers[:, :1], torch.full((5, 1), 0.5)], 1
    )
    torch.testing.assert_close(one, net.net(same))


def test_the_category_can_be_asked_for_by_itself_and_a_code_may_have_no_numbers():
    net, z = generator(numbers=0), torch.randn(3, 9)
    assert torch.equal(net(z, torch.zeros(3, dtype=torch.long)), net(z))
    assert not torch.equal(net(z, torch.full((3,), 1)), net(z, torch.full((3,), 2)))


def test_the_bound_is_the_entropy_and_the_mean_log_probability_of_the_code():
    torch.manual_seed(0)
    guess = Guess(torch.zeros(3), torch.randn(3, 4), torch.randn(3, 2))
    code = Code(torch.tensor([1, 3, 0]), torch.rand(3, 2) * 2 - 1)
    probabilities = guess.category.softmax(1)[range(3), code.category]
    torch.testing.assert_close(category_bound(guess, code), probabilities.log().mean() + math.log(4))
    normal = torch.distributions.Normal(guess.mean, 1.0)
    torch.testing.assert_close(number_bound(guess, code), (normal.log_prob(code.numbers) + math.log(2)).sum(1).mean())


def test_the_bound_is_the_whole_information_for_a_sure_guess_and_none_for_an_ignorant_one():
    code = Code(torch.tensor([1, 3]), torch.zeros(2, 0))
    sure = torch.nn.functional.one_hot(code.category, 4) * 100.0
    empty = torch.zeros(2, 0)
    assert category_bound(Guess(empty, sure, empty), code).item() == pytest.approx(math.log(4))
    assert category_bound(Guess(empty, torch.zeros(2, 4), empty), code).item() == pytest.approx(0, abs=1e-6)


def test_the_predictor_exports_with_a_code_that_may_be_left_out():
    net = InfoGANNet(latent_dim=9, width=4, discriminator_width=4, categories=4)
    predictor = build_generator(generator_config(net, 16, 1, ()))
    found = [(spec.name, spec.default) for spec in predictor.signature.inputs]
    assert found == [("latent", None), ("category", 0), ("number_1", -2), ("number_2", -2)]
    assert (predictor.signature.inputs[1].low, predictor.signature.inputs[1].high) == (0, 4)
    check_predictor(predictor)


def test_a_latent_vector_without_room_for_the_code_is_refused():
    with pytest.raises(UserError, match=r"--net\.latent-dim must be at least 4"):
        InfoGANNet(latent_dim=3)
