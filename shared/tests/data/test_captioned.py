"""A user's own images with captions."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from torchworks.shared.cli import check_command, main
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, check, open_source
from torchworks.shared.data.captions import captions_in

CAPTIONS = {f"{i}.png": f"a {color} wall" for i, color in enumerate(["red", "green", "blue", "grey"] * 3)}


@pytest.fixture
def config(tmp_path):
    return ImageConfig(image_size=16, root=tmp_path / "cache", skip_bad=False)


def draw(folder: Path, names=CAPTIONS) -> Path:
    """Images of different sizes and colors, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + i, 18), (20 * i % 256, 100, 255 - 20 * i % 256)).save(folder / name)
    return folder


def as_csv(folder: Path, rows: dict[str, str] = CAPTIONS) -> Path:
    lines = ["file,caption", *(f'{file},"{caption}"' for file, caption in rows.items())]
    (draw(folder) / "captions.csv").write_text("\n".join(lines))
    return folder


def as_tsv(folder: Path) -> Path:
    lines = ["file\tcaption", *(f"{file}\t{caption}" for file, caption in CAPTIONS.items())]
    (draw(folder) / "captions.tsv").write_text("\n".join(lines))
    return folder


def as_jsonl(folder: Path) -> Path:
    lines = [json.dumps({"file_name": file, "text": caption}) for file, caption in CAPTIONS.items()]
    (draw(folder) / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def as_texts(folder: Path) -> Path:
    draw(folder)
    for file, caption in CAPTIONS.items():
        (folder / file).with_suffix(".txt").write_text(f"{caption}\n")
    return folder


def pairs(source: Source) -> dict[str, str]:
    """The caption of each file."""
    return {
        file.name: text
        for part in (source.train, source.test)
        for file, text in zip(part.files, captions_in(part), strict=True)
    }


@pytest.mark.parametrize("write", [as_csv, as_tsv, as_jsonl, as_texts])
def test_captions_are_read_in_every_form(write, tmp_path, config):
    source = open_source(f"captioned:{write(tmp_path / 'data')}", config)
    assert pairs(source) == CAPTIONS
    sample = source.train[0]
    assert sample["image"].shape == (3, 16, 16)
    assert bytes(sample["caption"].tolist()).decode() == captions_in(source.train)[0]
    assert sample["caption"].dtype == torch.uint8


def test_a_table_in_a_folder_may_name_files_in_folders_and_their_part(tmp_path, config):
    folder = draw(tmp_path / "data", ["a/1.png", "a/2.png", "b/1.png"])
    rows = ["a/1.png,a house,train", "a\\2.png,a tree,train", "b/1.png,a cat,test"]
    (folder / "captions.csv").write_text("\n".join(["file,caption,split", *rows]))
    source = open_source(f"captioned:{folder}", config)
    assert (captions_in(source.train), captions_in(source.test)) == (["a house", "a tree"], ["a cat"])


def test_folders_of_a_split_are_kept_apart(tmp_path, config):
    as_texts(tmp_path / "data" / "train")
    test = draw(tmp_path / "data" / "test", ["x.png"])
    Image.new("RGB", (30, 30), (1, 2, 3)).save(test / "x.png")
    (test / "captions.csv").write_text("file,caption\nx.png,a dark wall")
    source = open_source(f"captioned:{tmp_path / 'data'}", config)
    assert captions_in(source.test) == ["a dark wall"]
    assert len(source.train) == len(CAPTIONS)


def test_captions_of_one_image_stay_on_one_side(tmp_path, config):
    folder = draw(tmp_path / "data")
    lines = [f"{file},{caption} {word}" for file, caption in CAPTIONS.items() for word in ("here", "there", "now")]
    (folder / "captions.csv").write_text("\n".join(["file,caption", *lines]))
    source = open_source(f"captioned:{folder}", config)
    assert len(source.train) + len(source.test) == 3 * len(CAPTIONS)
    assert not {*source.train.files} & {*source.test.files}
    assert "several captions" in str(check(f"captioned:{folder}", config))


def faulty(folder: Path) -> Path:
    """With everything that can be wrong."""
    draw(folder, [*CAPTIONS, "bare.png", "void.png", "twin.png"])
    (folder / "twin.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no image")
    rows = [
        *(f"{file},{caption},{'test' if i > 8 else 'train'}" for i, (file, caption) in enumerate(CAPTIONS.items())),
        "gone.png,a lost wall,train",
        "void.png,,train",
        "twin.png,a red wall,test",
        "broken.png,a broken wall,train",
        f"1.png,{'very ' * 40}long,train",
        "2.png,a blue wall,sometimes",
    ]
    (folder / "captions.csv").write_text("\n".join(["file,caption,split", *rows]))
    return folder


def test_check_names_everything_that_is_wrong(tmp_path, config):
    report = check(f"captioned:{faulty(tmp_path / 'data')}", config)
    said = {line for line in map(str, report.findings)}
    assert not report.ok
    for level, text in {
        ("problem", "Captions whose image is not there: 1 (line 14 of captions.csv: gone.png)"),
        ("problem", "Images whose caption is empty: 1 (line 15 of captions.csv: void.png)"),
        ("problem", "Images that cannot be read: 1 (line 17 of captions.csv: broken.png (it is not an image))"),
        ("problem", "Lines whose split is neither train nor test: 1 (line 19 of captions.csv: 2.png, 'sometimes')"),
        ("warning", "Images without a caption, left out: 1 (bare.png)"),
        ("warning", "Images in both training and testing (testing keeps them): 1 ("),
        ("warning", "Captions of more than 32 words, whose rest a model does not read unless --longest says more: 1"),
        ("warning", "Words seen once in training, too rarely to be learned: 1 (long)"),
    }:
        assert any(line.startswith(f"{level}: {text}") for line in said), text


def test_what_is_wrong_stops_a_training_and_can_be_left_out(tmp_path, config):
    folder = faulty(tmp_path / "data")
    with pytest.raises(UserError, match=r"gone\.png.*--loader\.skip-bad"):
        open_source(f"captioned:{folder}", config)
    source = open_source(f"captioned:{folder}", ImageConfig(image_size=16, root=config.root, skip_bad=True))
    assert {file.name for file in source.train.files} == {f"{i}.png" for i in range(1, 9)}  # 0.png is twin.png
    assert any("gone.png" in note for note in source.notes)


def test_text_files_that_fit_no_image_are_named(tmp_path, config):
    folder = as_texts(tmp_path / "data")
    (folder / "notes.txt").write_text("my notes")
    (folder / "3.txt").write_bytes(b"caf\xe9")
    report = check(f"captioned:{folder}", config)
    text = str(report)
    assert "warning: Text files without an image of their name, left out: 1 (notes.txt)" in text
    assert "problem: Files of captions that are no text in UTF-8: 1 (3.txt)" in text


def test_captions_that_say_nothing_are_a_problem(tmp_path, config):
    folder = as_csv(tmp_path / "data", dict.fromkeys(CAPTIONS, "a wall"))
    assert "problem: All training captions are the same, 'a wall'" in str(check(f"captioned:{folder}", config))


def test_check_shows_images_above_their_captions_from_the_command_line(tmp_path, capsys):
    folder, picture = as_csv(tmp_path / "data"), tmp_path / "nine.png"
    commands = {"check": check_command(ImageConfig)}
    assert main("shop", None, commands, ["check", f"captioned:{folder}", "--picture", str(picture)]) == 0
    assert "can be trained on" in capsys.readouterr().out
    with Image.open(picture) as drawn:
        assert drawn.width > 400


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda folder: None, "There is no folder"),
        (lambda folder: folder.write_text("a"), "is a file, not a folder"),
        (draw, "No image in .* has a caption"),
        (
            lambda folder: (draw(folder) / "captions.csv").write_text("file,captoin\n0.png,a"),
            "lacks the column caption",
        ),
    ],
)
def test_a_folder_that_is_none_of_captioned_images_is_explained(prepare, said, tmp_path, config):
    prepare(tmp_path / "data")
    with pytest.raises(UserError, match=said):
        open_source(f"captioned:{tmp_path / 'data'}", config)
