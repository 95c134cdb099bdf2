"""Loss scaling equals PyTorch's own, bad steps are counted, signals are heard, lack of memory is recognized."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import torch
from torch import nn

from torchworks.shared.training import guard as guard_module
from torchworks.shared.training.guard import GradientGuard, Signals, is_out_of_memory, step_if_finite
from torchworks.shared.training.optim import adam, sgd

CPU = torch.device("cpu")
INF = float("inf")


@pytest.fixture(params=["processor", "gpu's way"])
def way(request, monkeypatch):
    """Flags are counted as they come on a processor, and now and then for a GPU."""
    if request.param != "processor":
        monkeypatch.setattr(guard_module, "_OnHost", lambda: guard_module._OnDevice(CPU))


def nets():
    torch.manual_seed(0)
    return nn.Linear(4, 3), nn.Linear(4, 3)


def batch(step, bad):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
    return x * INF if bad else x


def with_grad_scaler(plan, interval):
    """Two optimizers as PyTorch's notes have it: unscale and step each, one update. `plan` says for each step which
    nets get an infinity. Returns the scale after each step, and the weights."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, growth_interval=interval)
    models = nets()
    optimizers = [adam(model, lr=1e-2) for model in models]
    scales = []
    for step, bad in enumerate(plan):
        for number, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            optimizer.zero_grad()
            scaler.scale(model(batch(step, number in bad)).square().mean()).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales, [parameter for model in models for parameter in model.parameters()]


def with_guard(plan, interval):
    guard = GradientGuard({"a": (), "b": ()}, CPU, scaled=True, interval=interval)
    models = nets()
    optimizers = [adam(model, lr=1e-2) for model in models]
    scales = []
    for step, bad in enumerate(plan):
        for number, (phase, model, optimizer) in enumerate(zip("ab", models, optimizers, strict=True)):
            optimizer.zero_grad()
            guard.scale(model(batch(step, number in bad)).square().mean()).backward()
            found = guard.unscale(phase, [parameter.grad for parameter in model.parameters()], 1)
            assert bool(found) == (number in bad)
            step_if_finite(optimizer, found)
        guard.update()
        scales.append(float(guard.counters()["loss_scale"]))
    return scales, [parameter for model in models for parameter in model.parameters()]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "plan",
    [
        [()] * 12,
        [(0,), (), (1,), (), (), (), (), (0, 1), (), (), (), (), ()],
        [(), (), (0,), (1,), (0,)] * 3,
    ],
    ids=["all good", "some bad", "many bad"],
)
def test_the_loss_scale_takes_the_course_of_pytorchs_grad_scaler(plan):
    ours, our_weights = with_guard(plan, interval=3)
    theirs, their_weights = with_grad_scaler(plan, interval=3)
    assert ours == theirs
    assert len(set(ours)) > 1
    assert all(map(torch.equal, our_weights, their_weights))


@pytest.mark.usefixtures("way")
def test_a_phase_may_step_many_times_before_the_one_update():
    guard = GradientGuard({"a": ()}, CPU, scaled=True, interval=2)
    for _ in range(2):
        for repetition in range(5):
            guard.unscale("a", [torch.full((2,), INF if repetition in (1, 3) else 1.0)], 1)
        guard.update()
    assert guard.counters()["loss_scale"] == 2.0**14  # halved once a step, not once a repetition
    assert guard.counters()["skipped"] == 4


@pytest.mark.usefixtures("way")
def test_gradients_are_divided_by_the_scale_and_the_weight():
    for weight in (8, torch.tensor(8), torch.tensor(8.0, dtype=torch.float64)):
        guard = GradientGuard({"a": ()}, CPU, scaled=True)
        gradients = [torch.full((3,), 2.0**20), torch.full((2,), 2.0**19, dtype=torch.float64)]
        found = guard.unscale("a", gradients, weight)
        assert (float(found), gradients[0].tolist(), gradients[1].tolist()) == (0.0, [2.0] * 3, [1.0] * 2)


@pytest.mark.usefixtures("way")
def test_bad_steps_in_a_row_are_counted_for_each_phase_alone():
    guard = GradientGuard({"a": (), "b": ()}, CPU, scaled=False)
    course = []
    for a, b in ((INF, 1.0), (float("nan"), 1.0), (1.0, INF), (INF, INF)):
        guard.unscale("a", [torch.tensor([a])], 1)
        guard.unscale("b", [torch.tensor([b])], 1)
        guard.update()
        figures = guard.counters()
        course.append([int(figures[name]) for name in ("skipped_in_row/a", "skipped_in_row/b", "skipped")])
    assert course == [[1, 0, 1], [2, 0, 2], [0, 1, 3], [1, 2, 5]]


@pytest.mark.usefixtures("way")
def test_steps_between_two_log_lines_may_be_more_than_are_counted_at_once():
    guard = GradientGuard({"a": ()}, CPU, scaled=False)
    bad = [step % 5 == 0 or step >= 690 for step in range(700)]
    for flag in bad:
        found = guard.unscale("a", [torch.tensor([INF if flag else 1.0])], 1)
        assert bool(found) == flag
        guard.update()
    figures = guard.counters()
    assert (figures["skipped"], figures["skipped_in_row/a"]) == (sum(bad), 11 if bad[689] else 10)
    guard.unscale("a", [torch.tensor([1.0])], 1)
    assert guard.counters()["skipped_in_row/a"] == 0


@pytest.mark.usefixtures("way")
def test_its_state_survives_a_resume():
    first = GradientGuard({"a": ()}, CPU, scaled=True, interval=3)
    for value in (1.0, INF, 1.0, 1.0):
        first.unscale("a", [torch.tensor([value])], 1)
        first.update()
    second = GradientGuard({"a": ()}, CPU, scaled=True, interval=3)
    second.load_state_dict(first.state_dict())
    for guard in (first, second):
        guard.unscale("a", [torch.tensor([1.0])], 1)
        guard.update()
    assert {k: float(v) for k, v in second.counters().items()} == {k: float(v) for k, v in first.counters().items()}
    assert second.counters()["loss_scale"] == 2.0**16  # halved, then grown by the third good step in a row


def test_skipping_the_very_first_step_of_fused_sgd_ruins_nothing():
    """PyTorch's fused SGD leaves its momentum uninitialized if its first step is skipped on the device."""
    net = nn.Linear(4, 3)
    before = [parameter.detach().clone() for parameter in net.parameters()]
    optimizer = sgd(net, lr=0.1, momentum=0.9)
    optimizer.grad_scale, optimizer.found_inf = None, torch.tensor(1.0)  # as step_if_finite does on a GPU
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, INF)
    optimizer.step()
    assert all(map(torch.equal, before, net.parameters()))
    optimizer.found_inf = torch.tensor(0.0)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for old, new in zip(before, net.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.1)


# ---- memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.06 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_lack_of_memory_is_recognized_on_every_device(error):
    assert is_out_of_memory(error)


def test_a_real_lack_of_main_memory_is_recognized():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), OSError("out of memory"), ValueError()])
def test_other_errors_are_not(error):
    assert not is_out_of_memory(error)


# ---- signals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_the_handlers_return_afterwards(signum):
    before = signal.getsignal(signum)
    with Signals() as signals:
        assert signals.received is None
        os.kill(os.getpid(), signum)
        assert signals.received == signum
    assert signal.getsignal(signum) is before


def test_a_second_signal_exits_at_once():
    script = (
        "import os, signal, time\n"
        "from torchworks.shared.training.guard import Signals\n"
        "with Signals():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('first survived', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, "first survived\n")


def test_outside_the_main_thread_signals_are_left_to_whoever_has_it():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with Signals() as signals:
            seen.append((signals.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, before)]
