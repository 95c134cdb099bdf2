"""The device and precision are what the machine has, and a wrong wish is answered with what is there."""

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from torchworks.shared.config import UserError
from torchworks.shared.machine import device as device_module
from torchworks.shared.machine import doctor
from torchworks.shared.machine import facts as machine
from torchworks.shared.machine.device import Device, choose, limit_threads, peak_memory, seed_everything, without_cuda
from torchworks.shared.machine.facts import GIB, memory_total

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


# --------------------------------------------------------------------------------------------- choosing


def test_each_choice_has_a_reason_in_words():
    chosen = choose()
    assert [reason.split()[0] for reason in chosen.reasons] == ["device", "precision", "channels_last"]
    assert all(": " in reason for reason in chosen.reasons)


@no_gpu
def test_without_a_gpu_auto_is_the_cpu_and_says_why():
    assert choose().device.type in ("cpu", "mps")
    assert "CUDA" in choose().reasons[0]


@no_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_cuda_without_cuda_says_what_is_missing(name):
    with pytest.raises(UserError, match=r"CUDA|driver|built") as caught:
        choose(name)
    assert without_cuda() in str(caught.value)
    assert "--device auto" in str(caught.value)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"device": "cudaa"}, "Did you mean 'cuda'"),
        ({"device": "gpu"}, "Known: auto, cpu, cuda, mps"),
        ({"device": "cpu:1"}, "no device 'cpu:1'"),
        ({"device": "cuda:x"}, "no device 'cuda:x'"),
        ({"device": "cuda:-1"}, "no device 'cuda:-1'"),
        ({"precision": "bf61"}, "Did you mean 'bf16'"),
        ({"channels_last": "yes"}, "Known: auto, on, off"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(wish, named):
    with pytest.raises(UserError, match=named):
        choose(**wish)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU here")
def test_mps_without_an_apple_gpu_is_a_clear_error():
    with pytest.raises(UserError, match="Apple GPU"):
        choose("mps")


def test_what_is_asked_for_is_given():
    chosen = choose("cpu", "bf16", "on", convolutional=False)
    assert (chosen.device.type, chosen.dtype, chosen.channels_last) == ("cpu", torch.bfloat16, True)
    assert choose("cpu", "fp32", "off").dtype is torch.float32


@pytest.mark.parametrize(
    ("flags", "kernels", "convolutional", "dtype"),
    [
        ({"avx512_bf16"}, "AVX512", True, torch.bfloat16),
        ({"amx_bf16"}, "AVX512", True, torch.bfloat16),
        ({"avx512_bf16"}, "AVX512", False, torch.float32),
        ({"avx512f"}, "AVX512", True, torch.float32),
        ({"avx512_bf16"}, "AVX2", True, torch.float32),
    ],
)
def test_auto_takes_bf16_on_a_cpu_only_for_convolutions_and_in_hardware(
    monkeypatch, flags, kernels, convolutional, dtype
):
    monkeypatch.setattr(device_module, "cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: kernels)
    chosen = device_module._choose_dtype(torch.device("cpu"), "auto", convolutional)
    assert chosen[0] is dtype
    assert device_module._choose_format(torch.device("cpu"), dtype, "auto", convolutional)[0] is (
        dtype is torch.bfloat16
    )


@pytest.mark.parametrize(("kind", "taken"), [("cpu", False), ("cuda", True)])
def test_a_recipe_may_say_that_its_nets_gain_by_channels_last_on_cuda_alone(kind, taken):
    chosen, why = device_module._choose_format(torch.device(kind), torch.bfloat16, "auto", True, on_cpu=False)
    assert chosen is taken
    assert kind != "cpu" or "measured slower" in why


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_on_cuda_is_bf16_if_the_gpu_computes_in_it_else_fp16(monkeypatch, native, dtype):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation)
    assert device_module._choose_dtype(torch.device("cuda", 0), "auto", False)[0] is dtype


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(device_module, "without_cuda", lambda: "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Imaginary 3000")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    precision = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(precision)


def test_a_gpu_that_is_not_there_is_answered_with_those_that_are(two_gpus):
    assert str(choose("cuda:1").device) == "cuda:1"
    with pytest.raises(UserError, match=r"cuda:7.*only 2: cuda:0 \(Imaginary 3000\), cuda:1"):
        choose("cuda:7")


def test_under_torchrun_each_process_takes_the_gpu_of_its_local_rank(two_gpus, monkeypatch):
    for name, value in (("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    chosen = choose("cuda")
    assert (str(chosen.device), chosen.rank, chosen.world, chosen.local_rank) == ("cuda:1", 3, 4, 1)
    assert torch.get_float32_matmul_precision() == "high"
    with pytest.raises(UserError, match="local rank"):
        choose("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match=r"local rank 2 needs the device cuda:2, but there are only 2"):
        choose("auto")


def script(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@no_gpu
@pytest.mark.parametrize(
    ("smi", "said"),
    [
        (None, "no NVIDIA driver is installed"),
        ("echo 'NVIDIA-SMI has failed'; exit 9", "finds no device .*NVIDIA-SMI has failed"),
        ("echo 'GPU 0: Imaginary'", "lists 1 device.* cannot open"),
    ],
)
def test_the_reason_for_no_cuda_tells_driver_from_build(tmp_path, monkeypatch, smi, said):
    if torch.version.cuda is None:
        pytest.skip("this PyTorch is built without CUDA")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if smi:
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        script(tmp_path, "nvidia-smi", smi)
    without_cuda.cache_clear()
    with pytest.raises(UserError, match=f"built for CUDA {torch.version.cuda}, but .*{said}"):
        choose("cuda")
    without_cuda.cache_clear()


@no_gpu
def test_hidden_devices_and_builds_without_cuda_are_named(monkeypatch):
    without_cuda.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES hides" in without_cuda()
    without_cuda.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in without_cuda()
    without_cuda.cache_clear()


# ------------------------------------------------------------------------------------------- computing


def test_autocast_computes_in_the_chosen_precision_and_fp32_leaves_all_as_it_is():
    layer, x = nn.Linear(4, 4), torch.randn(2, 4)
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        with Device(torch.device("cpu"), dtype).autocast():
            assert layer(x).dtype is dtype


def test_place_sets_the_memory_format_of_convolutions_only():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.LazyLinear(2))
    net(torch.zeros(1, 3, 8, 8))
    placed = Device(torch.device("cpu"), channels_last=True).place(net)
    assert placed is net
    assert net[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert net[2].weight.is_contiguous()


def test_place_sets_the_memory_format_of_convolutions_of_films_too():
    net = Device(torch.device("cpu"), channels_last=True).place(nn.Sequential(nn.Conv3d(3, 8, 3), nn.Conv2d(3, 8, 3)))
    assert net[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert net[1].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_seed_fixes_every_global_generator():
    import random

    draws = []
    for _ in range(2):
        seed_everything(2**40 + 7)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


def test_the_peak_of_memory_is_plausible_and_grows():
    before = peak_memory(Device(torch.device("cpu")))
    held = torch.ones(200 << 20, dtype=torch.uint8)
    after = peak_memory(Device(torch.device("cpu")))
    assert 0.05 < before <= after < memory_total() / GIB
    assert after >= held.nbytes / GIB


# --------------------------------------------------------------------------------------- threads, limits


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        (
            {  # the tighter limit of the group above holds too
                "proc/self/cgroup": "0::/pod/box\n",
                "sys/fs/cgroup/pod/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/pod/box/cpu.max": "400000 100000\n",
            },
            2.0,
        ),
        (
            {  # version 1 in a container, where /proc tells the host's path
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({}, None),
    ],
)
def test_a_container_s_cpu_quota_is_read(tmp_path, files, quota):
    assert machine.cpu_quota(system(tmp_path, files)) == quota


def test_a_container_s_memory_limit_is_the_memory_there_is(tmp_path):
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/box\n",
            "sys/fs/cgroup/box/memory.max": "1073741824\n",
            "proc/meminfo": "MemTotal: 99999999 kB\nMemAvailable: 88888888 kB\n",
        },
    )
    assert machine.memory_total(root) == machine.GIB
    assert machine.memory_free(root) == machine.GIB
    assert machine.memory_total(tmp_path / "none") > machine.GIB


def test_the_cpu_is_read_from_the_system(tmp_path):
    first = "processor\t: 0\nmodel name\t: Imaginary 7\nflags\t\t: fpu avx512_bf16 amx_bf16\n"
    root = system(tmp_path, {"proc/cpuinfo": f"{first}\nprocessor\t: 1\nmodel name\t: Other\n"})
    assert machine.cpu_model(root) == "Imaginary 7"
    assert {"avx512_bf16", "amx_bf16"} <= machine.cpu_flags(root)


@pytest.mark.parametrize(("quota", "threads"), [(None, None), (1.5, 1), (0.2, 1), (1e6, None)])
def test_threads_keep_within_the_quota(monkeypatch, quota, threads):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine, "cpu_quota", lambda: quota)
    try:
        assert limit_threads() == (threads or min(before, machine.affinity())) == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def test_omp_num_threads_is_respected(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", str(before))
    monkeypatch.setattr(machine, "cpu_quota", lambda: 0.1)
    assert limit_threads() == before


# ------------------------------------------------------------------------------------------ many processes

PEERS = """
import torch, torch.distributed as dist
from torchworks.shared.machine.device import choose, start_processes, stop_processes
device = choose("cpu")
start_processes(device)
total = torch.tensor([device.rank + 1.0])
dist.all_reduce(total)
stop_processes()
assert not dist.is_initialized()
if device.rank == 1:
    print(device.rank, device.world, device.local_rank, total.item())
"""


@pytest.mark.slow
def test_processes_started_by_torchrun_find_each_other(tmp_path):
    (tmp_path / "peers.py").write_text(PEERS)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "peers.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "2", "1", "3.0"]


def test_a_process_alone_starts_no_group():
    device_module.start_processes(choose("cpu"))
    assert not torch.distributed.is_initialized()
    device_module.stop_processes()


# ----------------------------------------------------------------------------------------------- doctor


def test_the_doctor_names_everything_that_matters():
    found = {finding.name: finding for finding in doctor.describe()}
    assert {
        "Python",
        "torch",
        "torchvision",
        "torchvision ops",
        "MPS",
        "CPU",
        "threads",
        "memory",
        "disk",
    } <= set(found)
    assert any(name.lower().startswith("cuda") for name in found)
    assert found["torchvision ops"].value == "work"
    assert "precision" in found["chosen for convolutional nets"].value
    assert all(finding.advice for finding in found.values() if finding.status != "ok")


@pytest.mark.slow
def test_the_doctor_runs_as_a_command_and_prints_plain_lines():
    command = [sys.executable, "-m", "torchworks.shared.machine.doctor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"torch: {torch.__version__}" in done.stdout
    assert all(line.startswith(("ok ", "warn", "bad ")) for line in done.stdout.splitlines())


def test_the_doctor_fails_if_torchvision_s_operators_do_not_run(monkeypatch, capsys):
    import torchvision

    def missing(*_):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(torchvision.ops, "nms", missing)
    assert doctor.main() == 1
    assert "bad   torchvision ops: do not run" in capsys.readouterr().out


def test_the_doctor_sees_that_companions_are_built_for_another_cuda():
    class Other:
        __version__ = "1.0+cu118"

    finding = doctor.companion("torchvision", Other)
    assert finding.status == "warn"
    assert "cu118" in finding.advice


def test_the_doctor_warns_of_small_shared_memory(monkeypatch, tmp_path):
    usage = type("Usage", (), {"total": 64 << 20})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    (finding,) = doctor.shared_memory(tmp_path)
    assert finding.status == "warn"
    assert "shm-size" in finding.advice
    assert not list(doctor.shared_memory(tmp_path / "none"))


# -------------------------------------------------------------------------------------------------- GPU


@pytest.mark.gpu
def test_on_a_gpu_auto_takes_it_in_half_precision():
    chosen = choose()
    assert chosen.device.type == "cuda"
    assert chosen.dtype is not torch.float32
    assert chosen.channels_last
    net = chosen.place(nn.Conv2d(3, 8, 3))
    with chosen.autocast():
        assert net(torch.zeros(1, 3, 8, 8, device=chosen.device)).dtype is chosen.dtype
    assert peak_memory(chosen) > 0


@pytest.mark.parametrize("size", ["2", "two"])
def test_half_of_what_torchrun_sets_is_told(monkeypatch, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(UserError, match="torchrun"):
        choose("cpu")


KEEPING = """
import resource, sys
import torch
from torchworks.shared.machine.device import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
for _ in range(3):
    torch.ones(1 << 24).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.ones(1 << 24).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_memory_that_is_kept_is_not_fetched_again():
    fetched = {
        how: int(subprocess.run([sys.executable, "-c", KEEPING, how], capture_output=True, check=True).stdout)
        for how in ("leave", "keep")
    }
    assert fetched["keep"] < fetched["leave"] / 10
