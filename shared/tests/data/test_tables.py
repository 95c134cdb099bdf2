"""Tables whose labels are sets of names: what is read, how it is split, and that everything else takes it."""

import shutil
from collections import Counter
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import (
    Part,
    Report,
    ResidentLoader,
    StreamLoader,
    TensorDataset,
    check,
    nbytes,
    open_source,
    resident,
    run_check,
)
from torchworks.shared.data.split import split


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)


def table(folder: Path, cells: list[str], header: str = "path,label") -> Path:
    """A table with an image for each cell."""
    for i in range(len(cells)):
        save(folder / "images" / f"{i:02}.png", i)
    rows = [f"images/{i:02}.png,{cell}" for i, cell in enumerate(cells)]
    (folder / "table.csv").write_text("\n".join([header, *rows]))
    return folder / "table.csv"


def config(path: Path, **options) -> ImageConfig:
    return ImageConfig(image_size=8, root=path.parent / "root", **({"multi_label": True} | options))


def opened(path: Path, **options):
    return open_source(f"csv:{path}", config(path, **options))


def checked(path: Path, **options) -> Report:
    return check(f"csv:{path}", config(path, **options))


def texts(report: Report, level: str) -> str:
    return " | ".join(finding.text for finding in report.findings if finding.level == level)


CELLS = ["effusion|nodule", "", "No Finding", "nodule", " mass | effusion |", "no finding", "effusion", "mass"] * 5


@pytest.fixture
def chests(tmp_path) -> Path:
    return table(tmp_path, CELLS)


def test_a_cell_is_a_set_of_names_and_no_finding_means_none(chests):
    source = opened(chests)
    assert source.schema["label"].classes == ("effusion", "mass", "nodule")
    assert source.schema["label"].shape == (3,)
    labels = {file.stem: row for part in (source.train, source.test) for file, row in zip(part.files, part.labels)}  # noqa: B905
    rows = [labels[f"{i:02}"].tolist() for i in range(8)]
    assert rows == [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert source.train.labels.dtype == torch.uint8
    assert "'No Finding' is taken to mean no label: 10 lines" in " ".join(source.notes)


def test_every_set_of_labels_gives_its_share_to_the_test_part(chests):
    source = opened(chests)
    sets = Counter(tuple(row) for row in source.test.labels.tolist())
    assert sets == {(1, 0, 1): 1, (0, 0, 0): 3, (0, 0, 1): 1, (1, 1, 0): 1, (1, 0, 0): 1, (0, 1, 0): 1}


def test_rare_sets_are_divided_by_the_rarest_label_in_them():
    common = [(int(bits[0]), int(bits[1]), int(bits[2]), int(bits[3]), 0) for bits in product("01", repeat=4)]
    rare = [(*row[:4], 1) for row in common]  # 16 different sets, one sample each
    labels = [*common * 10, *rare]
    train, test = split([f"{i}" for i in range(len(labels))], labels, 0.25, seed=0)
    assert sum(labels[i][4] for i in test) == 4
    assert sum(labels[i][4] for i in train) == 12
    assert len(test) == 16 * 2 + 4  # a quarter of 10, rounded, of each common set


def test_copies_stay_on_one_side_and_the_split_follows_from_the_seed(chests):
    for i in range(40):
        shutil.copy(chests.parent / f"images/{i:02}.png", chests.parent / f"images/copy{i:02}.png")
    lines = chests.read_text().splitlines()
    chests.write_text("\n".join([*lines, *(line.replace("images/", "images/copy") for line in lines[1:])]))
    parts = [opened(chests) for _ in range(2)]
    stems = [{file.stem[-2:] for file in part.files} for part in (parts[0].train, parts[0].test)]
    assert not stems[0] & stems[1]
    assert parts[0].fingerprint == parts[1].fingerprint
    assert parts[0].test.files == parts[1].test.files


def test_loaders_parts_and_tensors_take_sets_of_labels(chests):
    train = opened(chests).train
    whole = resident(train)
    assert isinstance(whole, TensorDataset)
    assert whole.tensors["label"].shape == (len(train), 3)
    assert nbytes(train) == nbytes(whole) == len(train) * (64 + 3)
    for loader in (ResidentLoader(train, 4), StreamLoader(train, 4)):
        batch = next(loader.iter_from(0))
        assert (batch["label"].shape, batch["label"].dtype) == ((4, 3), torch.uint8)
        assert torch.equal(batch["label"], train.labels[batch["index"]])
    part = Part(train, [3, 1])
    assert torch.equal(resident(part).tensors["label"], train.labels[[3, 1]])
    bare = TensorDataset({"image": whole.tensors["image"], "label": whole.tensors["label"]})
    assert bare.schema["label"].shape == (3,)
    assert bare.schema["label"].classes == ("0", "1", "2")


def test_check_counts_each_class_and_the_images_without_any(chests):
    report = checked(chests)
    assert report.ok
    assert "Classes: 3 (effusion 15, mass 10, nodule 10). Images without any of them: 15" in texts(report, "fact")
    assert "'No Finding' is taken to mean no label: 10 lines" in texts(report, "fact")
    assert "the model may memorize them" in texts(report, "warning").lower()


def test_the_command_checks_and_draws_them(chests, capsys):
    arguments = SimpleNamespace(
        data=f"csv:{chests}", picture=chests.parent / "nine.png", overwrite=False, loader=config(chests)
    )
    assert run_check(arguments) == 0
    assert arguments.picture.exists()
    assert "Images without any of them: 15" in capsys.readouterr().out


def test_one_label_that_is_there_or_not_is_enough(tmp_path):
    path = table(tmp_path, ["nodule", ""] * 6)
    assert not any("only one class" in note for note in opened(path).notes)
    assert "only one class" not in texts(checked(path), "warning")


def test_without_the_option_a_set_is_a_class_of_its_own_and_check_asks(tmp_path):
    path = table(tmp_path, ["a|b", "a", "b"] * 3)
    assert opened(path, multi_label=False).schema["label"].classes == ("a", "a|b", "b")
    assert "with a | are each taken for a class of its own: 1 (a|b). If" in texts(
        checked(path, multi_label=False), "warning"
    )


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["a", ""], {"multi_label": False}, "no label in line 3.*use --multi-label"),
        (["", "No Finding"], {}, "No line of .* has a label"),
    ],
)
def test_labels_that_cannot_be_used_are_explained(tmp_path, cells, options, message):
    with pytest.raises(UserError, match=message):
        opened(table(tmp_path, cells), **options)


@pytest.mark.parametrize("spec", ["folder:images", "digits"])
@pytest.mark.parametrize("look", [open_source, check])
def test_other_sources_point_to_tables(spec, look):
    with pytest.raises(UserError, match="use csv:PATH"):
        look(spec, ImageConfig(multi_label=True))


# ------------------------------------------------------------------------------ tables and files that do not match


def test_one_file_with_two_labels_is_a_problem_and_stops_a_training(tmp_path):
    path = table(tmp_path, ["a", "b"] * 4)
    path.write_text(path.read_text() + "\nimages/00.png,b\nimages/02.png,a")
    report = checked(path, multi_label=False)
    assert not report.ok
    assert "different labels: 1 (line 2: images/00.png = line 10: images/00.png)" in texts(report, "problem")
    with pytest.raises(UserError, match="Keep one line for each file"):
        opened(path, multi_label=False)


def test_image_files_that_no_line_names_are_named_once(tmp_path):
    path = table(tmp_path, ["a", "b"] * 4)
    save(tmp_path / "images" / "deeper" / "stray.png", 50)
    save(tmp_path / ".hidden" / "x.png", 51)
    report = checked(path, multi_label=False)
    assert report.ok
    assert "none of its lines names: 1 (images/deeper/stray.png)" in texts(report, "warning")


def test_a_label_only_in_the_test_part_is_a_problem_here_too(tmp_path):
    rows = ["nodule,train", "mass,train", "nodule|mas,test", "mass,test"]
    path = table(tmp_path, rows, "path,label,split")
    assert "'mas'; did you mean 'mass'?" in texts(checked(path), "problem")
    with pytest.raises(UserError, match=r"without a single training image: 1 .*'mas'"):
        opened(path)


# -------------------------------------------------------------------------------------------- lines that are refused


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("images/02.png,,train", "has no label in line 4"),
        (",a,train", "has no path in line 4"),
        ("images/02.png,a,spare", "it says 'spare' in line 4"),
        ("images/gone.png,a,train", "line 4: images/gone.png"),
        ("images/00.png,b,train", "line 2: images/00.png = line 4: images/00.png"),
    ],
)
def test_a_bad_line_is_named_and_skip_bad_takes_the_image_out(row, said, tmp_path):
    path = table(tmp_path, [f"{'ab'[i % 2]},{'train' if i < 6 else 'test'}" for i in range(8)], "path,label,split")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], row, *lines[4:]]))
    with pytest.raises(UserError, match=said):
        opened(path, multi_label=False)
    source = opened(path, multi_label=False, skip_bad=True)
    lost = 2 if "=" in said else 1
    assert len(source.train) + len(source.test) == 8 - lost
    (note,) = source.notes
    assert "left out: 1 " in note
    assert "line 4" in note
    assert checked(path, multi_label=False, skip_bad=True).ok


def test_where_every_line_is_bad_none_can_be_left_out(tmp_path):
    with pytest.raises(UserError, match="has no label in line 2, line 3"):
        opened(table(tmp_path, ["", ""]), multi_label=False, skip_bad=True)


@pytest.mark.parametrize(
    ("line", "opens", "closes"),
    [
        ('images/02.png,"a', 4, 9),
        ('"images/02.png,a', 4, 9),
        ('images/02.png,a,"for later', 4, 9),
        ('images/02.png,"a\nimages/03.png,"b"', 4, 5),
    ],
)
def test_a_quote_that_is_not_closed_is_named_by_the_line_where_it_opens(line, opens, closes, tmp_path):
    path = table(tmp_path, ["a", "b"] * 4, "path,label,remark")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], line, *lines[4 + line.count("\n") :]]))
    words = rf'a quote \("\) that opens in line {opens} and is not closed there: all up to line {closes} would'
    with pytest.raises(UserError, match=words):
        opened(path, multi_label=False)


def test_quotes_that_are_closed_or_stand_within_a_word_are_none_of_these(tmp_path):
    path = table(tmp_path, ['a,"two', "b,x", 'a,5" wide', "b,", 'a,"said ""so"""', "b,"] * 2, "path,label,remark")
    path.write_text(path.read_text().replace('"two', '"two\nlines"') + '\n\nimages/00.png,a,3" long\n')
    assert len(opened(path, multi_label=False).train) > 6


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"PK\x03\x04\x14\0\x06\0", "it is a spreadsheet, such as .xlsx or .ods, or a ZIP archive; export it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is an old Excel or Office file, such as .xls; export it as CSV"),
        (b"PAR1\x15\0", "it is a Parquet file; export it as CSV"),
        (b"\x1f\x8b\x08\0", "it is compressed with gzip; unpack it first"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(head, said, tmp_path):
    (tmp_path / "table.csv").write_bytes(head + bytes(range(256)))
    with pytest.raises(UserError, match=f"is not a text file, whatever its name says: {said}"):
        opened(tmp_path / "table.csv")


def test_numbers_written_in_different_ways_are_a_warning(tmp_path):
    path = table(tmp_path, ["1", "1.0", "2", "02", "3"] * 3)
    (note,) = [note for note in opened(path, multi_label=False).notes if "number" in note]
    assert "look like one number, written in different ways: 2 (1 = 1.0, 02 = 2). Each is a class of its own" in note
    (tmp_path / "pure").mkdir()
    assert opened(table(tmp_path / "pure", ["1.0", "2.0", "10"] * 3), multi_label=False).notes == ()
