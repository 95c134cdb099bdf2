"""A training starts quickly: it imports nothing that it does not use."""

import os
import subprocess
import sys

import pytest

SLOW = (
    "matplotlib", "onnx", "scipy", "skimage", "sklearn", "sympy", "tensorboard", "torch._dynamo", "torch._inductor",
    "torch.distributed.checkpoint", "torch.distributed.fsdp", "torch.distributed.tensor", "torchmetrics", "torchvision",
)  # fmt: skip
"""What may not be imported unless it is used; each takes a noticeable part of the time that PyTorch itself takes."""


def imported(script, *paths):
    """The slow modules in a new process after `script`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    ask = f"import sys; print('\\n', *[name for name in {SLOW} if name in sys.modules], sep=' ')"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{ask}"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_a_dry_run_imports_nothing_slow(toy_path):
    train = "import toy_recipes\nassert toy_recipes.main(['train', 'lean', '--dry-run']) == 0"
    assert imported(train, toy_path) == []


@pytest.mark.parametrize(
    "module",
    ["training.trainer", "training.optim", "fidelity", "data.fitting", "runs.directory", "training.experiment"],
)
@pytest.mark.slow
def test_no_part_of_the_core_imports_anything_slow_before_it_is_used(module):
    assert imported(f"import torchworks.shared.{module}") == []
