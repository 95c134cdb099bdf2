"""What data are made of, and what is said where a recipe needs others."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, from_dict
from torchworks.shared.data import Field, Schema, check, open_source, run_check


def test_fields_are_given_in_the_order_in_which_they_are_needed():
    image, label = Field("image", "image", (1, 8, 8)), Field("label", "label", (), ("a", "b"))
    assert Schema((image, label)).need("label", "image") == (label, image)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ((Field("tokens", "tokens", (16,)),), "needs images and labels; the data has tokens"),
        ((Field("image", "image", (1, 8, 8)),), "needs images and labels; the data has images. Name data with labels"),
        ((), "needs images and labels; the data has nothing that is described"),
    ],
)
def test_data_without_what_a_recipe_needs_are_a_mistake_of_the_user_s(fields, said):
    with pytest.raises(UserError, match=said):
        Schema(fields).need("image", "label")


@pytest.mark.usefixtures("manual")
def test_the_message_names_the_source():
    with pytest.raises(UserError, match="This recipe needs images; 'manual' has tokens"):
        open_source("manual", LoaderConfig()).need("image")


@pytest.mark.usefixtures("manual")
def test_data_without_images_are_checked_and_cannot_be_drawn(tmp_path, capsys):
    assert run_check(SimpleNamespace(data="manual", picture=None, overwrite=False)) == 0
    printed = capsys.readouterr().out
    assert "10 for training and 10 for testing, tokens. Licence: CC0" in printed
    assert "Only 10 training samples" in printed
    with pytest.raises(UserError, match="draws samples that are images, but manual has tokens"):
        run_check(SimpleNamespace(data="manual", picture=tmp_path / "nine.png", overwrite=False))
    assert not (tmp_path / "nine.png").exists()


@pytest.mark.parametrize("spec", ["digits", "printed-digits", "folder:flowers", "csv:flowers.csv", "torchvision:MNIST"])
def test_a_recipe_that_reads_no_images_is_told_so_by_sources_of_images(spec):
    kind = spec.partition(":")[0]
    for look in (open_source, check):
        with pytest.raises(UserError, match=f"'{kind}' has images, but this recipe does not read images"):
            look(spec, LoaderConfig())


def test_settings_of_images_saved_by_older_runs_are_read():
    saved = {"image_size": 48, "channels": 3, "kind": "stream", "workers": 2, "skip_bad": True, "multi_label": True}
    saved |= {"test_fraction": 0.1, "download": True, "root": "a/b"}
    read = from_dict(ImageConfig, saved)
    assert read == ImageConfig("stream", 2, True, 0.1, True, Path("a/b"), 48, 3, True)


def test_a_source_brings_its_own_check(tmp_path, monkeypatch):
    (tmp_path / "checked_of_somebody.py").write_text(
        "from torchworks.shared.data import CheckedOpener, Report\n"
        "from torchworks.shared.data.report import Finding\n"
        "def fail(rest, config, seed):\n    raise AssertionError('opened')\n"
        "def look(spec, config, seed):\n    return Report(spec, (Finding('problem', 'line 3 is empty'),), None)\n"
        "lines = CheckedOpener(fail, look)\n"
    )
    info = tmp_path / "checked-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: checked\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[torchworks.sources]\nlines = checked_of_somebody:lines\n")
    monkeypatch.syspath_prepend(tmp_path)
    report = check("lines:PATH", LoaderConfig())
    assert str(report) == "lines:PATH needs repair\n  problem: line 3 is empty"
    with pytest.raises(AssertionError, match="opened"):
        open_source("lines:PATH", LoaderConfig())


def test_an_unknown_field_is_a_key_error():
    with pytest.raises(KeyError, match="image"):
        Schema(())["image"]
