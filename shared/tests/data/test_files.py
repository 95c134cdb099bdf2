"""What a user's files and folders are called: compared one way by every reader, and every one accounted for."""

import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Report, check, open_source
from torchworks.shared.data.files import Finder, choose_parts, is_hidden, part_named, read_text
from torchworks.shared.data.folders import list_folder
from torchworks.shared.data.tables import list_csv


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)


def fill(folder: Path, count: int = 4, seed: int = 0) -> Path:
    for i in range(count):
        save(folder / f"{i:03}.png", seed + i)
    return folder


def pets(base: Path, count: int = 4, seed: int = 0) -> Path:
    for k, name in enumerate(("cat", "dog")):
        fill(base / name, count, seed + 100 * k)
    return base


def checked(spec: str, tmp_path: Path) -> Report:
    return check(spec, ImageConfig(image_size=8, root=tmp_path / "root"))


def said(report: Report, level: str) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.level == level)


# -------------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("train", "test"),
    [("Training", "Testing"), ("TRAIN", "eval"), ("training_set", "test_set"), ("train2017", "val2017"),
     ("train", "hold-out"), ("train", "dev"), ("Train", "Validate"), ("seg_train", "seg_test")],
)  # fmt: skip
def test_parts_are_recognised_by_their_usual_names(train, test, tmp_path):
    pets(tmp_path / "set" / train, 4)
    pets(tmp_path / "set" / test, 2, 50)
    listing = list_folder(str(tmp_path / "set"))
    assert listing.classes == ("cat", "dog")
    assert (listing.parts.count("train"), listing.parts.count("test")) == (8, 4)


def test_a_table_s_parts_are_recognised_by_the_same_names(tmp_path):
    fill(tmp_path / "set", 8)
    parts = ["Training"] * 5 + ["holdout"] * 2 + ["dev"]
    rows = [f"{i:03}.png,{'ab'[i % 2]},{part}" for i, part in enumerate(parts)]
    (tmp_path / "set" / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    listing = list_csv(str(tmp_path / "set" / "t.csv"))
    assert listing.parts == ["train"] * 5 + ["test"]
    assert "Lines of a further part of the split, left out: 2 (holdout)." in listing.facts


def test_a_test_part_without_labels_gives_way_to_one_that_has_them(tmp_path):
    pets(tmp_path / "set" / "train", 3)
    pets(tmp_path / "set" / "val", 2, 50)
    fill(tmp_path / "set" / "test", 5, 300)
    listing = list_folder(str(tmp_path / "set"))
    assert {file.relative_to(tmp_path / "set").parts[0] for file in listing.files} == {"train", "val"}
    assert listing.facts == ("A further part of the split, left out: 1 (test (5 files)).",)


def test_names_that_only_contain_the_name_of_a_part_are_none():
    assert [part_named(name) for name in ("train station", "latest", "contest", "evaluator", "validated")] == [""] * 5
    assert choose_parts(["cats_train", "cats_test", "dogs_train", "dogs_test"]) == ({}, [])


def test_a_third_part_and_folders_beside_the_parts_are_left_out_and_named(tmp_path):
    for part, seed in (("train", 0), ("valid", 300), ("test", 600), ("spare", 900)):
        pets(tmp_path / "set" / part, 2, seed)
    listing = list_folder(str(tmp_path / "set"))
    assert {file.relative_to(tmp_path / "set").parts[0] for file in listing.files} == {"train", "test"}
    facts = " ".join(listing.facts)
    assert "A further part of the split, left out: 1 (valid (4 files))." in facts
    assert "Folders beside the parts of the split, left out: 1 (spare (4 files))." in facts


def test_folders_called_as_parts_become_classes_only_with_a_warning(tmp_path):
    for i, name in enumerate(("train", "plane")):
        fill(tmp_path / "set" / name, 4, 100 * i)
    report = checked(f"folder:{tmp_path / 'set'}", tmp_path)
    assert "taken for classes, though they are called as the parts of a split: 1 (train)" in said(report, "warning")


def test_a_lone_part_is_split_anew(tmp_path):
    pets(tmp_path / "set" / "train", 5)
    listing = list_folder(str(tmp_path / "set"))
    assert (listing.classes, listing.parts) == (("cat", "dog"), [])
    assert "only the part train of a split" in listing.notes[0]


@pytest.mark.parametrize("where", ["", "train"])
def test_a_nested_second_copy_is_neither_a_class_nor_used_twice(where, tmp_path):
    for part, seed in (("train", 0), ("test", 50)):
        pets(tmp_path / "xray" / part, 3, seed)
    inner = tmp_path / "xray" / where / (where or "xray")
    shutil.copytree(tmp_path / "xray" / where, tmp_path / "copy")
    shutil.move(tmp_path / "copy", inner)
    listing = list_folder(str(tmp_path / "xray"))
    assert (listing.classes, len(listing.files)) == (("cat", "dog"), 12)
    assert f"left out: 1 ({inner.relative_to(tmp_path / 'xray').as_posix()}" in " ".join(listing.facts)


def test_a_folder_around_the_data_is_passed_through(tmp_path):
    for part, seed in (("train", 0), ("test", 50)):
        pets(tmp_path / "download" / "pets" / part / part, 3, seed)
    listing = list_folder(str(tmp_path / "download"))
    assert listing.classes == ("cat", "dog")
    assert listing.parts.count("test") == 6


# -------------------------------------------------------------------------------------------------- what is there


def test_classes_that_lie_one_folder_deeper_are_hinted_at(tmp_path):
    pets(tmp_path / "download" / "photos")
    listing = list_folder(str(tmp_path / "download"))
    assert listing.classes == ("photos",)
    assert "has one folder, photos, with cat, dog in it. If those are the classes, use folder:" in listing.notes[0]


def test_files_that_are_not_read_are_counted_by_their_endings(tmp_path):
    base = pets(tmp_path / "set")
    for name in ("cat/a.HEIC", "cat/b.heic", "dog/c.NEF", "README.md"):
        (base / name).write_bytes(b"x")
    report = checked(f"folder:{base}", tmp_path)
    assert "left out: 3 (2 × .heic, 1 × .nef; cat/a.HEIC, cat/b.heic, dog/c.NEF)" in said(report, "warning")
    assert "Other files, left out: 1 (1 × .md; README.md)." in said(report, "fact")
    assert any(".heic" in note for note in open_source(f"folder:{base}", ImageConfig(image_size=8)).notes)


def test_photos_and_web_pages_under_the_name_of_a_jpeg_are_told_apart(tmp_path):
    base = pets(tmp_path / "set")
    (base / "cat" / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(300))
    (base / "cat" / "b.jpg").write_text("<!DOCTYPE html><title>Not found</title>")
    text = said(checked(f"folder:{base}", tmp_path), "problem")
    assert "cat/a.jpg (it is a HEIC photo, whatever its name says; convert it to JPEG)" in text
    assert "cat/b.jpg (it is a web page, not an image: its download failed)" in text


def test_clean_folders_need_no_words(tmp_path):
    listing = list_folder(str(pets(tmp_path / "set")))
    assert listing.notes == listing.facts == ()


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    pets(tmp_path / "real")
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        os.symlink(tmp_path / "real" / name, tmp_path / "set" / name / "batch")
    os.symlink(tmp_path / "set", tmp_path / "set" / "cat" / "again")
    listing = list_folder(str(tmp_path / "set"))
    assert len(listing.files) == 8
    assert "links back to a folder around them, left out: 1 (cat/again)" in listing.notes[0]


def test_a_link_that_leads_nowhere_is_an_unreadable_image(tmp_path):
    base = pets(tmp_path / "set")
    os.symlink(tmp_path / "gone.png", base / "cat" / "x.png")
    with pytest.raises(UserError, match=r"cat/x.png \(there is no such file\)"):
        open_source(f"folder:{base}", ImageConfig(image_size=8, root=tmp_path / "root"))


def test_what_systems_leave_behind_is_hidden_everywhere(tmp_path):
    base = pets(tmp_path / "set")
    for name in ("@eaDir", "$RECYCLE.BIN", "__MACOSX", ".ipynb_checkpoints"):
        fill(base / name)
    (base / "cat" / "Thumbs.db").write_bytes(b"x")
    listing = list_folder(str(base))
    assert (listing.classes, listing.notes, listing.facts) == (("cat", "dog"), (), ())
    assert is_hidden("._a.png")


# -------------------------------------------------------------------------------------------------------- names


def test_files_are_found_in_other_cases_accents_and_separators(tmp_path):
    accented = unicodedata.normalize("NFD", "Küche")
    save(tmp_path / accented / "Bild 1.PNG", 0)
    found = Finder().find(tmp_path, unicodedata.normalize("NFC", "küche") + "\\bild 1.png")
    assert found == tmp_path / accented / "Bild 1.PNG"


def test_of_two_files_that_differ_in_case_each_is_found_as_it_is_written(tmp_path):
    for name in ("a.png", "A.png"):
        save(tmp_path / name, 0)
    assert Finder().find(tmp_path, "A.png") == tmp_path / "A.png"
    assert Finder().find(tmp_path, "a.PNG") is None


def test_tables_may_come_from_windows_and_from_other_machines(tmp_path):
    base = pets(tmp_path / "set")
    rows = [f"cat\\{i:03}.png,cat" for i in range(4)] + [f"C:\\photos\\dog\\{i:03}.png,dog" for i in range(4)]
    (base / "t.csv").write_bytes("\ufeff".encode() + "\r\n".join(["path,label", *rows]).encode())
    listing = list_csv(str(base / "t.csv"))
    assert [file.is_file() for file in listing.files] == [True] * 8
    assert "elsewhere than the table says: 4 (C:\\photos\\dog\\000.png at dog/000.png" in listing.facts[0]


def test_classes_that_differ_in_case_alone_are_a_warning(tmp_path):
    for i, name in enumerate(("Cat", "cat", "dog")):
        fill(tmp_path / "set" / name, 3, 100 * i)
    text = "differ in case, spaces or accents alone: 1 (Cat = cat)"
    assert text in said(checked(f"folder:{tmp_path / 'set'}", tmp_path), "warning")


def test_texts_are_read_with_a_mark_and_refused_by_their_line_in_an_old_encoding(tmp_path):
    file = tmp_path / "classes.txt"
    for coding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_bytes("Bär\nKatze\n".encode(coding))
        assert read_text(file) == "Bär\nKatze\n"
    file.write_bytes("Katze\nBär\n".encode("cp1252"))
    with pytest.raises(UserError, match="line 2 has the byte 0xe4"):
        read_text(file)


# ------------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("bits", [8, 12])
def test_few_bits_stored_in_16_are_refused_with_what_to_do(bits, tmp_path):
    base = tmp_path / "set"
    base.mkdir()
    for i in range(8):
        values = np.random.default_rng(i).integers(0, 2**bits, (12, 12)).astype(np.uint16)
        values[0, 0] = 2**bits - 1
        Image.fromarray(values).save(base / f"{i}.png")
    text = f"only the lowest {bits} are used, so that they are almost black: 8"
    assert text in said(checked(f"folder:{base}", tmp_path), "problem")
    with pytest.raises(UserError, match=f"Multiply their values by {2 ** (16 - bits)}"):
        open_source(f"folder:{base}", ImageConfig(image_size=8, root=tmp_path / "root"))


def test_sixteen_bits_that_are_used_are_read(tmp_path):
    for i in range(8):
        (tmp_path / "set").mkdir(exist_ok=True)
        values = np.random.default_rng(i).integers(0, 2**16, (12, 12)).astype(np.uint16) >> (4 * (i > 0))
        Image.fromarray(values).save(tmp_path / "set" / f"{i}.png")
    assert checked(f"folder:{tmp_path / 'set'}", tmp_path).ok


def test_names_with_codes_of_web_tools_are_found_where_no_file_has_the_very_name(tmp_path):
    for name in ("my%20photo.txt", "other one.txt", "a%20b.txt", "a b.txt"):
        (tmp_path / name).write_text("x")
    finder = Finder()

    def partner(stem: str) -> list[str]:
        return [file.name for file in finder.partners(tmp_path, stem, ("",), (".txt",))]

    assert partner("my photo") == ["my%20photo.txt"]
    assert partner("My%20Photo") == ["my%20photo.txt"]
    assert partner("other%20one") == ["other one.txt"]
    assert partner("a b") == ["a b.txt"]
    assert partner("a%20b") == ["a%20b.txt"]
    assert finder.find(tmp_path, "my photo.txt") == tmp_path / "my%20photo.txt"
