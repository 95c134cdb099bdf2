"""Files in every shape and state: decoded upright and plain, or refused by name."""

import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import images as module
from torchworks.shared.data import open_source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read, scan


def noise(height: int = 24, width: int = 24, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def test_an_image_of_the_right_size_keeps_every_pixel(tmp_path):
    noise().save(tmp_path / "a.png")
    assert torch.equal(read(tmp_path / "a.png", 3, 24), pixels(noise()))


def test_a_photo_taken_sideways_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90° clockwise
    noise().save(tmp_path / "a.png", exif=exif)
    assert torch.equal(read(tmp_path / "a.png", 3, 24), pixels(noise().rotate(-90)))


def test_a_wide_image_is_cropped_at_its_middle(tmp_path):
    noise(24, 40).save(tmp_path / "a.png")
    assert torch.equal(read(tmp_path / "a.png", 3, 24), pixels(noise(24, 40))[:, :, 8:32])


def test_transparent_pixels_become_white(tmp_path):
    image = noise().convert("RGBA")
    image.paste((255, 0, 0, 0), (0, 0, 12, 24))
    image.save(tmp_path / "a.png")
    result = read(tmp_path / "a.png", 3, 24)
    assert (result[:, :, :12] == 255).all()
    assert torch.equal(result[:, :, 12:], pixels(noise())[:, :, 12:])


def test_an_image_of_one_pixel_fills_the_square(tmp_path):
    Image.new("RGB", (1, 1), (10, 20, 30)).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png", 3, 8) == torch.tensor([10, 20, 30]).view(3, 1, 1)).all()


def test_printing_colors_become_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    assert (read(tmp_path / "a.jpg", 3, 8) == torch.tensor([255, 0, 0]).view(3, 1, 1)).all()
    assert scan([tmp_path / "a.jpg"])[0].mode == "CMYK"


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_of_an_animation_or_of_several_pages_the_first_is_read(tmp_path, ending):
    frames = [Image.new("L", (8, 8), level) for level in (40, 90, 200)]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    assert (read(tmp_path / f"a.{ending}", 1, 8).int() - 40).abs().max() <= 1
    assert scan([tmp_path / f"a.{ending}"])[0].frames == 3


def test_a_scan_says_how_a_picture_is_stored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(8, 12).save(tmp_path / "turned.jpg", exif=exif)
    noise().save(tmp_path / "plain.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "grey16.png")
    (tmp_path / "color16.png").write_bytes(png_of(2, depth=16, colors=2, body=b"\0" + bytes(range(12))))
    turned, plain, grey, color = scan(
        [tmp_path / name for name in ("turned.jpg", "plain.png", "grey16.png", "color16.png")]
    )
    assert (turned.turned, turned.width, turned.height) == (True, 8, 12)
    assert (plain.turned, plain.frames, plain.mode) == (False, 1, "RGB")
    assert (grey.mode, color.mode) == ("I;16", "RGB;16")


def test_16_bit_grey_is_scaled_to_8(tmp_path):
    values = np.arange(24 * 24, dtype=np.uint16).reshape(24, 24) * 100
    Image.fromarray(values).save(tmp_path / "a.png")
    expected = torch.from_numpy(np.rint(values / 257).astype(np.uint8))[None]
    assert torch.equal(read(tmp_path / "a.png", 1, 24), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_gives_the_channels_asked_for(tmp_path, mode, channels):
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    noise().convert(mode).save(path)
    result = read(path, channels, 16)
    assert (result.dtype, result.shape) == (torch.uint8, (channels, 16, 16))
    assert result.float().std() > 5


def test_a_palette_with_transparency_does_not_warn(tmp_path):
    image = noise().quantize(16)
    image.save(tmp_path / "a.png", transparency=bytes([0] + [255] * 15))
    read(tmp_path / "a.png", 3, 24)  # warnings are errors in these tests


def test_a_large_jpeg_decoded_small_looks_the_same(tmp_path):
    smooth = noise(12, 12).resize((768, 768), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        whole = pixels(image.resize((32, 32), Image.Resampling.BICUBIC))
    assert (read(tmp_path / "a.jpg", 3, 32).float() - whole.float()).abs().mean() < 2


def png_that_claims(side: int) -> bytes:
    """A few bytes that would decode to side × side pixels."""
    return png_of(side, depth=8, colors=0, body=b"")


def png_of(side: int, depth: int, colors: int, body: bytes) -> bytes:
    """A PNG of side × side pixels whose lines all are `body`, a byte for the filter first."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, depth, colors, 0, 0, 0)
    pixels = zlib.compress(body * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def damaged(folder: Path) -> dict[str, str]:
    """One file for each way of being unusable, and what should be said of it."""
    noise(200, 200).save(folder / "whole.jpg")
    noise(200, 200).save(folder / "whole.png")
    for ending in ("jpg", "png"):
        whole = (folder / f"whole.{ending}").read_bytes()
        (folder / f"cut.{ending}").write_bytes(whole[: len(whole) // 2])
        (folder / f"whole.{ending}").unlink()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("this is no image" * 10)
    (folder / "folder.png").mkdir()
    (folder / "program.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "float.tif")
    Image.fromarray(np.full((8, 8), 70_000, np.int32)).save(folder / "deep.tif")
    (folder / "bomb.png").write_bytes(png_that_claims(10_000))
    (folder / "bigger-bomb.png").write_bytes(png_that_claims(50_000))
    return {
        "cut.jpg": "cut off",
        "cut.png": "cut off",
        "empty.jpg": "empty",
        "text.png": "not an image",
        "folder.png": "a folder",
        "program.png": "not an image",
        "missing.png": "no such file",
        "float.tif": "floats",
        "deep.tif": "beyond 16 bits",
        "bomb.png": "89 million pixels",
        "bigger-bomb.png": "89 million pixels",
    }


def test_every_unusable_file_is_told_apart_in_words(tmp_path):
    expected = damaged(tmp_path)
    found = scan([tmp_path / name for name in expected])
    assert {name: words in result.error for (name, words), result in zip(expected.items(), found, strict=True)} == (
        dict.fromkeys(expected, True)
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said_to_be_so(tmp_path):
    noise().save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    assert scan([tmp_path / "a.png"])[0].error == "no permission to read it"


def test_reading_an_unusable_file_raises_in_words(tmp_path):
    damaged(tmp_path)
    with pytest.raises(Unreadable, match="cut off"):
        read(tmp_path / "cut.jpg", 3, 8)


def test_equal_pictures_have_equal_digests_however_they_are_stored(tmp_path):
    noise().save(tmp_path / "a.png")
    noise().save(tmp_path / "b.bmp")
    noise(seed=1).save(tmp_path / "c.png")
    grey = noise().convert("L")
    grey.save(tmp_path / "d.png")
    grey.convert("RGB").save(tmp_path / "e.png")
    a, b, c, d, e = scan([tmp_path / name for name in ("a.png", "b.bmp", "c.png", "d.png", "e.png")])
    assert a.digest == b.digest != c.digest
    assert d.digest == e.digest
    assert (d.grey, e.grey) == (True, False)


def test_a_second_scan_decodes_only_what_has_changed(tmp_path, monkeypatch):
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for i, file in enumerate(files):
        noise(seed=i).save(file)
    store = tmp_path / "scans" / "a.json"
    first = scan(files, store)
    noise(seed=9).save(files[1])
    os.utime(files[1], ns=(1, 1))
    decoded = []
    real = module._scan_one
    monkeypatch.setattr(module, "_scan_one", lambda file: decoded.append(file) or real(file))
    second = scan(files, store)
    assert decoded == [files[1]]
    assert (second[0], second[2]) == (first[0], first[2])
    assert second[1].digest != first[1].digest


def test_what_an_older_version_kept_is_looked_at_again(tmp_path):
    noise().save(tmp_path / "a.png")
    store = tmp_path / "a.json"
    (first,) = scan([tmp_path / "a.png"], store)
    kept = json.loads(store.read_text())
    for values in kept.values():
        values["digest"] = "old"
        del values["frames"]
    store.write_text(json.dumps(kept))
    assert scan([tmp_path / "a.png"], store) == [first]
    store.write_text('{"x": 3}')
    assert scan([tmp_path / "a.png"], store) == [first]


def test_a_damaged_or_unwritable_store_costs_nothing_but_time(tmp_path):
    noise().save(tmp_path / "a.png")
    store = tmp_path / "a.json"
    store.write_text("{broken")
    assert scan([tmp_path / "a.png"], store) == scan([tmp_path / "a.png"], tmp_path / "a.png" / "below-a-file.json")


def test_a_file_that_goes_away_during_training_is_named(tmp_path):
    for i in range(4):
        noise(seed=i).save(tmp_path / f"{i}.png")
    source = open_source(f"folder:{tmp_path}", ImageConfig(image_size=16, root=tmp_path / "root"))
    source.train.files[0].unlink()
    with pytest.raises(UserError, match=source.train.files[0].name):
        source.train[0]


def test_images_of_kinds_that_are_not_read_are_named_where_a_folder_is_given(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    for name in ("b.HEIC", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    files, bad = find_images([tmp_path])
    assert list(files) == [tmp_path / "a.png"]
    assert bad == {tmp_path / "b.HEIC": "images of this kind are not read; convert it to JPEG or PNG"}
