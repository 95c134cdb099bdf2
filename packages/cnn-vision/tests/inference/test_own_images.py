"""A person's own folder with what goes wrong in such folders, from `check` to `explain`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import main

SHAPES = ("circle", "cross", "square")


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


def shape(name, seed):
    """A filled shape of any colour on a noisy ground of any colour, 40 pixels."""
    random = np.random.default_rng([SHAPES.index(name), seed])
    ground, ink = random.integers(0, 90, 3), tuple(int(value) for value in random.integers(150, 255, 3))
    picture = Image.fromarray((ground + random.integers(0, 40, (40, 40, 3))).astype(np.uint8))
    draw, r = ImageDraw.Draw(picture), int(random.integers(8, 14))
    x, y = random.integers(14, 26, 2).tolist()
    if name == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), ink)
    elif name == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), ink)
    else:
        draw.rectangle((x - r, y - r // 3, x + r, y + r // 3), ink)
        draw.rectangle((x - r // 3, y - r, x + r // 3, y + r), ink)
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes; a broken file, a picture in both parts, and one in printing colours."""
    root = tmp_path_factory.mktemp("own") / "shapes"
    for part, seeds in (("train", range(40)), ("test", range(100, 112))):
        for name in SHAPES:
            (root / part / name).mkdir(parents=True)
            for seed in seeds:
                shape(name, seed).save(root / part / name / f"{seed}.png")
    whole = (root / "train" / "cross" / "7.png").read_bytes()
    (root / "train" / "cross" / "broken.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(root / "train" / "square" / "3.png", root / "test" / "square" / "again.png")
    shape("circle", 50).convert("CMYK").save(root / "train" / "circle" / "print.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "001"
    words = ["--model", "resnet20", "--loader.image-size", "20", "--steps", "60", "--trainer.ema", "0"]
    words += ["--device", "cpu", "--precision", "fp32"]
    assert vision("train", "--data", f"folder:{folder}", "--skip-bad", *words, "--out", out) == 0
    return out


def test_check_names_the_broken_the_doubled_and_the_converted_file(folder, tmp_path, capsys):
    assert vision("check", f"folder:{folder}", "--picture", tmp_path / "nine.png") == 2
    said = capsys.readouterr().out
    assert "needs repair" in said
    for words in (("train/cross/broken.png", "cut off"), ("test/square/again.png", "both"), ("print.jpg", "CMYK")):
        (line,) = [line for line in said.splitlines() if words[0] in line and words[1] in line]
        assert line.strip().startswith(("problem", "warning"))
    with Image.open(tmp_path / "nine.png") as picture:
        assert picture.width > 300


def test_a_broken_file_stops_the_training_unless_it_may_be_skipped(folder, tmp_path, capsys):
    assert vision("train", "--data", f"folder:{folder}", "--out", tmp_path / "run") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "broken.png" in said
    assert "skip-bad" in said
    assert not (tmp_path / "run").exists()


def test_the_trained_net_labels_new_files(run, tmp_path, capsys):
    for name in SHAPES:
        for seed in range(200, 204):
            shape(name, seed).save(tmp_path / f"{name}-{seed}.png")
    assert vision("predict", run, tmp_path, "--top", 1) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 12
    right = [Path(path).name.startswith(label) for path, label, _ in map(str.split, lines)]
    assert sum(right) >= 10


def test_explain_writes_overlays(run, tmp_path, capsys):
    shape("circle", 300).save(tmp_path / "new.png")
    assert vision("explain", run, tmp_path / "new.png", "--out", tmp_path / "heat") == 0
    with Image.open(tmp_path / "heat" / "explanations.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert (pixels.max(2) - pixels.min(2)).max() > 60


def test_evaluate_refuses_a_table_with_other_classes_and_takes_one_with_the_same(run, tmp_path, capsys):
    rows = []
    for name in SHAPES:
        for seed in range(400, 404):
            shape(name, seed).save(tmp_path / f"{name}{seed}.png")
            rows.append(f"{name}{seed}.png,{name}")
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows]))
    assert vision("evaluate", run, "--data", f"csv:{tmp_path / 'table.csv'}", "--out", tmp_path / "scores") == 0
    assert (tmp_path / "scores" / "report.html").is_file()
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows]).replace(",cross", ",star"))
    assert vision("evaluate", run, "--data", f"csv:{tmp_path / 'table.csv'}", "--out", tmp_path / "other") == 2
    assert "unknown to the run star; missing cross" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_a_table_of_sets_of_labels_is_learnt_evaluated_and_predicted(tmp_path, capsys):
    random = np.random.default_rng(0)
    rows = ["path,label"]
    for number in range(160):
        pixels, found = random.integers(0, 60, (16, 16), dtype=np.uint8), []
        if random.random() < 0.4:
            found.append("stripe")
            pixels[random.integers(2, 14)] = 255
        if random.random() < 0.4:
            found.append("spot")
            y, x = random.integers(2, 12, 2)
            pixels[y : y + 3, x : x + 3] = 255
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'|'.join(found) or 'No Finding'}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    data = ["--data", f"csv:{tmp_path / 'table.csv'}", "--multi-label", "--loader.image-size", "16"]
    assert (
        vision("check", f"csv:{tmp_path / 'table.csv'}", "--loader.multi-label", "--picture", tmp_path / "nine.png")
        == 0
    )
    assert "No Finding" in capsys.readouterr().out
    run = tmp_path / "run"
    words = [*data, "--steps", "60", "--device", "cpu", "--precision", "fp32"]
    assert vision("train", "medical", *words, "--out", run) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["auroc"] > 0.85
    assert json.loads((run / "model.json").read_text())["labels"] == ["spot", "stripe"]
    assert vision("evaluate", run) == 0
    assert "sensitivity" in capsys.readouterr().out
    assert vision("predict", run, tmp_path / "0.png") == 0
    assert "spot" in capsys.readouterr().out
