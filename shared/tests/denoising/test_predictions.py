"""Whatever a net predicts of a noisy image, the image follows from it."""

from itertools import product
from typing import get_args

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.denoising import (
    FlowPath,
    Prediction,
    VarianceExplodingPath,
    VariancePreservingPath,
    check_prediction,
    image_of,
    input_factor,
    target_of,
)

KINDS = get_args(Prediction)
PATHS = (FlowPath(), VarianceExplodingPath(), VariancePreservingPath(), VariancePreservingPath("cosine"))


@pytest.mark.parametrize(("kind", "path", "t"), list(product(KINDS, PATHS, (0.002, 0.4, 0.95))))
def test_the_image_follows_from_a_right_answer(kind, path, t):
    draws = torch.Generator().manual_seed(0)
    image, noise = (torch.randn(3, 4, generator=draws, dtype=torch.float64) for _ in range(2))
    level = path.level(t)
    x = level.alpha * image + level.sigma * noise
    predicted = target_of(kind, image, noise, level.alpha, level.sigma)
    torch.testing.assert_close(image_of(kind, predicted, x, level.alpha, level.sigma), image, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_edm_gives_its_net_inputs_and_targets_of_variance_one(t):
    draws = torch.Generator().manual_seed(0)
    image, noise = 0.5 * torch.randn(100_000, generator=draws), torch.randn(100_000, generator=draws)
    level = VarianceExplodingPath().level(t)
    x = (level.alpha * image + level.sigma * noise) * input_factor("edm", level.alpha, level.sigma)
    assert x.std() == pytest.approx(1, abs=0.01)
    assert target_of("edm", image, noise, level.alpha, level.sigma).std() == pytest.approx(1, abs=0.01)


def test_a_chain_that_ends_in_noise_alone_refuses_a_net_that_says_the_noise():
    noisiest = VariancePreservingPath(zero_terminal_snr=True).level(1)
    assert noisiest.alpha == 0
    with pytest.raises(UserError, match="divided by 0"):
        check_prediction("noise", noisiest)
    for kind in KINDS:
        if kind != "noise":
            check_prediction(kind, noisiest)
