"""Picture and table from the command line: trained, scored, asked, exported."""

import json

import pytest
import torch

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.price.metrics import Errors
from torchworks.hybrid_multimodal.price.scaling import Scaling
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.data.mixed_columns import MISSING, MixedColumns
from torchworks.shared.models.predictor import check_golden, load_predictor

SMALL = (
    "--data", "price:train=150,test=40", "--net.widths", 8, 8, "--net.width", 16, "--net.components", 2,
    "--trainer.batch-size", 16, "--precision", "fp32", "--steps", 3,
)  # fmt: skip


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net, evaluated."""
    folder = tmp_path_factory.mktemp("runs") / "price"
    assert run("train", "price", *SMALL, "--out", folder) == 0
    assert run("evaluate", folder) == 0
    return folder


def test_scores_stand_beside_rows_with_gaps_and_what_needs_no_net(trained):
    result = json.loads((trained / "result.json").read_text())
    for end in ("", "_without_picture", "_without_table", "_without_unit", "_table_boosting", "_picture_boosting",
                "_boosting", "_median"):  # fmt: skip
        assert result[f"mae{end}"] >= 0
        assert result[f"median_relative_error{end}"] >= 0
    again = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert again["mae"] == pytest.approx(result["mae"], rel=1e-4)
    assert (trained / "evaluation" / "rows.png").exists()


def test_own_rows_are_answered_and_what_the_model_does_not_know_is_said(trained, tmp_path, capsys):
    examples = trained / "evaluation" / "rows.csv"
    out = tmp_path / "drawn.png"
    assert run("estimate", trained, examples, "--out", out) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert out.exists()
    rows = tmp_path / "rows.csv"
    rows.write_text("image,unit,rate\n,crate,2.5\n,pair,\n")
    assert run("estimate", trained, rows) == 0
    said = capsys.readouterr().out
    assert "has no column discount and no column day" in said
    assert "Training had no unit crate" in said
    assert "line 3" in said


def test_rows_that_cannot_be_read_are_refused_with_the_reason(trained, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    for text, said in (
        ("image,rate\nno.png,2\n", "line 2 names the picture no.png"),
        ("image,rate\n,much\n", "line 2 has the rate 'much', which is no number"),
        ("image,rate\n", "has no row"),
    ):
        rows.write_text(text)
        assert run("estimate", trained, rows) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_what_is_saved_replays_its_example(trained):
    check_golden(trained)


@torch.no_grad()
def test_all_that_is_missing_still_gives_an_answer_in_its_interval(trained):
    predictor = load_predictor(trained)
    inputs = [torch.full((1, *spec.shape[1:]), spec.default).to(getattr(torch, spec.dtype))
              for spec in predictor.signature.inputs]  # fmt: skip
    answer, low, high = predictor(*inputs)
    assert 0 < low <= answer <= high


# ----------------------------------------------------------------------------------------------------------- parts

COLUMNS = MixedColumns(("rate",), {"unit": ("?", "a")})


def tensors(target: list[float]) -> dict[str, torch.Tensor]:
    rate = torch.tensor([1.0, 3.0, MISSING])
    return {"rate": rate, "unit": torch.tensor([0, 1, 1]), "target": torch.tensor(target)}


def test_what_is_not_known_does_not_count_in_the_scaling():
    scaling = Scaling.of(tensors([1.0, 10.0, 100.0]), COLUMNS, "auto")
    assert scaling.center[0][0] == pytest.approx(2)
    assert scaling.scale[0][0] == pytest.approx(1)
    assert scaling.log
    y = torch.tensor([1.0, 50.0])
    torch.testing.assert_close(scaling.told(scaling.learned(y)), y, rtol=1e-4, atol=1e-4)
    assert Scaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


def test_targets_that_are_not_all_positive_are_learned_as_they_are():
    assert not Scaling.of(tensors([-1.0, 0.0, 1.0]), COLUMNS, "auto").log
    with pytest.raises(UserError, match="above 0"):
        Scaling.of(tensors([-1.0, 0.0, 1.0]), COLUMNS, "log")


def test_errors_are_those_over_all_batches():
    errors = Errors("_x")
    for found, target in (([1.0, 2.0], [2.0, 2.0]), ([9.0], [3.0])):
        found, target = torch.tensor(found), torch.tensor(target)
        errors.update(found, found - 1, found + 1, target)
    values = {name: value.item() for name, value in errors.compute().items()}
    assert values == {"mae_x": pytest.approx(7 / 3), "median_relative_error_x": 0.5, "coverage_x": pytest.approx(2 / 3)}
