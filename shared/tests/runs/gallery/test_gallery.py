"""Promises of `make gallery`: what the page says, what it leaves out, and that nobody's text becomes markup."""

import base64
import io
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from run_folders import write_run

from torchworks.shared.cli import Command, main
from torchworks.shared.runs.files import held
from torchworks.shared.runs.gallery import pictures, reading
from torchworks.shared.runs.gallery.commands import Gallery
from torchworks.shared.runs.gallery.scores import scores_of

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Read(HTMLParser):
    """The text of a page outside scripts and styles, and its elements."""

    def __init__(self, page: str):
        super().__init__()
        self.text, self.tags, self.scripts, self._inside = "", [], {}, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(dict(attrs).get("id", tag))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside.pop()

    def handle_data(self, data):
        if self._inside:
            self.scripts[self._inside[-1]] = self.scripts.get(self._inside[-1], "") + data
        else:
            self.text += data


def gallery(runs: Path, *words: object) -> int:
    command = Command(Gallery, "torchworks.shared.runs.gallery.use:run")
    return main("torchworks", None, {"gallery": command}, ["gallery", str(runs), *map(str, words)])


def read(runs: Path) -> Read:
    assert gallery(runs) == 0
    return Read((runs / "gallery.html").read_text(encoding="utf-8"))


def test_a_run_is_shown_with_scores_beside_baselines_curves_card_command_and_picture(tmp_path):
    write_run(tmp_path / "cnn-vision/classify-digits/001", accuracy=0.93, command="cnn-vision train classify --seed 7")
    page = read(tmp_path)
    text = " ".join(page.text.split())
    assert "classify on digits" in text
    assert "cnn-vision train classify --seed 7" in text
    assert "A classifier." in text
    assert re.search(
        r"accuracy\s*0\.93\s*majority class\s*0\.1\s*baseline\s*0\.75\s*95 % interval 0\.88 to 0\.98", text
    )
    (run,) = json.loads(page.scripts["data"])
    assert run["curves"]["accuracy"][1] == [10, 20]
    assert len(run["curves"]["train/loss"][2]) == 20
    assert "lr" not in run["curves"]
    assert run["settings"]["optim.lr"] == 0.01
    shown = base64.b64decode(page.scripts["p0-0"].partition(",")[2])
    assert np.asarray(Image.open(io.BytesIO(shown)))[0, 0] == 200  # the last sample, not the first


def test_the_page_is_one_file_that_asks_nobody_for_anything(tmp_path):
    write_run(tmp_path / "001")
    page = read(tmp_path)
    assert not [tag for tag, attrs in page.tags if "src" in attrs or tag == "link"]
    assert all(attrs["href"].startswith(("#", "./")) for tag, attrs in page.tags if "href" in attrs)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_what_runs_say_is_text_and_never_markup(tmp_path):
    folder = write_run(tmp_path / "<b>bold<b>", about=EVIL, command=EVIL, data=EVIL, recipe="</script>" + EVIL)
    result = json.loads((folder / "result.json").read_text())
    result |= {EVIL: 0.5, "findings": [{"step": 3, "cause": EVIL}]}
    (folder / "result.json").write_text(json.dumps(result))
    (tmp_path / "<i>").mkdir()
    (tmp_path / "<i>/config.json").write_text("{")
    page = read(tmp_path)
    tags = [tag for tag, _ in page.tags]
    assert "b" not in tags
    assert "i" not in tags
    assert not [attrs for _, attrs in page.tags if "onerror" in attrs or attrs.get("src")]
    assert tags.count("script") == 3  # the data, the picture, the page's own
    assert page.text.count("<script>alert(1)</script>") >= 5
    assert json.loads(page.scripts["data"])[0]["data"] == EVIL


def test_links_and_html_in_a_card_are_left_as_text(tmp_path):
    write_run(tmp_path / "001", about="[press](javascript:alert(1)) <b>now</b> **so**")
    page = read(tmp_path)
    assert "press" in page.text
    assert "<b>now</b>" in page.text
    assert ("strong", {}) in page.tags
    assert not [attrs for _, attrs in page.tags if "javascript" in attrs.get("href", "")]


def test_broken_unfinished_and_foreign_folders_are_named_with_the_reason(tmp_path, capsys):
    write_run(tmp_path / "good")
    (write_run(tmp_path / "unfinished") / "result.json").unlink()
    (write_run(tmp_path / "damaged") / "result.json").write_text('{"accuracy": 0.')
    (write_run(tmp_path / "list") / "result.json").write_text("[1]")
    (write_run(tmp_path / "lost") / "config.json").unlink()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/config.json").write_text('{"architectures": ["Bert"]}')
    (tmp_path / "empty").mkdir()
    text = " ".join(read(tmp_path).text.split())
    assert "6 folders are left out" not in text
    assert "5 folders are left out" in text
    assert "foreign Its config.json names no package and recipe" in text
    assert "cnn-vision train --resume" in text
    assert "damaged Its result.json cannot be read" in text
    said = capsys.readouterr().out
    assert said.count("left out") == 5
    assert said.strip().endswith("gallery.html")


def test_a_run_in_training_is_called_that(tmp_path):
    write_run(tmp_path / "good")
    folder = write_run(tmp_path / "busy")
    (folder / "result.json").unlink()
    with held(folder):
        assert "busy It is being trained." in " ".join(read(tmp_path).text.split())


def test_damaged_parts_of_a_finished_run_are_named_and_the_rest_is_shown(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "001")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st\n[]\n{"kind": "eval", "step": 20, "accuracy": NaN}\n')
    (folder / "env.json").write_text("no")
    (folder / "samples/bad-1.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    (folder / "samples/huge-1.png").write_bytes(bytes(2000))
    monkeypatch.setattr(pictures, "MOST_READ", 1999)
    page = read(tmp_path)
    text = " ".join(page.text.split())
    assert "2 lines of metrics.jsonl cannot be read." in text
    assert "Its env.json cannot be read" in text
    assert "samples/bad-1.png is not shown" in text
    assert "samples/huge-1.png is not shown" in text
    assert json.loads(page.scripts["data"])[0]["curves"]["accuracy"][1] == [10, 20]


def test_files_that_are_too_large_are_not_read(tmp_path, monkeypatch):
    write_run(tmp_path / "001", about="word " * 200)
    monkeypatch.setattr(reading, "MOST_METRICS", 100)
    monkeypatch.setattr(reading, "MOST_CARD", 400)
    page = read(tmp_path)
    assert "the curves are left out" in page.text
    assert "README.md is cut" in page.text
    assert json.loads(page.scripts["data"])[0]["curves"] == {}
    monkeypatch.setattr(reading, "MOST_JSON", 50)
    assert gallery(tmp_path) == 2


def test_a_picture_of_too_many_pixels_is_not_opened(tmp_path, monkeypatch):
    write_run(tmp_path / "001")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert "is not shown" in read(tmp_path).text


def test_large_pictures_and_long_films_are_made_small(tmp_path):
    folder = write_run(tmp_path / "001", picture=False)
    noise = np.random.default_rng(0).integers(0, 256, (600, 840, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "samples/noise-1.png")
    frames = [Image.new("L", (800, 40), 3 * i) for i in range(80)]
    frames[0].putpixel((0, 0), 255)
    frames[0].save(folder / "samples/film-1.gif", save_all=True, append_images=frames[1:], duration=50)
    film, picture = pictures.media_of(folder, [])
    assert (picture.width, picture.height) == (720, 514)
    assert (film.width, film.height) == (240, 12)
    opened = Image.open(io.BytesIO(base64.b64decode(film.address.partition(",")[2])))
    assert opened.n_frames == 40
    assert film.still.startswith("data:image/")


def test_a_file_that_is_no_gallery_is_never_replaced_and_a_gallery_is(tmp_path, capsys):
    write_run(tmp_path / "runs/001")
    other = tmp_path / "report.html"
    other.write_text("<html>mine</html>")
    assert gallery(tmp_path / "runs", "--out", other) == 2
    assert "not a gallery" in " ".join(capsys.readouterr().err.split())
    assert other.read_text() == "<html>mine</html>"
    made = tmp_path / "new/page.html"
    assert gallery(tmp_path / "runs", "--out", made) == 0
    first = made.read_bytes()
    write_run(tmp_path / "runs/002")
    assert gallery(tmp_path / "runs", "--out", made) == 0
    assert made.read_bytes() != first
    assert [path.name for path in made.parent.iterdir()] == ["page.html"]
    assert gallery(tmp_path / "runs", "--out", tmp_path / "page.txt") == 2


def test_a_folder_without_runs_and_none_at_all_are_said(tmp_path, capsys):
    assert gallery(tmp_path) == 2
    assert gallery(tmp_path / "absent") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "There is no finished run under" in said
    assert "There is no folder" in said


def test_links_are_not_followed_in_circles(tmp_path):
    folder = write_run(tmp_path / "001")
    (folder / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(json.loads(read(tmp_path).scripts["data"])) == 1


@pytest.mark.skipif(os.name == "nt", reason="names of files are text there")
def test_a_name_that_is_no_text_is_written_with_escapes(tmp_path):
    try:
        write_run(tmp_path / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("the file system wants text")
    assert "caf\\udce9" in read(tmp_path).text


def test_scores_take_the_longest_name_that_fits_and_kinds_of_a_score_are_scores():
    result = {"map": 0.5, "map_50": 0.7, "map_constant": 0.1, "map_50_constant": 0.2, "held_map_50": 0.6, "wer": 0.1}
    result |= {"griffin_lim_wer": 0.2, "precision": 0.3, "average_precision": 0.4, "steps": 9, "n_real": 3, "nan": None}
    scores = {score.name: score for score in scores_of(result, ["map", "map_50", "n_real"])}
    assert [*scores] == ["map", "map_50", "wer", "precision", "average_precision", "nan"]
    assert scores["map"].beside == {"constant": 0.1}
    assert scores["map_50"].beside == {"constant": 0.2, "held": 0.6}
    assert scores["wer"].beside == {"griffin lim": 0.2}
    assert scores["nan"].value is None
