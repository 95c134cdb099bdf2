"""The report stands alone, and scores mean what they say."""

import re

import numpy as np
import pytest
from PIL import Image
from report_page import check_page

from torchworks.lessons.capstone import figures, modelling
from torchworks.lessons.capstone.__main__ import tell
from torchworks.lessons.capstone.report import Chapter, write_report
from torchworks.lessons.capstone.scoring import Score, gain, mean_auroc, score
from torchworks.lessons.capstone.settings import FULL, QUICK
from torchworks.shared.config import UserError


def test_the_report_has_no_outside_assets_and_every_figure_says_what_it_shows(tmp_path):
    Image.new("RGB", (3000, 40), "red").save(tmp_path / "wide.png")
    chapter = Chapter("A <step>")
    chapter.text("Text & more")
    chapter.command("cnn-vision check csv:x", "1 < 2\n" + "line\n" * 60)
    chapter.picture(tmp_path / "wide.png", 'A red "bar" of no meaning.', "Below it.")
    chapter.table("Scores", ("method", "value"), ("net", 0.9))
    text = write_report(tmp_path / "report.html", [chapter], ["Summary."], "It <ended> early.").read_text()
    page = check_page(text)
    assert "&lt;step&gt;" in text
    assert "It &lt;ended&gt; early." in text
    assert "lines more" in text
    assert next(attributes for tag, attributes in page.elements if tag == "img")["width"] == "1400"
    assert '<div class="scroll" tabindex="0"><img ' in text, "wide figures are too small to read on a phone"
    assert {path.name for path in tmp_path.iterdir()} == {"wide.png", "report.html"}


def test_the_score_is_the_share_of_pairs_in_the_right_order():
    random = np.random.default_rng(0)
    truth, probability = random.random((40, 3)) < 0.4, np.round(random.random((40, 3)), 1)
    areas = []
    for has, values in zip(truth.T, probability.T, strict=True):
        above = np.sign(values[has][:, None] - values[~has][None]) / 2 + 0.5
        areas.append(above.mean())
    assert mean_auroc(truth, probability) == pytest.approx(np.mean(areas))


def test_images_of_one_patient_do_not_make_the_interval_narrower():
    random = np.random.default_rng(0)
    truth = random.random((60, 3)) < 0.4
    probability = truth * 0.4 + random.random((60, 3))
    once = score(truth, probability, [str(i) for i in range(60)], 300)
    again = score(np.repeat(truth, 4, 0), np.repeat(probability, 4, 0), [str(i // 4) for i in range(240)], 300)
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=0.15)
    assert once.low < once.value < once.high
    low, high = gain(once, again)
    assert low < 0 < high


@pytest.mark.parametrize(
    "draw", [figures.draw_duel, lambda path, scores: figures.draw_scores(path, {"net": [*scores.values()]})]
)
def test_no_interval_is_cut_off_by_its_figure(tmp_path, monkeypatch, draw):
    drawn = []
    monkeypatch.setattr(figures, "_save", lambda figure, path: drawn.append(figure))
    draw(tmp_path, {"bad": Score(0.12, 0.05, 0.2, 9, np.zeros(1)), "good": Score(0.9, 0.8, 1.0, 9, np.zeros(1))})
    low, high = drawn[0].axes[0].get_xlim()
    assert low < 0.05
    assert high > 1.0


@pytest.mark.parametrize(("sizes", "says"), [(QUICK, True), (FULL, False)])
def test_the_report_of_a_quick_run_says_that_its_models_are_good_for_nothing(tmp_path, monkeypatch, sizes, says):
    monkeypatch.setattr(modelling, "draw_data", lambda story: (_ for _ in ()).throw(UserError("Enough.")))
    with pytest.raises(UserError):
        tell(tmp_path, sizes)
    assert ("good for nothing" in (tmp_path / "report.html").read_text()) is says


def test_each_interval_is_written_with_its_score():
    found = score(np.eye(3, dtype=bool).repeat(9, 0), np.eye(3).repeat(9, 0), [str(i) for i in range(27)], 20)
    assert re.fullmatch(r"1\.000 \(1\.000 to 1\.000\)", str(found))
