"""Camera and range sensor from the command line: trained, scored, asked, exported."""

import json

import numpy as np
import pytest
import torch

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.lead.baselines import runs
from torchworks.hybrid_multimodal.lead.config import LeadConfig
from torchworks.hybrid_multimodal.lead.failures import without
from torchworks.hybrid_multimodal.lead.task import NO_DIGIT, Leading, digits_by_column
from torchworks.hybrid_multimodal.models.bearing_fusion import BearingFusion
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom

SMALL = (
    "--data", "lead:train=60,test=20", "--net.widths", 8, 8, 8, 8, "--net.width", 8, "--trainer.batch-size", 16,
    "--precision", "fp32", "--steps", 3,
)  # fmt: skip


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net, evaluated."""
    folder = tmp_path_factory.mktemp("runs") / "lead"
    assert run("train", "lead", *SMALL, "--out", folder) == 0
    assert run("evaluate", folder) == 0
    return folder


def test_scores_stand_beside_sensors_that_fail_and_what_needs_no_fusion(trained):
    result = json.loads((trained / "result.json").read_text())
    for end in ("", "_camera_dark", "_range_off", "_both_off", "_mean", "_coin", "_nearest", "_rule"):
        assert result[f"mae{end}"] >= 0
    assert 0 <= result["coverage"] <= 1
    assert result["mae_rule"] < result["mae_brightest_column"] < result["mae_mean"]
    again = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert again["mae"] == pytest.approx(result["mae"], rel=1e-4)
    assert (trained / "evaluation" / "scenes.png").exists()


def test_own_scenes_are_answered_as_a_table_and_as_arrays(trained, tmp_path, capsys):
    table = trained / "evaluation" / "scenes.csv"
    out = tmp_path / "drawn.png"
    assert run("estimate", trained, table, "--out", out) == 0
    first = capsys.readouterr().out.splitlines()[0].split()
    assert first[0] == "scene-1.png"
    low, distance, high = float(first[3]), float(first[1]), float(first[5])
    assert low <= distance <= high
    assert out.exists()
    arrays = tmp_path / "scenes.npz"
    np.savez(arrays, range=np.full((2, 64), 5.0))
    assert run("estimate", trained, arrays) == 0
    assert "camera dark" in capsys.readouterr().out
    assert run("estimate", trained, table, "--out", trained / "evaluation" / "scene-1.png", "--overwrite") == 2
    assert "would be replaced" in " ".join(capsys.readouterr().err.split())


def test_scenes_that_cannot_be_read_are_refused_with_the_reason(trained, tmp_path, capsys):
    table, arrays, objects = tmp_path / "scenes.csv", tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(arrays, camera=np.zeros((1, 4, 4, 3), np.uint8))
    np.savez(objects, range=np.array([None]))
    for text, said in (
        ("camera,range\nno.png,1 2\n", "line 2 names the image no.png"),
        ("camera,range\n,1 2\n", "line 2 has 2 beams, but the model reads 64"),
        (f"camera,range\n,{'-1 ' * 64}\n", "below 0"),
        ("camera,range\n,a b\n", "not numbers"),
        ("image,price\n1,2\n", "lacks the column"),
    ):
        table.write_text(text)
        assert run("estimate", trained, table) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    for file, said in ((arrays, "should be uint8 (1, 32, 64, 3)"), (objects, "is no .npz file of numbers")):
        assert run("estimate", trained, file) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_what_is_saved_replays_its_example(trained):
    check_golden(trained)


@torch.no_grad()
def test_a_sensor_that_is_not_to_be_used_is_as_one_that_fails(trained):
    predictor = load_predictor(trained)
    camera = torch.randint(0, 256, (2, 3, 32, 64), dtype=torch.uint8)
    beams, on, off = torch.rand(2, 64) * 20, torch.ones(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    for found, expected in (
        (predictor(camera, beams, off, on), predictor(torch.zeros_like(camera), beams, on, on)),
        (predictor(camera, beams, on, off), predictor(camera, torch.zeros_like(beams), on, on)),
    ):
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b)


def test_data_without_sensors_are_refused(capsys):
    assert run("train", "lead", "--data", "digits", "--dry-run") == 2
    assert "does not read images" in " ".join(capsys.readouterr().err.split())


def test_arrays_that_are_no_scenes_are_refused_with_the_reason(trained, tmp_path, capsys):
    beams = np.ones((2, 64), np.float32)
    kinds = {
        "scalar": {"range": np.float32(1)}, "text": {"range": np.full((2, 64), "near")}, "none": {"range": beams[:0]},
        "complex": {"range": beams.astype(complex)}, "times": {"range": beams.astype("datetime64[s]")},
    }  # fmt: skip
    for name, arrays in kinds.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
    np.save(tmp_path / "single.npy", beams)
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    (tmp_path / "empty.npz").touch()
    (tmp_path / "words.npz").write_text("range,1", encoding="utf-8")
    for name in (*kinds, "single", "empty", "words"):
        assert run("estimate", trained, tmp_path / f"{name}.npz") == 2, name
        said = capsys.readouterr().err
        assert f"{name}.npz" in said
        assert "pickle" not in said


def test_recipes_of_other_answers_have_no_estimate(tmp_path, capsys):
    assert run("estimate", tmp_path, tmp_path / "rows.csv") == 2
    assert "Traceback" not in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------------------- parts


def batch() -> dict[str, torch.Tensor]:
    return {
        "image": torch.rand(4, 3, 32, 64) * 2 - 1,
        "beams": torch.rand(4, 64) * 20 + 0.1,
        "distance": torch.rand(4) * 20,
        "columns": torch.tensor([[[0, 8], [30, 41]]]).expand(4, -1, -1),
        "digits": torch.tensor([[3, 7]]).expand(4, -1),
    }


def test_sensors_fail_as_often_as_is_said_and_alone_or_together():
    seen = []

    class Spy(BearingFusion):
        def forward(self, images, beams):
            seen.append(torch.stack([images.amax((1, 2, 3)) > -1, beams.amax(1) > 0], 1))
            return super().forward(images, beams)

    task = Leading(Spy(widths=(4, 4, 4, 4), width=4), lr=1e-3, failures=0.3, name_digits=1.0)
    task.random = StepRandom(0)
    for step in range(60):
        task.random.at(step)
        out = task.loss("train", batch())
    assert out.logs["digit_loss"] > 0
    share = torch.cat(seen).float().mean(0)
    assert (share - 0.7 * 0.91).abs().max() < 0.1


def test_a_sensor_is_taken_away_and_the_other_left():
    images, beams = batch()["image"], batch()["beams"]
    dark, kept = without(images, beams, torch.tensor([False, True]))
    assert (dark == -1).all()
    assert torch.equal(kept, beams)


def test_columns_have_the_digit_before_their_middle():
    found = digits_by_column(batch(), 16)
    assert found[0].tolist() == [3, 3, *[NO_DIGIT] * 5, 7, 7, 7, *[NO_DIGIT] * 6]


def test_echoes_of_about_one_distance_are_an_object():
    line = torch.tensor([25.0, 3.0, 0.0, 3.2, 25.0, 9.0, 25.0, 12.0, 12.1, 18.0, 18.3, 0.0])
    assert list(runs(line, 21.8)) == [[1, 3], [7, 8], [9, 10]]


def test_the_recipe_needs_no_torch_to_be_configured():
    assert LeadConfig(recipe="lead").net.fusion == "bearing"
