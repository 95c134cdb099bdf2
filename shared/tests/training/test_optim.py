"""Schedules equal PyTorch's own, optimizers survive a skipped step, averages equal their closed form."""

import dataclasses
import math
import operator
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from torchworks.shared.config import OptimConfig, UserError
from torchworks.shared.training.optim import (
    EMA,
    Muon,
    Plateau,
    adam,
    adamw,
    orthogonal,
    parameter_groups,
    schedule,
    sgd,
)

KINDS = ("constant", "cosine", "linear", "step", "one-cycle", "plateau")
configs = st.builds(
    OptimConfig,
    schedule=st.sampled_from(KINDS),
    warmup=st.integers(0, 300),
    final=st.floats(0, 1),
    gamma=st.floats(0.01, 1),
    milestones=st.lists(st.floats(0, 1), max_size=4).map(tuple),
)
steps = st.integers(1, 500)
examples = settings(deadline=None, max_examples=50, derandomize=True)


def torch_factors(make, n: int) -> list[float]:
    """The learning rates that a scheduler of PyTorch's sets at steps 0 … n - 1, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    factors = scheduler.get_last_lr()
    for _ in range(n - 1):
        optimizer.step()
        scheduler.step()
        factors += scheduler.get_last_lr()
    return factors


def ours(config: OptimConfig, n: int) -> list[float]:
    factor = schedule(config, n)
    return [factor(step) for step in range(n)]


# ------------------------------------------------------------------------------------------- schedules


@examples
@given(configs, steps)
def test_every_factor_is_finite_and_from_0_to_1(config, n):
    assert all(0 <= factor <= 1 + 1e-12 for factor in ours(config, n))


@examples
@given(configs, steps)
def test_factors_rise_through_warm_up_and_never_again_after_it(config, n):
    factors = ours(config, n)
    peak = max(range(n), key=factors.__getitem__)
    assert all(before <= after + 1e-12 for before, after in pairwise(factors[: peak + 1]))
    assert all(before >= after - 1e-12 for before, after in pairwise(factors[peak:]))


@examples
@given(configs.filter(lambda config: config.schedule != "step"), st.integers(2, 500), st.integers(0, 1000))
def test_steps_past_the_end_keep_the_last_factor(config, n, beyond):
    factor = schedule(dataclasses.replace(config, warmup=min(config.warmup, n - 2)), n)
    assert factor(n - 1 + beyond) == pytest.approx(factor(n - 1))


@examples
@given(configs.filter(lambda config: config.schedule in ("cosine", "linear")), st.integers(2, 500))
def test_cosine_and_linear_end_at_final(config, n):
    config = dataclasses.replace(config, warmup=min(config.warmup, n - 2))
    assert ours(config, n)[-1] == pytest.approx(config.final, abs=1e-12)


@examples
@given(st.integers(1, 60), st.integers(62, 200))
def test_warm_up_equals_linear_lr(warmup, n):
    def make(optimizer):
        return lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)

    assert ours(OptimConfig(warmup=warmup), n) == pytest.approx(torch_factors(make, n))


@examples
@given(st.integers(0, 60), st.integers(64, 200), st.floats(0, 1))
def test_cosine_after_warm_up_equals_cosine_annealing_lr(warmup, n, final):
    def make(optimizer):
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=n - 1 - warmup, eta_min=final)

    config = OptimConfig(schedule="cosine", warmup=warmup, final=final)
    assert ours(config, n)[warmup:] == pytest.approx(torch_factors(make, n - warmup), abs=1e-9)


@examples
@given(st.integers(0, 60), st.integers(64, 200), st.floats(0, 1))
def test_linear_after_warm_up_equals_linear_lr(warmup, n, final):
    def make(optimizer):
        return lr_scheduler.LinearLR(optimizer, 1.0, final, total_iters=n - 1 - warmup)

    config = OptimConfig(schedule="linear", warmup=warmup, final=final)
    assert ours(config, n)[warmup:] == pytest.approx(torch_factors(make, n - warmup), abs=1e-9)


@examples
@given(st.integers(2, 200), st.lists(st.floats(0, 1), max_size=3, unique=True), st.floats(0.01, 1))
def test_step_equals_multi_step_lr(n, milestones, gamma):
    def make(optimizer):
        return lr_scheduler.MultiStepLR(optimizer, [math.ceil(m * n) for m in milestones], gamma)

    config = OptimConfig(schedule="step", milestones=tuple(milestones), gamma=gamma)
    assert ours(config, n) == pytest.approx(torch_factors(make, n))


@examples
@given(st.integers(10, 300))
def test_one_cycle_equals_one_cycle_lr(n):
    def make(optimizer):
        return lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=n)

    assert ours(OptimConfig(schedule="one-cycle"), n) == pytest.approx(torch_factors(make, n), abs=1e-9)


def test_one_cycle_peaks_at_warmup_when_given():
    factors = ours(OptimConfig(schedule="one-cycle", warmup=20), 100)
    assert factors[20] == 1.0
    assert max(factors) == 1.0


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_a_few_steps_have_a_schedule_too(kind, n):
    assert all(math.isfinite(factor) for factor in ours(OptimConfig(schedule=kind, warmup=500), n))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"lr": 0.0}, "--optim.lr must be above 0, but it is 0.0"),
        ({"lr": float("nan")}, "--optim.lr"),
        ({"lr": math.inf}, "--optim.lr must be above 0 and finite, but it is inf"),
        ({"warmup": -1}, "--optim.warmup must be at least 0"),
        ({"final": 1.5}, "--optim.final must be from 0 to 1"),
        ({"gamma": 0.0}, "--optim.gamma must be above 0 and at most 1"),
        ({"milestones": (0.5, 30.0)}, r"--optim.milestones must be from 0 to 1, but it is .*30\.0"),
        ({"plateau_patience": 0}, "--optim.plateau-patience must be at least 1, but it is 0"),
    ],
)
def test_impossible_settings_cannot_be_made(wrong, named):
    with pytest.raises(UserError, match=named):
        OptimConfig(**wrong)


@examples
@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(1, 5), st.floats(0.05, 0.9))
def test_plateau_equals_reduce_lr_on_plateau(scores, patience, gamma):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    oracle = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=gamma, patience=patience - 1, threshold=0, min_lr=0.01, eps=0
    )
    plateau = Plateau(OptimConfig(schedule="plateau", plateau_patience=patience, gamma=gamma, final=0.01))
    best = math.inf
    for score in scores:
        plateau.update(score < best)
        best = min(best, score)
        oracle.step(score)
        assert plateau.scale == pytest.approx(optimizer.param_groups[0]["lr"])


def test_plateau_resumes_where_it_was():
    config = OptimConfig(schedule="plateau", plateau_patience=2)
    straight, first = Plateau(config), Plateau(config)
    for better in (True, False):
        straight.update(better), first.update(better)
    second = Plateau(config)
    second.load_state_dict(first.state_dict())
    straight.update(False), second.update(False)
    assert second.scale == straight.scale == 0.1


# ------------------------------------------------------------------------------------------ optimizers


def net_and_batch(seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 1)), torch.randn(32, 6)


def trained(make) -> list[torch.Tensor]:
    net, x = net_and_batch()
    optimizer = make(net.parameters())
    for _ in range(20):
        optimizer.zero_grad()
        (net(x) - x.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()
    return [parameter.detach() for parameter in net.parameters()]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p: adam(p, 1e-2, (0.5, 0.99)), lambda p: torch.optim.Adam(p, 1e-2, (0.5, 0.99))),
        (lambda p: adamw(p, 1e-2, weight_decay=0.1), lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.1)),
        (lambda p: sgd(p, 1e-2), lambda p: torch.optim.SGD(p, 1e-2)),
        (
            lambda p: sgd(p, 1e-2, momentum=0.9, weight_decay=1e-3, nesterov=True),
            lambda p: torch.optim.SGD(p, 1e-2, momentum=0.9, weight_decay=1e-3, nesterov=True),
        ),
    ],
)
def test_fused_optimizers_take_the_steps_of_plain_ones(ours, theirs):
    for a, b in zip(trained(ours), trained(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [lambda p: adam(p, 0.1), lambda p: adamw(p, 0.1), lambda p: sgd(p, 0.1, momentum=0.9)])
def test_a_first_step_skipped_for_bad_gradients_leaves_no_trace(make):
    results = []
    for skip in (False, True):
        net, x = net_and_batch()
        optimizer = make(net)
        assert optimizer.param_groups[0]["fused"]
        if skip:
            for parameter in net.parameters():
                parameter.grad = torch.full_like(parameter, float("nan"))
            optimizer.grad_scale, optimizer.found_inf = None, torch.ones(())
            optimizer.step()
            optimizer.found_inf = torch.zeros(())
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
        results.append([parameter.detach() for parameter in net.parameters()])
    assert all(map(torch.equal, *results))


def test_a_net_or_its_parameters_or_groups_may_be_given():
    net, _ = net_and_batch()
    net[0].requires_grad_(False)
    counts = [
        sum(len(group["params"]) for group in adam(given, 1e-3).param_groups)
        for given in (net, net.parameters(), parameter_groups(net, 1e-3, 0.1))
    ]
    assert counts == [4, 4, 4]


def test_weight_decay_spares_biases_and_norms():
    net, _ = net_and_batch()
    decayed, exempt = parameter_groups(net, lr=0.01, weight_decay=0.1)
    names = {parameter: name for name, parameter in net.named_parameters()}
    assert [names[parameter] for parameter in decayed["params"]] == ["0.weight", "3.weight"]
    assert [names[parameter] for parameter in exempt["params"]] == ["0.bias", "1.weight", "1.bias", "3.bias"]
    assert (decayed["weight_decay"], exempt["weight_decay"]) == (0.1, 0.0)
    before = [parameter.detach().clone() for parameter in exempt["params"]]
    optimizer = adamw([decayed, exempt], lr=0.01)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all(map(torch.equal, before, exempt["params"]))
    assert not torch.equal(decayed["params"][0], net_and_batch()[0][0].weight)


# ------------------------------------------------------------------------------------------------- Muon


def kernels_and_biases(others: dict) -> tuple[nn.Module, list[dict]]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(32, 2))
    kernels = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    rest = [parameter for parameter in net.parameters() if parameter.ndim == 1]
    return net, [{"params": kernels, "orthogonal": True, "lr": 0.02}, {"params": rest, **others}]


def descend(net: nn.Module, optimizer: torch.optim.Optimizer, start: int, stop: int) -> None:
    for step in range(start, stop):
        x = torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (net(x) - x.mean((1, 2, 3))[:, None]).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("shape", [(12, 30), (30, 12), (7, 7)])
def test_muon_takes_the_steps_of_torchs_on_a_matrix(shape):
    torch.manual_seed(0)
    ours, gradients = nn.Parameter(torch.randn(shape)), torch.randn(5, *shape)
    theirs = nn.Parameter(ours.detach().clone())
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2}
    optimizers = [Muon([{"params": [ours], "orthogonal": True}], **settings), torch.optim.Muon([theirs], **settings)]
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02)  # theirs multiplies in bf16


def test_muons_other_groups_take_the_steps_of_nesterovs_sgd():
    results = []
    for make in (
        lambda group: Muon([group], lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda group: torch.optim.SGD([group], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    ):
        net, x = net_and_batch()
        optimizer = make({"params": list(net.parameters())})
        for _ in range(5):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
        results.append([parameter.detach() for parameter in net.parameters()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_muons_groups_with_betas_take_the_steps_of_adamw():
    results = []
    for make in (
        lambda group: Muon([group], lr=0.1, weight_decay=0.01),
        lambda group: torch.optim.AdamW([group], lr=0.1, weight_decay=0.01),
    ):
        net, x = net_and_batch()
        optimizer = make({"params": list(net.parameters()), "betas": (0.8, 0.95)})
        for _ in range(5):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
        results.append([parameter.detach() for parameter in net.parameters()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_kernels_step_is_equally_long_in_every_direction(memory_format):
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.zeros(8, 4, 3, 3).to(memory_format=memory_format))
    kernel.grad = torch.randn(8, 4, 3, 3) * torch.logspace(0, -1, 8).view(8, 1, 1, 1)
    Muon([{"params": [kernel], "orthogonal": True}], lr=1.0).step()
    lengths = torch.linalg.svdvals(kernel.detach().flatten(1))
    assert lengths.min() > 0.6
    assert lengths.max() < 1.3
    assert torch.linalg.svdvals(kernel.grad.flatten(1)).max() > 5 * torch.linalg.svdvals(kernel.grad.flatten(1)).min()
    assert (kernel * kernel.grad).sum() < 0


def test_orthogonal_keeps_the_directions_of_a_matrix():
    torch.manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(6, 6))
    right, _ = torch.linalg.qr(torch.randn(20, 6))
    found = left.T @ orthogonal(left @ torch.diag(torch.linspace(1, 3, 6)) @ right.T) @ right
    assert (found - torch.diag(found.diag())).abs().max() < 1e-5
    assert ((found.diag() > 0.6) & (found.diag() < 1.3)).all()


OTHERS = pytest.mark.parametrize("others", [{"momentum": 0.8}, {"betas": (0.9, 0.99)}], ids=["sgd", "adamw"])


@OTHERS
def test_muon_resumes_bit_for_bit(others):
    straight, groups = kernels_and_biases(others)
    descend(straight, Muon(groups, lr=0.1), 0, 6)
    first, groups = kernels_and_biases(others)
    optimizer = Muon(groups, lr=0.1)
    descend(first, optimizer, 0, 3)
    second, groups = kernels_and_biases(others)
    resumed = Muon(groups, lr=7.0)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(optimizer.state_dict())
    descend(second, resumed, 3, 6)
    assert all(map(torch.equal, straight.parameters(), second.parameters()))


@OTHERS
def test_a_step_of_muon_that_is_not_to_be_leaves_no_trace(others):
    net, groups = kernels_and_biases(others)
    optimizer = Muon(groups, lr=0.1)
    descend(net, optimizer, 0, 1)
    tensors = [*net.parameters(), *(tensor for state in optimizer.state.values() for tensor in state.values())]
    before = [tensor.detach().clone() for tensor in tensors]
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, float("nan"))
    optimizer.grad_scale, optimizer.found_inf = None, torch.ones(())
    optimizer.step()
    assert all(map(torch.equal, before, tensors))
    optimizer.found_inf = torch.zeros(())
    descend(net, optimizer, 1, 2)
    assert not any(map(torch.equal, before, tensors))


def test_a_bias_is_nothing_that_muon_can_make_orthogonal():
    with pytest.raises(ValueError, match=r"matrices or kernels, but one parameter is \(8,\)"):
        Muon([{"params": [nn.Parameter(torch.zeros(8))], "orthogonal": True}], lr=0.1)


# -------------------------------------------------------------------------------------- moving averages


@examples
@given(st.floats(0, 0.9999), st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40))
def test_the_average_equals_its_closed_form(decay, values):
    net = nn.Linear(1, 1, bias=False).double()
    first = net.weight.item()
    ema = EMA({"net": net}, decay)
    for value in values:
        nn.init.constant_(net.weight, value)
        ema.update()
    decays = [min(decay, (1 + t) / (10 + t)) for t in range(len(values))]
    shares = [(1 - d) * math.prod(decays[t + 1 :]) for t, d in enumerate(decays)]
    expected = first * math.prod(decays) + sum(map(operator.mul, shares, values))
    assert ema.nets["net"].weight.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_averages_follow_running_statistics_and_copy_counters():
    net = nn.BatchNorm1d(3)
    ema = EMA({"net": net}, 0.999)
    net(torch.randn(16, 3) + 5)
    ema.update()
    average = ema.nets["net"]
    torch.testing.assert_close(average.running_mean, 0.9 * net.running_mean)
    assert average.num_batches_tracked == net.num_batches_tracked == 1


def test_averages_are_in_evaluation_mode_untrained_and_separate():
    net, _ = net_and_batch()
    ema = EMA({"net": net}, 0.9)
    assert not ema.nets["net"].training
    assert net.training
    assert not any(parameter.requires_grad for parameter in ema.nets["net"].parameters())
    before = ema.nets["net"][0].weight.clone()
    nn.init.zeros_(net[0].weight)
    assert torch.equal(ema.nets["net"][0].weight, before)


def test_a_parameter_used_twice_is_averaged_once():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    nn.init.zeros_(net[0].weight)
    ema = EMA({"net": net}, 0.999)
    nn.init.ones_(net[0].weight)
    ema.update()
    torch.testing.assert_close(ema.nets["net"][0].weight, torch.full((2, 2), 0.9))
    assert ema.nets["net"][1].weight is ema.nets["net"][0].weight


def test_spectral_norm_of_an_averaged_net_stays_one():
    torch.manual_seed(0)
    net = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 16, bias=False), n_power_iterations=20)
    ema = EMA({"net": net}, 0.999)
    for _ in range(5):
        with torch.no_grad():
            net.parametrizations.weight.original.add_(0.02 * torch.randn(16, 16))
        net(torch.zeros(1, 16))
        ema.update()
    assert torch.linalg.matrix_norm(ema.nets["net"].weight, 2) == pytest.approx(1, abs=0.05)


def test_averages_follow_a_net_whose_tensors_were_replaced():
    net = nn.BatchNorm1d(2)
    ema = EMA({"net": net}, 0.0)
    net.running_mean = torch.full((2,), 3.0)
    net.weight = nn.Parameter(torch.full((2,), 4.0))
    ema.update()
    assert ema.nets["net"].running_mean.tolist() == [3, 3]
    assert ema.nets["net"].weight.tolist() == [4, 4]


def test_averages_resume_bit_for_bit():
    def run(ema, net, start, stop):
        for step in range(start, stop):
            nn.init.normal_(net.weight, generator=torch.Generator().manual_seed(step))
            ema.update()

    torch.manual_seed(0)
    net = nn.Linear(5, 5)
    straight = EMA({"net": net}, 0.99)
    halves = EMA({"net": net}, 0.99)
    run(straight, net, 0, 10)
    run(halves, net, 0, 5)
    resumed = EMA({"net": net}, 0.99)
    resumed.load_state_dict(halves.state_dict())
    run(resumed, net, 5, 10)
    assert torch.equal(resumed.nets["net"].weight, straight.nets["net"].weight)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_an_impossible_decay_is_named(decay):
    with pytest.raises(UserError, match=str(decay)):
        EMA({"net": nn.Linear(1, 1)}, decay)


# ------------------------------------------------------------------------------------------ sharded nets

SHARDED = """
import copy
import os
import torch
from torch import nn
from torchworks.shared.training import parallel
from torchworks.shared.machine.device import choose, start_processes, stop_processes
from torchworks.shared.training.optim import EMA, adam, adamw, sgd

start_processes(choose("cpu"))
for make in (lambda net: adam(net, 1e-2), lambda net: adamw(net, 1e-2), lambda net: sgd(net, 1e-2, momentum=0.9)):
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 4))
    sharded, x = copy.deepcopy(whole), torch.randn(6, 8)
    averages = [EMA({"net": net}, 0.9) for net in (whole, sharded)]
    parallel.shard(sharded)
    parallel.shard(averages[1].nets["net"])
    for net, average in zip((whole, sharded), averages):
        optimizer = make(net)
        for _ in range(5):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
            average.update()
    expected, found = (parallel.net_state(average.nets["net"]) for average in averages)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
torch.distributed.barrier()
stop_processes()
os._exit(0)  # everything is compared; now and then torch's own threads abort a process that takes itself apart
"""


@pytest.mark.slow
def test_optimizers_and_averages_of_sharded_nets_equal_those_of_whole_ones(tmp_path):
    (tmp_path / "sharded.py").write_text(SHARDED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "sharded.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
