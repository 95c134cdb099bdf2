"""DICOM files: shown as a viewer would, or refused in words."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import check, open_source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read, scan

pydicom = pytest.importorskip("pydicom")

EXAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16) * 16  # 0 to 4080, of 12 bits


def write(path: Path, pixels: np.ndarray, colors: str = "MONOCHROME2", bits: int = 12, **elements) -> Path:
    """A file as a modality writes it."""
    header = pydicom.Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.SOPInstanceUID = "1.2.3"
    for name, value in elements.items():
        setattr(header, name, value)
    header.set_pixel_data(pixels, colors, bits)
    header.save_as(path, enforce_file_format=True)
    return path


def grey(path: Path, side: int = 16) -> np.ndarray:
    return read(path, 1, side)[0].numpy()


def test_grey_without_a_window_goes_from_the_smallest_value_to_the_largest(tmp_path):
    shown = grey(write(tmp_path / "a.dcm", RAMP + 7))
    assert np.array_equal(shown, np.arange(256).reshape(16, 16))


def test_small_values_of_monochrome1_are_bright(tmp_path):
    shown = grey(write(tmp_path / "a.dcm", RAMP, "MONOCHROME1"))
    assert np.array_equal(shown, np.arange(255, -1, -1).reshape(16, 16))


def test_a_window_is_applied_after_the_rescaling(tmp_path):
    elements = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": [1000, 0], "WindowWidth": [2001, 1]}
    shown = grey(write(tmp_path / "a.dcm", RAMP, **elements))
    expected = np.clip((2.0 * RAMP - 1000 - 999.5) / 2000 + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2.1, the first window
    assert np.abs(shown - expected).max() <= 0.5
    assert (shown.min(), shown.max()) == (0, 255)


def test_a_lookup_table_wins_over_a_window(tmp_path):
    lut = pydicom.Dataset()
    lut.LUTDescriptor = [256, 0, 8]
    lut.LUTData = np.arange(255, -1, -1, dtype="<u2").tobytes()
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    elements = {"VOILUTSequence": [lut], "WindowCenter": 10, "WindowWidth": 5}
    assert np.array_equal(grey(write(tmp_path / "a.dcm", pixels, bits=8, **elements)), 255 - pixels)


def test_a_flat_picture_is_black_and_said_to_be_flat(tmp_path):
    path = write(tmp_path / "a.dcm", np.full((16, 16), 9, np.uint16))
    assert grey(path).max() == 0
    assert scan([path])[0].blank


def test_colors_stay_as_they_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    path = write(tmp_path / "a.dcm", pixels, "RGB", 8)
    assert torch.equal(read(path, 3, 16), torch.from_numpy(pixels).permute(2, 0, 1))
    assert (scan([path])[0].mode, scan([path])[0].grey) == ("DICOM RGB", False)


def test_other_ways_to_store_color_give_the_same_picture():
    names = ("SC_rgb_dcmtk_+eb+cr", "SC_rgb_rle", "SC_ybr_full_422_uncompressed", "SC_rgb_jpeg_dcmtk")
    first, *others = (read(EXAMPLES / f"{name}.dcm", 3, 100).float() for name in names)
    for other in others:
        assert (first - other).abs().max() <= 6
    assert len(read(EXAMPLES / "examples_palette.dcm", 3, 64).unique()) > 50


def test_of_several_frames_the_first_is_used_and_check_says_so(tmp_path):
    for i in range(12):
        write(tmp_path / f"{i}.dcm", np.roll(RAMP, i))
    path = write(tmp_path / "film.dcm", np.stack([RAMP, RAMP[::-1]]))
    assert np.array_equal(grey(path), np.arange(256).reshape(16, 16))
    report = check(f"folder:{tmp_path}", ImageConfig(image_size=16, root=tmp_path / "root"))
    assert "the first of which is used: 1 (film.dcm)" in str(report)


@pytest.mark.parametrize(("name", "size"), [("CT_small.dcm", 128), ("MR_small.dcm", 64), ("JPEG2000.dcm", 256)])
def test_files_of_scanners_are_read(name, size):
    shown = grey(EXAMPLES / name, size)
    assert shown.std() > 20
    found = scan([EXAMPLES / name])[0]
    assert (found.mode, found.grey, found.error) == ("DICOM MONOCHROME2", True, "")
    assert found.width == size


def test_damaged_and_foreign_files_are_told_apart_in_words(tmp_path):
    whole = write(tmp_path / "whole.dcm", RAMP).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:-100])
    (tmp_path / "cut-early.dcm").write_bytes(whole[:400])
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.dcm").write_text("not DICOM" * 50)
    header = pydicom.dcmread(tmp_path / "whole.dcm")
    del header.PixelData
    header.save_as(tmp_path / "bare.dcm")
    header.Rows = header.Columns = 10_000
    header.save_as(tmp_path / "bomb.dcm")
    expected = {
        tmp_path / "cut.dcm": "cut off",
        tmp_path / "cut-early.dcm": "cut off",
        tmp_path / "empty.dcm": "empty",
        tmp_path / "text.dcm": "not a DICOM file",
        tmp_path / "missing.dcm": "no such file",
        tmp_path / "bare.dcm": "no pixels",
        tmp_path / "bomb.dcm": "89 million pixels",
        EXAMPLES / "rtplan.dcm": "no image",
        EXAMPLES / "MR_truncated.dcm": "cut off",
        EXAMPLES / "MR_small_jpeg_ls_lossless.dcm": "nothing is installed that can decompress it (JPEG-LS Lossless",
        EXAMPLES / "JPEG-lossy.dcm": "cannot be decoded (pillow: Pillow does not support",
    }
    found = scan(list(expected))
    assert {path.name: words in scan.error for (path, words), scan in zip(expected.items(), found, strict=True)} == (
        dict.fromkeys([path.name for path in expected], True)
    )


def test_every_cut_of_a_file_is_refused_and_none_escapes(tmp_path):
    whole = (EXAMPLES / "MR_small_RLE.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    for end in range(0, len(whole) * 9 // 10, 211):
        path.write_bytes(whole[:end])
        with pytest.raises(Unreadable):
            read(path, 1, 8)


def test_a_table_may_name_files_without_an_ending(tmp_path):
    for i in range(8):
        write(tmp_path / f"IM{i}", np.roll(RAMP, i))
    write(tmp_path / "1.2.840.9", np.roll(RAMP, 9))
    (tmp_path / "notes").write_text("x" * 200)
    rows = [*(f"IM{i},{'ab'[i % 2]}" for i in range(8)), "1.2.840.9,a"]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows]))
    source = open_source(f"csv:{tmp_path}/table.csv", ImageConfig(image_size=16, root=tmp_path / "root"))
    assert len(source.train) + len(source.test) == 9
    assert source.schema["image"].shape == (1, 16, 16)
    with pytest.raises(Unreadable, match="not an image"):
        read(tmp_path / "notes", 1, 8)


def test_folders_and_users_files_may_be_dicom(tmp_path):
    for i in range(6):
        (tmp_path / "set" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        write(tmp_path / "set" / "ab"[i % 2] / f"{i}.{('dcm', 'DICOM')[i % 2]}", np.roll(RAMP, i))
    assert len(find_images([tmp_path / "set"])[0]) == 6
    source = open_source(f"folder:{tmp_path}/set", ImageConfig(image_size=16, root=tmp_path / "root"))
    assert source.schema["label"].classes == ("a", "b")
    assert source.train[0]["image"].shape == (1, 16, 16)


def bare(path: Path, pixels: np.ndarray, *, implicit: bool = True) -> Path:
    """A file without preamble and file meta information, as old archives hold them."""
    whole = pydicom.dcmread(write(path, pixels))
    with path.open("wb") as file:
        pydicom.dcmwrite(file, whole, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    data = path.read_bytes()
    path.write_bytes(data[data.index(b"\x08\0\x16\0") :])  # from the first element behind the meta information on
    return path


@pytest.mark.parametrize("name", ["a.dcm", "IM0001", "a.IMA"])
def test_files_may_lack_the_preamble(name, tmp_path):
    path = bare(tmp_path / name, RAMP, implicit=False)
    assert path.read_bytes()[:4] == b"\x08\0\x16\0"
    assert np.array_equal(grey(path), np.arange(256).reshape(16, 16))
    assert list(find_images([tmp_path])[0]) == [path]


def test_the_meta_information_may_come_without_the_preamble(tmp_path):
    path = write(tmp_path / "IM0001", RAMP)
    path.write_bytes(path.read_bytes()[132:])
    assert list(find_images([tmp_path])[0]) == [path]
    assert np.array_equal(grey(path), np.arange(256).reshape(16, 16))


def test_folders_may_hold_files_without_an_ending_and_named_by_their_uid(tmp_path):
    for k, label in enumerate(("ill", "well")):
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(4):
            write(tmp_path / "set" / label / ("IM{:04}", "1.2.840.{}")[k].format(i), np.roll(RAMP, i + 10 * k))
        (tmp_path / "set" / label / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(200))
    report = check(f"folder:{tmp_path}/set", ImageConfig(image_size=16, root=tmp_path / "root"))
    assert "Images: 8. Classes: 2 (ill 4, well 4)" in str(report)
    assert "Other files, left out: 2 (2 × no ending; ill/DICOMDIR, well/DICOMDIR" in str(report)


@pytest.mark.parametrize(
    "elements",
    [
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": 0, "RescaleIntercept": -1024},
        {"RescaleSlope": 1},
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 40, "WindowWidth": 0},
        {"WindowCenter": [], "WindowWidth": 400},
        {"WindowCenter": 40},
    ],
)
def test_tags_that_are_empty_or_zero_count_as_not_given(elements, tmp_path):
    assert np.array_equal(grey(write(tmp_path / "a.dcm", RAMP, **elements)), np.arange(256).reshape(16, 16))


def test_overlays_in_the_bits_above_those_stored_are_cleared(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP)
    whole = pydicom.dcmread(path)
    whole.PixelData = (RAMP | 0x8000).astype("<u2").tobytes()
    whole.save_as(path)
    assert np.array_equal(grey(path), np.arange(256).reshape(16, 16))


def test_without_pydicom_one_sentence_names_the_extra(tmp_path, monkeypatch):
    write(tmp_path / "a.dcm", RAMP)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.delitem(sys.modules, "torchworks.shared.data.dicom", raising=False)
    with pytest.raises(UserError, match=r"^DICOM files need pydicom, .* install the extra shared\[dicom\]\.$"):
        open_source(f"folder:{tmp_path}", ImageConfig(image_size=16, root=tmp_path / "root"))
