"""The streaming loader: the same batches as the resident one, and workers that fail in words."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import ResidentLoader, StreamLoader, TensorDataset, flip, open_source, shift
from torchworks.shared.data.stream import explain


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(30):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        (folder / "set" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "set" / "ab"[i % 2] / f"{i}.jpg")
    return open_source(f"folder:{folder / 'set'}", ImageConfig(image_size=16, root=folder / "root")).train


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_streamed_batches_are_the_resident_ones_bit_for_bit(photos, workers):
    options = {"seed": 2, "augment": [flip(), shift(2)]}
    streamed = StreamLoader(photos, 5, workers=workers, **options)
    resident = ResidentLoader(photos, 5, **options)
    pairs = [(streamed.iter_from(3), resident.iter_from(3)), (iter(streamed), iter(resident))]
    for ours, theirs in pairs:
        for _ in range(5):
            a, b = next(ours), next(theirs)
            assert a.keys() == b.keys()
            assert all(torch.equal(a[name], b[name]) for name in a)


def test_two_evaluation_passes_share_their_workers(photos):
    loader = StreamLoader(photos, 8, workers=1, train=False)
    first = [batch["index"] for batch in loader]
    worker = loader._passes._iterator._workers[0].pid
    next(iter(loader))  # a pass that is given up half-way
    second = [batch["index"] for batch in loader]
    assert torch.equal(torch.cat(first), torch.cat(second))
    assert loader._passes._iterator._workers[0].pid == worker


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_the_global_random_numbers_alone(photos, workers):
    before = torch.get_rng_state()
    loader = StreamLoader(photos, 8, workers=workers)
    next(loader.iter_from(0))
    next(iter(loader))
    assert torch.equal(before, torch.get_rng_state())


class Unshareable(torch.Tensor):
    def share_memory_(self):
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)"
        )


class WithoutSharedMemory(TensorDataset):
    def __getitem__(self, i):
        return {"image": super().__getitem__(i)["image"].as_subclass(Unshareable)}


def test_a_worker_without_shared_memory_says_so_instead_of_waiting_for_ever():
    data = WithoutSharedMemory({"image": torch.zeros(20, 1, 4, 4, dtype=torch.uint8)})
    with pytest.raises(UserError, match="/dev/shm is too small"):
        next(StreamLoader(data, 5, workers=1).iter_from(0))


class Killed(TensorDataset):
    def __getitem__(self, i):
        if i == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(i)


def test_a_worker_that_is_killed_ends_in_a_paragraph():
    data = Killed({"image": torch.zeros(20, 1, 4, 4, dtype=torch.uint8)})
    with pytest.raises(UserError, match="worker was killed, most likely because memory ran out"):
        list(StreamLoader(data, 5, workers=1, train=False))


class Vanished(TensorDataset):
    def __getitem__(self, i):
        raise UserError(f"The image {i}.png is gone.")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_user_s_mistake_found_in_a_worker_is_said_as_if_found_here(workers):
    data = Vanished({"image": torch.zeros(20, 1, 4, 4, dtype=torch.uint8)})
    with pytest.raises(UserError, match=r"^The image 0\.png is gone\.$"):
        next(iter(StreamLoader(data, 1, workers=workers, train=False)))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("unable to write to file </torch_1_2_3>: No space left on device (28)", "/dev/shm"),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit.",
            "--shm-size",
        ),
        ("DataLoader timed out after 600 seconds", "not delivered a batch for 10 minutes"),
        ("[Errno 24] Too many open files", "ulimit -n"),
        ("[Errno 104] Connection reset by peer", "worker was killed"),
        ("received 0 items of ancdata", "ulimit -n"),
    ],
)
def test_what_pytorch_says_of_failing_workers_is_put_into_advice(error, message):
    assert message in explain(error)


class Broken(TensorDataset):
    def __getitem__(self, i):
        raise RuntimeError("something else")


@pytest.mark.parametrize("workers", [0, 1])
def test_other_errors_are_passed_on_as_they_are(workers):
    data = Broken({"image": torch.zeros(20, 1, 4, 4, dtype=torch.uint8)})
    with pytest.raises(RuntimeError, match="something else"):
        next(StreamLoader(data, 5, workers=workers).iter_from(0))
    with pytest.raises(RuntimeError, match="something else"):
        next(iter(StreamLoader(data, 5, workers=workers)))


SCRIPT = """
import signal, torch
from torchworks.shared.data import StreamLoader, TensorDataset

seen = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: seen.append(number))
loader = StreamLoader(TensorDataset({"image": torch.zeros(40, 1, 4, 4, dtype=torch.uint8)}), 4, workers=2)
evaluation, stream = iter(loader), loader.iter_from(0)
for _ in range(9):  # all workers are up
    next(evaluation), next(stream)
print("ready", flush=True)
while len(seen) < 2:
    next(stream)
for _ in range(50):
    next(stream)
print("finished its step", flush=True)  # and leaves with all workers alive
"""


@pytest.mark.slow
def test_ctrl_c_and_sigterm_to_the_whole_group_spare_the_workers_and_all_end_with_the_parent():
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout.readline() == "finished its step\n"
        assert process.wait(20) == 0
        assert process.stdout.read() == ""  # the pipe closes when the last worker is gone


@pytest.mark.gpu
@pytest.mark.parametrize("workers", [0, 2])
def test_streaming_to_a_gpu_gives_the_cpu_s_batches(photos, workers):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    ours = StreamLoader(photos, 5, workers=workers, augment=[flip(), shift(2)], device="cuda").iter_from(3)
    theirs = ResidentLoader(photos, 5, augment=[flip(), shift(2)]).iter_from(3)
    for _ in range(20):
        a, b = next(ours), next(theirs)
        assert all(a[name].is_cuda for name in a)
        assert all(torch.allclose(a[name].cpu(), b[name], atol=3e-7, rtol=0) for name in a)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [ResidentLoader, StreamLoader])
def test_loading_on_a_gpu_never_waits_for_it(photos, kind):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    loader = kind(photos, 5, augment=[flip(), shift(2)], device="cuda")
    stream = loader.iter_from(0)
    next(stream)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3 * loader.batches):
            next(stream)
    finally:
        torch.cuda.set_sync_debug_mode("default")
