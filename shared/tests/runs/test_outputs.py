"""Nothing is replaced unasked, and what cannot be written is found before the work."""

import os
from pathlib import Path

import pytest
from PIL import Image

from torchworks.shared.config import UserError
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file, save_image


def test_a_file_is_replaced_only_if_that_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("kept")
    with pytest.raises(UserError, match=r"a\.txt exists already\. Pass --overwrite"):
        prepare_file(tmp_path / "a.txt", overwrite=False)
    prepare_file(tmp_path / "a.txt", overwrite=True)
    prepare(tmp_path / "new" / "folder", ["a.txt"], overwrite=False)
    assert (tmp_path / "a.txt").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "new"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_that_is_read_is_never_replaced_under_whatever_name(tmp_path, link):
    (tmp_path / "a.txt").write_text("kept")
    link(tmp_path / "a.txt", tmp_path / "b.txt")
    with pytest.raises(UserError, match="is a file that is read"):
        prepare_file(tmp_path / "b.txt", overwrite=True, inputs=[None, tmp_path / "a.txt"])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "is a folder; give the name of a file"),
        ("a.txt/b.txt", "cannot be made: a file of that name exists"),
        ("/dev/full", "is a device or a pipe"),
        pytest.param(
            "/proc/x",
            "/proc cannot be written",
            marks=pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc"),
        ),
    ],
)
def test_what_cannot_be_written_is_found_before_the_work(tmp_path, name, sentence, overwrite):
    (tmp_path / "a.txt").write_text("kept")
    with pytest.raises(UserError, match=sentence):
        prepare_file(tmp_path / name, overwrite=overwrite)


def test_a_dash_is_no_name_of_a_file():
    with pytest.raises(UserError, match="--out - names no file"):
        prepare_file(Path("-"), overwrite=True)


def test_an_image_has_the_name_of_one(tmp_path):
    with pytest.raises(UserError, match=r"--picture .* must end in \.png"):
        prepare_image_file(tmp_path / "a.txt", overwrite=False, option="--picture")


def test_an_image_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    with pytest.raises(OSError, match=r"cannot write mode RGBA.*a\.jpg"):
        save_image(Image.new("RGBA", (4, 4)), tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == before
    save_image(Image.new("RGB", (2, 2), "blue"), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (2, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
