"""The loop over image files: a line for each, a table, drawings, and the files that cannot be used named at the end."""

import csv
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from torchworks.cnn_vision.inference.dispatch import COMMANDS, JOBS
from torchworks.shared.config import UserError
from torchworks.shared.data.images import read
from torchworks.shared.inference.files import ImageFiles, Prediction, predict_files, write_table


def gray(path: Path) -> int:
    """A stand-in for a model: the gray value of a file's first pixel. Raises `Unreadable`."""
    return int(read(path, 1, 1))


def said(values: list[int]) -> list[Prediction]:
    return [Prediction(f"gray {value}", [[value, i] for i in range(value % 3)], image(value)) for value in values]


def image(value: int) -> Image.Image:
    return Image.new("L", (2, 2), value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five images, one of them in a sub-folder, and a file that is none."""
    (tmp_path / "images" / "more").mkdir(parents=True)
    for value, name in enumerate(("a.png", "b.png", "c.png", "d.png", "more/a.png")):
        image(value).save(tmp_path / "images" / name)
    return tmp_path / "images"


def test_every_image_gets_a_line_its_rows_and_its_drawing(folder: Path, tmp_path: Path, capsys):
    table, drawings = tmp_path / "table.csv", tmp_path / "drawn"
    predict_files([folder], gray, said, columns=["gray", "number"], table=table, drawings=drawings, chunk=2)
    *lines, last = capsys.readouterr().out.splitlines()
    names = ["a.png", "b.png", "c.png", "d.png", "more/a.png"]
    assert [line.split() for line in lines] == [[str(folder / n), "gray", str(i)] for i, n in enumerate(names)]
    assert len({line.index("gray") for line in lines}) == 1
    assert last == str(drawings)
    with table.open() as file:
        head, *rows = csv.reader(file)
    assert head == ["path", "gray", "number"]
    assert [(Path(path).name, gray, number) for path, gray, number in rows] == [
        ("b.png", "1", "0"), ("c.png", "2", "0"), ("c.png", "2", "1"), ("a.png", "4", "0"),
    ]  # fmt: skip
    assert {path.name: gray_of(path) for path in drawings.iterdir()} == {
        "a.png": 0, "b.png": 1, "c.png": 2, "d.png": 3, "more-a.png": 4,
    }  # fmt: skip


def gray_of(path: Path) -> int:
    with Image.open(path) as found:
        return int(found.getpixel((0, 0)))


def test_unreadable_files_are_named_when_all_others_are_done(folder: Path, tmp_path: Path, capsys):
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"2 of the images could not be used.*missing.png.*broken.png"):
        predict_files([tmp_path / "missing.png", folder], gray, said, columns=["gray"], chunk=3)
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_table_has_names_that_are_no_text_as_they_are(tmp_path: Path):
    write_table(tmp_path / "table.csv", ["path", "猫"], [["cat\udcff.png", "0.5"]])
    assert (tmp_path / "table.csv").read_bytes() == "path,猫\r\ncat".encode() + b"\xff.png,0.5\r\n"


def test_a_drawing_never_replaces_an_image_that_is_read(folder: Path):
    with pytest.raises(UserError, match=r"a.png is one of the images to read, and would be replaced"):
        predict_files([folder], gray, said, columns=["gray"], drawings=folder)
    assert gray_of(folder / "more" / "a.png") == 4


def test_no_more_images_than_a_chunk_are_held_at_once(folder: Path):
    files = ImageFiles([folder])
    assert [len(chunk) for chunk in files.chunks(gray, 2)] == [2, 2, 1]
    assert list(ImageFiles([folder]).read(gray).values()) == [0, 1, 2, 3, 4]


def test_every_builder_of_the_package_has_a_job_or_another_command():
    ours = {point.name for point in entry_points(group="torchworks.builders") if "cnn_vision" in point.value}
    assert ours == JOBS.keys() | COMMANDS.keys()
    for job in JOBS.values():
        assert find_spec(f"torchworks.cnn_vision.{job}.use")
