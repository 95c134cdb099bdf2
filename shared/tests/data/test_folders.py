"""A user's own folders and tables: what is found, what is refused and how."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import FileDataset, Source, open_source
from torchworks.shared.data.folders import list_folder


def save(path: Path, seed: int, size: int = 12) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)


def fill(folder: Path, count: int = 10, seed: int = 0) -> Path:
    for i in range(count):
        save(folder / f"{i:03}.png", seed + i)
    return folder


def opened(path: Path, kind: str = "folder", **options) -> Source:
    # beside the data, so that nothing is kept between tests
    return open_source(f"{kind}:{path}", ImageConfig(image_size=8, root=path.parent / "root", **options))


def names(dataset) -> set[str]:
    assert isinstance(dataset, FileDataset)
    return {file.name for file in dataset.files}


def labels(dataset) -> list[int]:
    assert isinstance(dataset, FileDataset)
    assert dataset.labels is not None
    return dataset.labels.tolist()


@pytest.fixture
def pets(tmp_path) -> Path:
    fill(tmp_path / "pets/cat", 10, 0)
    fill(tmp_path / "pets/dog", 20, 100)
    return tmp_path / "pets"


def test_sub_folders_are_classes_and_each_gives_its_share(pets):
    source = opened(pets)
    assert source.schema["label"].classes == ("cat", "dog")
    assert np.bincount(labels(source.test)).tolist() == [2, 4]
    assert np.bincount(labels(source.train)).tolist() == [8, 16]
    sample = source.train[0]
    assert (sample["image"].shape, int(sample["label"])) == ((3, 8, 8), 0)
    assert source.name == "pets"


def test_numbered_classes_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10", "2", "1", "b", "a"):
        fill(tmp_path / "set" / name, 2, hash(name) % 1000)
    assert list_folder(str(tmp_path / "set")).classes == ("1", "2", "10", "a", "b")


def test_a_flat_folder_has_no_labels(tmp_path):
    source = opened(fill(tmp_path / "flat"))
    assert "label" not in source.schema
    assert (len(source.train), len(source.test)) == (8, 2)
    assert set(source.train[0]) == {"image"}


def test_a_split_that_the_data_bring_is_kept(tmp_path):
    for part, seed in (("train", 0), ("test", 50)):
        fill(tmp_path / "set" / part / "a", 4, seed)
        fill(tmp_path / "set" / part / "b", 4, seed + 10)
    source = opened(tmp_path / "set")
    assert {file.parts[-3] for file in source.train.files} == {"train"}
    assert {file.parts[-3] for file in source.test.files} == {"test"}


def test_training_images_that_are_test_images_too_are_left_out(tmp_path):
    fill(tmp_path / "set/train", 5, 0)
    fill(tmp_path / "set/val", 2, 50)
    shutil.copy(tmp_path / "set/val/000.png", tmp_path / "set/train/leak.png")
    source = opened(tmp_path / "set")
    assert "leak.png" not in names(source.train)
    assert len(source.test) == 2
    assert "test images too were left out of the training: 1" in source.notes[0]


def test_a_class_may_be_called_train(tmp_path):
    for i, name in enumerate(("train", "plane", "test")):
        fill(tmp_path / "vehicles" / name, 3, 10 * i)
    assert list_folder(str(tmp_path / "vehicles")).classes == ("plane", "test", "train")


def test_copies_of_a_picture_stay_on_one_side(tmp_path):
    folder = fill(tmp_path / "flat", 10)
    for i in range(10):
        shutil.copy(folder / f"{i:03}.png", folder / f"{i:03}-copy.png")
    for seed in range(5):
        source = open_source(f"folder:{folder}", ImageConfig(image_size=8, root=tmp_path / "root"), seed)
        stems = [{name[:3] for name in names(part)} for part in (source.train, source.test)]
        assert not stems[0] & stems[1]


def test_the_same_contents_give_the_same_split_wherever_they_lie(pets):
    first = opened(pets)
    shutil.copytree(pets, pets.parent / "elsewhere" / "pets")
    second = opened(pets.parent / "elsewhere" / "pets", channels=1)
    assert first.fingerprint == second.fingerprint
    assert names(first.test) == names(second.test)


def test_grey_images_stay_grey_and_one_color_image_makes_all_color(tmp_path):
    folder = tmp_path / "grey"
    folder.mkdir()
    for i in range(4):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 9), dtype=np.uint8)).save(folder / f"{i}.png")
    assert opened(folder).schema["image"].shape == (1, 8, 8)
    save(folder / "color.png", 9)
    assert opened(folder).schema["image"].shape == (3, 8, 8)


def test_system_files_and_hidden_folders_are_no_data(pets):
    save(pets / ".thumbnails" / "x.png", 7)
    save(pets / "__MACOSX" / "x.png", 7)
    (pets / "cat" / ".DS_Store").write_text("x")
    (pets / "cat" / "notes.txt").write_text("x")
    assert len(list_folder(str(pets)).files) == 30


def test_what_is_left_out_is_said(pets):
    (pets / "bird").mkdir()
    save(pets / "stray.png", 7)
    notes = " ".join(opened(pets).notes)
    assert "bird has no images" in notes
    assert "outside its class folders, were left out: 1" in notes


def test_one_class_only_can_be_opened_and_is_remarked_on(tmp_path):
    fill(tmp_path / "set/only", 6)
    source = opened(tmp_path / "set")
    assert source.schema["label"].classes == ("only",)
    assert "only one class, 'only'" in source.notes[0]


def test_unreadable_files_stop_it_and_are_named(pets):
    for i in range(7):
        (pets / "cat" / f"bad{i}.jpg").write_text("no image")
    with pytest.raises(
        UserError, match=r"7 of 37 .*cat/bad0.jpg \(it is not an image\).* and 2 more.*--loader.skip-bad"
    ):
        opened(pets)


def test_skip_bad_leaves_unreadable_files_out_and_says_so(pets):
    (pets / "cat" / "bad.jpg").write_text("no image")
    source = opened(pets, skip_bad=True)
    assert len(source.train) + len(source.test) == 30
    assert "cat/bad.jpg" in source.notes[0]


def test_a_folder_of_nothing_but_unreadable_files_cannot_be_skipped(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_text("no image")
    with pytest.raises(UserError, match="None of the 1 images"):
        opened(tmp_path / "set", skip_bad=True)


def make_empty(base: Path) -> None:
    (base / "set").mkdir()


def make_text(base: Path) -> None:
    make_empty(base)
    (base / "set" / "a.txt").write_text("x")


def make_archive(base: Path) -> None:
    (base / "set.zip").write_text("x")


def make_nearly(base: Path) -> None:
    (base / "sets").mkdir()


def make_lonely(base: Path) -> None:
    fill(base / "set", 1)


def make_half(base: Path) -> None:
    fill(base / "set/train", 3)
    (base / "set/test").mkdir()


def make_uneven(base: Path) -> None:
    fill(base / "set/train/cat", 3)
    fill(base / "set/test", 3, 50)


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (make_empty, "set", "no images in the folder .*It is empty"),
        (make_text, "set", r"no images in the folder .*It has 1 × \.txt"),
        (make_archive, "set.zip", "is a file, not a folder .*Unpack it first"),
        (make_nearly, "set", "There is no folder .*Did you mean 'sets'"),
        (make_lonely, "set", "left for testing: at least two different ones"),
        (make_half, "set", "Only the part 'train'"),
        (make_uneven, "set", "One of train and test"),
    ],
)
def test_a_folder_that_cannot_be_used_is_explained(tmp_path, make, name, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message):
        opened(tmp_path / name)


def table(folder: Path, text: str, count: int = 6) -> Path:
    fill(folder / "images", count)
    (folder / "table.csv").write_text(text, encoding="utf-8")
    return folder / "table.csv"


ROWS = [f"images/{i:03}.png,{'ab'[i % 2]}" for i in range(6)]


def test_a_table_gives_paths_and_labels(tmp_path):
    source = opened(table(tmp_path, "\n".join(["path,label", *ROWS])), "csv")
    assert source.schema["label"].classes == ("a", "b")
    assert len(source.train) + len(source.test) == 6
    for file, label in zip(source.train.files, labels(source.train), strict=True):
        assert int(file.stem) % 2 == label


def test_a_table_may_bring_its_split(tmp_path):
    rows = [f"{row},{'train' if i < 4 else 'Test'}" for i, row in enumerate(ROWS)]
    source = opened(table(tmp_path, "\n".join(["path,label,split", *rows])), "csv")
    assert (names(source.test), len(source.train)) == ({"004.png", "005.png"}, 4)


def test_a_spreadsheet_s_habits_are_understood(tmp_path):
    text = "\r\n".join(["\ufeffLabel;Path", *(f"{row.split(',')[1]}; {row.split(',')[0]}" for row in ROWS), ""])
    assert len(opened(table(tmp_path, text), "csv").train) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column path and the column label"),
        ("path,labels\nimages/000.png,a", "lacks the column label. Did you mean 'labels'"),
        ("path,label", "no line below"),
        ("path,label\nimages/000.png,a\nimages/001.png,\n", "no label in line 3"),
        ("path,label\n,a\n", "no path in line 2"),
        ("path,label,split\nimages/000.png,a,spare\n", "says 'spare' in line 2"),
        ("path,label\nimages/000.png,a\nimages/lost.png,b", r"line 3: images/lost.png \(there is no such file\)"),
        ("path,label\nimages/000.png,a\nimages/001.png,a", None),
        ("path,label,split\nimages/000.png,a,train\n", "left for testing"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained_by_line(tmp_path, text, message):
    path = table(tmp_path, text)
    if message is None:
        assert len(opened(path, "csv").train) == 1
        return
    with pytest.raises(UserError, match=message):
        opened(path, "csv")


def test_rows_without_a_file_are_left_out_on_request(tmp_path):
    source = opened(table(tmp_path, "\n".join(["path,label", *ROWS, "images/lost.png,a"])), "csv", skip_bad=True)
    assert "line 8: images/lost.png" in source.notes[0]


def test_a_table_that_is_no_table_is_explained(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        opened(tmp_path / "none.csv", "csv")
    with pytest.raises(UserError, match="is a folder, not a CSV file"):
        opened(tmp_path, "csv")
    (tmp_path / "photo.csv").write_bytes(b"\xff\xfe\x00\x01" * 20)
    with pytest.raises(UserError, match="not a text file in UTF-8"):
        opened(tmp_path / "photo.csv", "csv")


def test_files_give_the_same_pixels_read_one_by_one_or_all_at_once(pets):
    train = opened(pets).train
    assert isinstance(train, FileDataset)
    whole = train.resident().tensors
    assert torch.equal(whole["image"], torch.stack([train[i]["image"] for i in range(len(train))]))
    assert torch.equal(whole["label"], torch.tensor(labels(train)))
