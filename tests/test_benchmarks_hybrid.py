"""Promises of the benchmarks of models of several kinds of data: what they compare is alike, and what they say follows
from the times."""

import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that is measured")
pytest.importorskip("torchworks.serving", reason="needs the service that is measured")
sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import bench_hybrid
import film_speed
import recommendation_speed as recommenders
import words_speed as words
from race import Clock, Times
from recommendation_speed import Reached

from torchworks.shared.machine.device import choose
from torchworks.shared.numbers.stream import StepRandom


def times(value: float) -> Times:
    return Times((value,) * 3, (value,) * 3)


@pytest.mark.parametrize(("seconds", "met"), [(0.4, True), (0.6, False)])
def test_an_epoch_is_quick_enough_only_in_half_the_time(seconds: float, met: bool):
    tables = {"5 epochs of BPR": {recommenders.OURS: times(seconds), recommenders.RECBOLE: times(1.0)}}
    assert [target.met for target in bench_hybrid.targets(tables)] == [met]


def test_barebones_lightning_is_shown_and_no_target():
    tables = {"a step": {words.OURS: times(0.5), words.LIGHTNING: times(1.0), words.BAREBONES: times(0.1)}}
    assert [target.met for target in bench_hybrid.targets(tables)] == [True]


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [
        ([(0.5, 0.31)], [(1.0, 0.2), (2.0, 0.25)], True),  # it never has the score, however long
        ([(0.5, 0.31)], [(1.0, 0.2), (1.2, 0.25)], False),  # it had too little time to say so
        ([(0.5, 0.2), (1.0, 0.3)], [(2.5, 0.3)], False),
        ([(0.5, 0.29)], [(9.0, 0.2)], False),
    ],
)
def test_the_time_to_a_score_counts_only_where_it_is_reached(ours, theirs, met: bool):
    curves = {
        recommenders.SOFTMAX: [Reached(*each) for each in ours],
        recommenders.PAIRS: [Reached(*each) for each in theirs],
    }
    assert [target.met for target in bench_hybrid.curve_targets(curves)] == [met]


@pytest.mark.slow
def test_torchvision_makes_the_same_batches_of_films():
    assert film_speed.difference() < 1e-6


@pytest.mark.slow  # reads MovieLens
def test_ease_is_the_inverse_that_it_is_compared_with():
    made = {name: action() for name, action in recommenders.inverses().items()}
    inverse = torch.from_numpy(made[recommenders.INVERSE])
    wanted = -(inverse / inverse.diagonal())
    wanted.fill_diagonal_(0)
    torch.testing.assert_close(made[recommenders.OURS].double(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["caption", "clip"])
def test_the_loss_that_lightning_gets_is_the_tasks(name: str):
    """On the same batch; the captioner's grey images are drawn, which changes its loss by a little."""
    config, loss = words.recipe(name)
    made = words.built(config, choose("cpu", precision="fp32"), Clock(1, 1, 1, lambda: None))
    batch = next(iter(made.train.iter_from(0)))
    made.task.random = StepRandom(0).at(0)
    net = made.task.nets()["model"].eval()
    with torch.no_grad():
        ours, theirs = made.task.loss("train", batch).loss, loss(net, batch)
    torch.testing.assert_close(ours, theirs, rtol=0.02 if name == "caption" else 1e-5, atol=0)
