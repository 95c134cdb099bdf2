"""Checkpoints are whole or not there, verified before they are read, and never cost those saved before."""

import contextlib
import copy
import json
import os
import pickle
import random
import resource
import shutil

import numpy as np
import pytest
import torch

from torchworks.shared.models.manifest import sha256
from torchworks.shared.numbers.state import rng_state, set_rng_state
from torchworks.shared.training import checkpoint
from torchworks.shared.training.checkpoint import Checkpoint, Damaged
from torchworks.shared.training.guard import TrainingFailed

CPU = torch.device("cpu")


def sample(step, size=1000):
    generator = torch.Generator().manual_seed(step)
    nets = {"model": {"weight": torch.randn(size, generator=generator)}}
    return Checkpoint(step, nets, {"position": step, "moments": torch.randn(size, generator=generator)})


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of steps 10, 20 and 30."""
    for step in (10, 20, 30):
        checkpoint.save(tmp_path / "checkpoints", sample(step))
    return tmp_path / "checkpoints"


def assert_whole(folder, *steps):
    """`folder` holds these checkpoints, all valid, and nothing else."""
    assert sorted(path.name for path in folder.iterdir()) == [checkpoint.path_of(folder, step).name for step in steps]
    for step in steps:
        saved = checkpoint.load(checkpoint.path_of(folder, step))
        assert torch.equal(saved.nets["model"]["weight"], sample(step).nets["model"]["weight"])


def test_everything_comes_back_as_it_was(tmp_path):
    tied = torch.randn(4, 6)
    net = {
        "half": torch.randn(3, dtype=torch.bfloat16), "count": torch.tensor(7), "empty": torch.empty(0),
        "turned": tied.T, "last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }  # fmt: skip
    state = {"rng": rng_state(CPU), "best": {"step": 3, "score": None}, "scores": {"x": 0.1}, "findings": [{"a": 1}]}
    checkpoint.save(tmp_path, Checkpoint(5, {"net": net, "net.ema": {"w": tied}}, state))
    saved = checkpoint.load(checkpoint.path_of(tmp_path, 5))
    assert saved.step == 5
    assert saved.nets.keys() == {"net", "net.ema"}
    for name, tensor in net.items():
        assert saved.nets["net"][name].dtype == tensor.dtype
        assert torch.equal(saved.nets["net"][name], tensor)
    assert saved.state["best"] == state["best"]
    assert saved.state["findings"] == state["findings"]


def test_a_checkpoint_can_be_read_by_whom_the_umask_lets_read(tmp_path):
    before = os.umask(0o022)
    try:
        saved = checkpoint.save(tmp_path, sample(1))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in saved.iterdir()} == {0o644}


def test_random_generators_go_on_where_they_were():
    saved = copy.deepcopy(rng_state(CPU))
    drawn = [random.random(), np.random.rand(), torch.rand(()).item(), random.gauss(0, 1), np.random.randn()]
    set_rng_state(saved, CPU)
    assert drawn == [random.random(), np.random.rand(), torch.rand(()).item(), random.gauss(0, 1), np.random.randn()]


def test_saving_a_step_again_replaces_it(folder):
    checkpoint.save(folder, Checkpoint(20, {"model": {"weight": torch.zeros(3)}}, {}))
    saved = checkpoint.load(checkpoint.path_of(folder, 20))
    assert saved.nets["model"]["weight"].tolist() == [0.0] * 3
    assert checkpoint.steps(folder) == [10, 20, 30]


# ---- damage ------------------------------------------------------------------------------------------------


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "harm", "words"),
    [
        ("model.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes instead of"),
        ("model.safetensors", flip_a_byte, "SHA-256 differs"),
        ("state.pt", flip_a_byte, "SHA-256 differs"),
        ("state.pt", lambda path: path.unlink(), "not a complete checkpoint"),
        ("manifest.json", lambda path: path.unlink(), "not a complete checkpoint"),
        ("manifest.json", lambda path: path.write_text(path.read_text()[:-9]), "not a complete checkpoint"),
        ("manifest.json", lambda path: path.write_text("[]"), "not a complete checkpoint"),
        ("manifest.json", lambda path: path.write_text('{"format": 99, "files": {}}'), "has format 99"),
    ],
)
def test_a_damaged_checkpoint_is_never_read(folder, file, harm, words):
    harm(checkpoint.path_of(folder, 30) / file)
    with pytest.raises(Damaged, match=words):
        checkpoint.load(checkpoint.path_of(folder, 30))


def test_the_newest_that_verifies_is_taken_and_what_was_wrong_with_newer_ones_is_told(folder):
    flip_a_byte(checkpoint.path_of(folder, 30) / "state.pt")
    (checkpoint.path_of(folder, 20) / "model.safetensors").unlink()
    saved, problems = checkpoint.newest(folder)
    assert saved.step == 10
    assert [problem.split("/")[0].split(" ")[0] for problem in problems] == ["step-00000030", "step-00000020"]


def test_where_there_is_none_there_is_none(tmp_path):
    assert checkpoint.newest(tmp_path / "checkpoints") == (None, [])


def test_steps_are_numbers_and_not_words(folder):
    for step in (9, 100_000_000):
        checkpoint.save(folder, sample(step))
    (folder / "step-00000030.bak").mkdir()
    assert checkpoint.steps(folder) == [9, 10, 20, 30, 100_000_000]


def test_a_checkpoint_cannot_run_code(folder, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    path = checkpoint.path_of(folder, 30)
    torch.save({"state": Evil()}, path / "state.pt")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["state.pt"] = {
        "bytes": (path / "state.pt").stat().st_size, "sha256": sha256(path / "state.pt")
    }  # fmt: skip
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load(path)
    assert not (tmp_path / "executed").exists()


# ---- a disk that refuses -----------------------------------------------------------------------------------


@contextlib.contextmanager
def files_no_larger_than(size):
    """The kernel refuses to let any file grow beyond `size` bytes, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("file", ["model.safetensors", "state.pt"])
def test_a_full_disk_costs_the_new_checkpoint_alone(folder, file):
    large, small = torch.zeros(100_000), torch.zeros(1)
    weight, moments = (large, small) if file == "model.safetensors" else (small, large)
    refused = Checkpoint(40, {"model": {"weight": weight}}, {"moments": moments})
    with (
        pytest.raises(TrainingFailed, match=r"step 40 could not be.*File too large.*--resume"),
        files_no_larger_than(50_000),
    ):
        checkpoint.save(folder, refused)
    assert_whole(folder, 10, 20, 30)
    checkpoint.save(folder, sample(40))
    assert_whole(folder, 10, 20, 30, 40)


def test_a_full_disk_does_not_cost_the_checkpoint_that_is_saved_again(folder):
    with pytest.raises(TrainingFailed), files_no_larger_than(50_000):
        checkpoint.save(folder, sample(30, 100_000))
    assert_whole(folder, 10, 20, 30)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in its place")
    with pytest.raises(TrainingFailed, match=str(tmp_path)):
        checkpoint.save(tmp_path / "checkpoints", sample(1))


# ---- housekeeping ------------------------------------------------------------------------------------------


def test_the_newest_ones_and_the_best_are_kept(folder):
    for step in (40, 50):
        checkpoint.save(folder, sample(step))
    checkpoint.prune(folder, keep=2, best=20)
    assert_whole(folder, 20, 40, 50)
    checkpoint.prune(folder, keep=2, best=0)
    assert_whole(folder, 40, 50)


def test_what_a_killed_writer_left_is_cleared_away(folder):
    for name in (".writing-step-00000040", ".old-step-00000030"):
        shutil.copytree(checkpoint.path_of(folder, 30), folder / name)
    assert checkpoint.steps(folder) == [10, 20, 30]
    checkpoint.prune(folder, keep=3, best=None)
    assert_whole(folder, 10, 20, 30)
