"""Every recipe of every package trains in every precision, whichever of them `auto` would take on this machine.

The recipes are those that the command line finds, so that a new one joins by itself. A dry run checks everything, makes
two steps and evaluates once.
"""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from torchworks.shared.cli import main
from torchworks.shared.config import find_recipe
from torchworks.shared.data import loading
from torchworks.shared.machine.facts import cpu_flags

GROUP = "torchworks.recipes."
RECIPES = sorted(
    (group.removeprefix(GROUP), point.name)
    for group in entry_points().groups
    if group.startswith(GROUP)
    for point in entry_points(group=group)
)
FEWER = {
    "scenes": "train=16,test=4",
    "roads": "train=16,test=4",
    "counterpoint": "train=12,test=4",
    "numbers": "train=600,test=40",
    "demand": "series=4,days=300",
    "facts": "train=200,test=40",
    "shapes": "train=4,test=4",
    "scene-questions": "train=24,test=4",
    "digit-scenes": "train=24,test=4",
    "colored-digits": "train=24,test=4",
    "actions": "train=24,test=4",
    "lead": "train=40,test=4",
    "price": "train=40,test=4",
    "pronunciations": "words=300",
    "speech-segments": "train=6,test=5",
    "speaker-pairs": "train=4,test=2,each=2",
    "spoken": "train=24,test=4",
    "sentences": "train=16,test=4",
}
"""Options of generated sources: recipes draw thousands of samples before their first step."""
FEW_FACES = "generated-faces:person=3,train=12,test=4+generated-faces:person=8,train=12,test=4"
PIXELS = ["--data", "PixelBreakout10-v0", "--net.width", "16"]
WORDS = {
    ("cnn_vision", "anomaly"): ["--pretrained", "FEATURES", "--coreset", "0.002"],
    ("cnn_vision", "style-adain"): ["--features", "FEATURES", "--loader.image-size", "32", "--size", "32"],
    ("cnn_vision", "style-fast"): ["--features", "FEATURES", "--loader.image-size", "32", "--size", "32"],
    ("cnn_vision", "transfer"): ["--pretrain-steps", "2"],
    ("diffusion", "few-step"): ["--teacher.batch-size", "4", "--pairs.count", "8", "--pairs.steps", "2"],
    ("diffusion", "text2image"): ["--sampling.steps", "2", "--net.widths", "16", "32"],
    ("diffusion", "text2image-3"): ["--sampling.steps", "2"],
    ("gans", "face-swap"): ["--data", FEW_FACES],
    ("gans", "swap-detector"): ["--data", FEW_FACES, "--unseen", FEW_FACES, "--swap-steps", "2"],
    ("rl", "a3c"): ["--workers", "1"],
    ("rl", "connect-four"): ["--play.boards", "8", "--play.search", "2", "--play.warmup", "40"],
    ("rl", "dqn-atari"): [*PIXELS, "--replay.warmup", "40", "--replay.capacity", "60"],
    ("rl", "ppo-atari"): [*PIXELS, "--rollout.steps", "4"],
    ("rl", "ppo-lstm"): ["--rollout.steps", "4"],
    ("seq_models", "code"): ["--data", "documentation"],
}
"""More words for recipes that would train another net first, for minutes, that look at hundreds of large images, that
ask their net many times for an image or a move, that cut millions of characters into tokens, or that start processes;
for sequences that are longer than a small batch; FEATURES is a net that was never trained."""
SMALL = 4
"""Samples of a batch: a CPU that imitates bf16 takes half a minute for some recipes' own, and types are the same."""
SLOW = [
    ("cnn_vision", "cells"),
    ("cnn_vision", "classify"),
    ("cnn_vision", "drive"),
    ("cnn_vision", "features"),
    ("cnn_vision", "medical"),
    ("cnn_vision", "segment"),
    ("cnn_vision", "speed"),
    ("cnn_vision", "style-adain"),
    ("cnn_vision", "style-fast"),
    ("diffusion", "latent"),
    ("diffusion", "text2image"),
    ("diffusion", "text2image-3"),
    ("gans", "cgan"),
    ("gans", "cyclegan"),
    ("gans", "stylegan2"),
    ("seq_models", "classify-minilm"),
    ("seq_models", "code"),
]
"""Recipes that take more than 5 seconds in bf16 or fp16 on a CPU that has to imitate it."""


def each(precision: str, *marks: pytest.MarkDecorator) -> list:
    """A parameter for each recipe."""
    return [
        pytest.param(
            *recipe,
            precision,
            id="-".join((*recipe, precision)),
            marks=[*marks, *[pytest.mark.slow] * (precision != "fp32" and recipe in SLOW)],
        )
        for recipe in RECIPES
    ]


@pytest.fixture(scope="module")
def features(tmp_path_factory) -> Path:
    """A run of the recipe features, as far as other recipes look at it, with weights that were never trained."""
    import torch
    from safetensors.torch import save_file

    from torchworks.cnn_vision.models.vgg_features import small_layers

    folder = tmp_path_factory.mktemp("features")
    torch.manual_seed(0)
    save_file(small_layers().state_dict(), folder / "model.safetensors")
    return folder


def dry_run(package: str, recipe: str, precision: str, device: str, request: pytest.FixtureRequest) -> int:
    """The exit code of `train RECIPE --dry-run`."""
    words = ["train", recipe, "--dry-run", "--device", device, "--precision", precision]
    config = find_recipe(package, recipe)()
    if config.trainer.batch_size > SMALL:
        words += ["--trainer.batch-size", str(SMALL)]
    source, colon, options = config.data.partition(":")
    if source in FEWER:
        words += ["--data", f"{source}:{options}{',' if colon else ''}{FEWER[source]}"]
    for word in WORDS.get((package, recipe), []):
        words.append(str(request.getfixturevalue("features")) if word == "FEATURES" else word)
    return main(package, recipe, {}, [*words, "--debug"])


COMPUTES_IN_FP16 = pytest.mark.skipif("avx512_fp16" not in cpu_flags(), reason="this CPU does not compute in fp16")


@pytest.mark.parametrize(
    ("package", "recipe", "precision"), [*each("fp32"), *each("bf16"), *each("fp16", COMPUTES_IN_FP16)]
)
def test_every_recipe_trains_in_every_precision_on_a_cpu(package, recipe, precision, request, monkeypatch):
    monkeypatch.setattr(loading, "EVALUATION_BATCH", SMALL)
    assert dry_run(package, recipe, precision, "cpu", request) == 0


@pytest.mark.parametrize(
    ("package", "recipe", "precision"), [p for name in ("fp32", "bf16", "fp16") for p in each(name, pytest.mark.gpu)]
)
def test_every_recipe_trains_in_every_precision_on_a_gpu(package, recipe, precision, request):
    assert dry_run(package, recipe, precision, "cuda", request) == 0


def test_exceptions_are_of_recipes_that_there_are():
    assert RECIPES
    assert {*WORDS, *SLOW} <= {*RECIPES}


@pytest.mark.slow
@pytest.mark.parametrize(("forced", "dtype"), [("1", "torch.bfloat16"), ("0", "torch.float32")])
def test_the_precision_that_auto_takes_can_be_forced_for_tests(forced, dtype):
    """As conftest.py does, for processes that tests start."""
    path = os.pathsep.join([str(Path(__file__).parent / "forced"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", "from torchworks.shared.machine.device import choose; print(choose('cpu').dtype)"],
        env=os.environ | {"PYTHONPATH": path, "TORCHWORKS_TEST_BF16": forced},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == dtype
