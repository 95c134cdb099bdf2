"""A random number depends on what it is for, and on nothing else: not on order, batches, splits or processes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from torchworks.shared.data.order import EpochRandom
from torchworks.shared.numbers.stream import SampleRandom, StepRandom, mix, sample_normal

examples = settings(deadline=None, max_examples=50, derandomize=True)
DRAWS = ("normal", "uniform", "integers")


def draw(random: StepRandom, kind: str, n: int, *shape: int) -> torch.Tensor:
    return random.integers(10, n, *shape) if kind == "integers" else getattr(random, kind)(n, *shape)


# ------------------------------------------------------------------------------------------------ seeds


@examples
@given(st.lists(st.integers(-(2**63), 2**64 - 1) | st.text("abcdefgh", max_size=5), max_size=5))
def test_a_mixed_seed_is_fit_for_a_generator_and_repeats(parts):
    seed = mix(*parts)
    assert 0 <= seed < 2**63
    assert seed == mix(*parts)
    torch.Generator().manual_seed(seed)


def test_neighboring_places_have_seeds_without_likeness():
    seeds = [mix(seed, step, phase) for seed in range(20) for step in range(50) for phase in ("d", "g")]
    assert len(set(seeds)) == len(seeds)
    bits = torch.tensor([[seed >> i & 1 for i in range(63)] for seed in seeds], dtype=torch.float64)
    assert (bits.mean(0) - 0.5).abs().max() < 0.06  # 4.8 standard deviations
    flips = (bits[1:] != bits[:-1]).double().mean(0)
    assert (flips - 0.5).abs().max() < 0.06


def test_the_order_of_the_parts_matters():
    assert len({mix(1, 2, 3), mix(3, 2, 1), mix(2, 1, 3), mix(1, 2), mix(1, 2, 3, 0)}) == 5


# ------------------------------------------------------------------------------------ within a training step


@pytest.mark.parametrize("kind", DRAWS)
def test_the_same_step_draws_the_same_whatever_was_drawn_before(kind):
    fresh, used = StepRandom(5), StepRandom(5)
    for step in range(3):
        draw(used.at("train", step), "normal", 17, 3)
    a = draw(fresh.at("train", 7, "d"), kind, 6, 4)
    b = draw(used.at("train", 7, "d"), kind, 6, 4)
    assert torch.equal(a, b)


@pytest.mark.parametrize("kind", DRAWS)
def test_seeds_steps_phases_and_draws_differ(kind):
    first = StepRandom(0).at("train", 1, "d")
    draws = [draw(first, kind, 8, 8) for _ in range(2)]
    draws += [draw(StepRandom(0).at(*place), kind, 8, 8) for place in (("train", 2, "d"), ("train", 1, "g"))]
    draws += [draw(StepRandom(1).at("train", 1, "d"), kind, 8, 8)]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])


@examples
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.sampled_from(DRAWS))
def test_splitting_a_batch_over_micro_batches_or_processes_changes_nobody_s_numbers(parts, kind):
    total = sum(parts)
    whole = draw(StepRandom(3).at("train", 9, rows=total, total=total), kind, total, 5)
    pieces, start = [], 0
    for rows in parts:
        random = StepRandom(3).at("train", 9, rows=rows, start=start, total=total)
        pieces.append(draw(random, kind, rows, 5))
        start += rows
    assert torch.equal(torch.cat(pieces), whole)


def test_draws_of_another_size_than_the_batch_differ_between_its_parts():
    parts = [StepRandom(0).at("train", 0, rows=4, start=start, total=8).normal(3, 2) for start in (0, 4)]
    assert not torch.equal(*parts)


def test_draws_have_the_stated_distribution_and_range():
    random = StepRandom(0).at("train", 0)
    assert stats.kstest(random.normal(20_000).numpy(), "norm").pvalue > 1e-3
    assert stats.kstest(random.uniform(20_000).numpy(), "uniform").pvalue > 1e-3
    integers = random.integers(7, 7000)
    assert stats.chisquare(integers.bincount(minlength=7).numpy()).pvalue > 1e-3
    assert integers.dtype == torch.int64


# ----------------------------------------------------------------------------------------------- samples


def test_a_sample_s_noise_does_not_depend_on_its_batch():
    whole = sample_normal(7, range(10), 3, 2)
    assert whole.shape == (10, 3, 2)
    assert torch.equal(torch.cat([sample_normal(7, range(4), 3, 2), sample_normal(7, [4, 5, 6, 7, 8, 9], 3, 2)]), whole)
    assert not torch.equal(sample_normal(8, range(10), 3, 2), whole)
    assert sample_normal(7, [], 3).shape == (0, 3)
    assert stats.kstest(sample_normal(0, range(2000), 8).flatten().numpy(), "norm").pvalue > 1e-3


@examples
@given(st.permutations(range(12)), st.integers(1, 11))
def test_a_sample_s_augmentation_depends_on_seed_epoch_and_index_alone(order, cut):
    index = torch.tensor(order)
    everyone = SampleRandom(1, 4, torch.arange(12))
    first, second = everyone.uniform(3), everyone.uniform()
    for part in (index[:cut], index[cut:]):
        random = SampleRandom(1, 4, part)
        assert torch.equal(random.uniform(3), first[part])
        assert torch.equal(random.uniform(), second[part])


def test_augmentations_of_other_epochs_seeds_and_draws_are_unrelated():
    index = torch.arange(5000)
    random = SampleRandom(0, 0, index)
    columns = [random.uniform(), random.uniform(), *random.uniform(2).T]
    columns += [SampleRandom(0, 1, index).uniform(), SampleRandom(1, 0, index).uniform()]
    correlation = torch.corrcoef(torch.stack(columns)).fill_diagonal_(0)
    assert correlation.abs().max() < 0.06  # 4.2 standard deviations
    assert torch.corrcoef(torch.stack([columns[0][1:], columns[0][:-1]]))[0, 1].abs() < 0.06


def test_a_constant_number_is_a_sample_s_own_in_every_epoch():
    index = torch.arange(1000)
    first = SampleRandom(3, 0, index).constant(2)
    assert torch.equal(SampleRandom(3, 7, index).constant(2), first)
    assert torch.equal(EpochRandom(3, 7, 1000, torch.device("cpu")).at(index[5:9]).constant(2), first[5:9])
    others = [SampleRandom(4, 0, index).constant(2), SampleRandom(3, 0, index).uniform(2)]
    random = SampleRandom(3, 0, index)
    others.append((random.constant(2), random.constant(2))[1])
    columns = torch.cat([first, *others], 1).T
    assert torch.corrcoef(columns).fill_diagonal_(0).abs().max() < 0.15  # 4.7 standard deviations


def test_augmentation_numbers_are_uniform_in_zero_to_one():
    values = SampleRandom(3, 2, torch.arange(20_000)).uniform(2)
    assert values.dtype == torch.float32
    assert values.min() >= 0
    assert values.max() < 1
    for column in values.T:
        assert stats.kstest(column.numpy(), "uniform").pvalue > 1e-3


@pytest.mark.gpu
def test_a_gpu_draws_the_same_augmentation_as_the_cpu():
    index = torch.arange(1000)
    on_gpu = SampleRandom(3, 2, index.cuda()).uniform(4, 5)
    assert torch.equal(on_gpu.cpu(), SampleRandom(3, 2, index).uniform(4, 5))
