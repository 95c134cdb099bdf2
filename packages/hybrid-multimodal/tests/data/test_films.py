"""A user's own films: every kind of file gives the same frames, and nothing leaks from one part to the other."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.hybrid_multimodal.data.films import decode, open_films
from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.hybrid_multimodal.data.films_listing import find_films, list_films
from torchworks.shared.config import UserError
from torchworks.shared.data import resident
from torchworks.shared.data.fitting import Unreadable

LOADER = FilmConfig(frames=4, image_size=16, channels=1)
HOW = {"frames": 4, "channels": 1, "size": 16}


def film(number: int, frames: int = 4, size: int = 16) -> list[Image.Image]:
    """Pictures with a bar that moves to the right, over a pattern of each number's own."""
    ground = np.random.default_rng(number).integers(0, 200, (size, size))
    shown = []
    for t in range(frames):
        frame = ground.copy()
        frame[:, (t * size) // frames : (t * size) // frames + 2] = 255
        shown.append(Image.fromarray(frame.astype(np.uint8)))
    return shown


def save(path: Path, frames: list[Image.Image], **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **({"duration": 100} | lossless | options))
    return path


def save_frames(folder: Path, frames: list[Image.Image]) -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        frame.save(folder / f"{number}.png")
    return folder


def classes(folder: Path, count: int = 6) -> Path:
    """Two classes with `count` films each."""
    for number in range(2 * count):
        save(folder / ("jump" if number % 2 else "run") / f"{number}.gif", film(number))
    return folder


def opened(folder: Path, **loader):
    return open_films(str(folder), FilmConfig(frames=4, image_size=16, channels=1, **loader), 0)


def checked(folder: Path):
    return open_films.check(f"films:{folder}", LOADER, 0)


# ------------------------------------------------------------------------------------------------------ decoding


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "frames"])
def test_every_kind_of_file_gives_the_frames_that_were_drawn(tmp_path, kind):
    frames = film(1)
    path = save_frames(tmp_path / "f", frames) if kind == "frames" else save(tmp_path / f"f.{kind}", frames)
    found = decode(path, **HOW)
    assert (found.frames, found.width, found.height) == (4, 16, 16)
    expected = np.stack([np.asarray(frame) for frame in frames])[:, None]
    np.testing.assert_allclose(found.pixels.astype(int), expected, atol=1)  # WebP stores colors


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    found = decode(save_frames(tmp_path / "f", film(1, frames=12)), frames=12, channels=1, size=16)
    brightest = found.pixels[:, 0].mean(1).argmax(1)
    assert (np.diff(brightest) >= 0).all()


def test_a_video_is_read_by_pyav_and_its_sides_are_cut(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "f.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for number in range(12):
            frame = np.full((32, 64, 3), 20 * number, np.uint8)
            frame[:, :16] = 255
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    found = decode(path, frames=4, channels=3, size=16)
    assert (found.frames, found.width, found.height) == (12, 64, 32)
    brightness = found.pixels.mean((1, 2, 3))
    np.testing.assert_allclose(brightness, [20 * n for n in (1, 4, 7, 10)], atol=8)


def test_frames_are_taken_by_the_time_for_which_they_are_seen(tmp_path):
    frames = [Image.new("L", (16, 16), shade) for shade in (0, 100, 200)]
    path = save(tmp_path / "f.gif", frames, duration=[200, 400, 200])
    assert decode(path, **HOW).pixels.mean((1, 2, 3)).tolist() == [0, 100, 100, 200]
    assert decode(path, frames=1, channels=1, size=16).pixels.mean() == 100


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.gif", b"", "no film"),
        ("a.gif", b"GIF89a" + b"x" * 50, "damaged|no film"),
        ("a.mp4", b"#EXTM3U\nfile:///etc/passwd\n", "no film"),
        ("a.mp4", b"\0\0\0\x18ftypisom" + b"\0" * 80, "damaged|PyAV"),
        ("a.webm", b"\x1a\x45\xdf\xa3" + b"\0" * 80, "damaged|PyAV"),
    ],
)
def test_what_is_no_film_is_refused_whatever_its_name(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable, match=said):
        decode(tmp_path / name, **HOW)


def test_a_truncated_film_is_refused(tmp_path):
    path = save(tmp_path / "f.png", film(1))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(Unreadable):
        decode(path, **HOW)


# -------------------------------------------------------------------------------------------------------- source


def test_folders_are_classes_and_the_split_shares_no_film(tmp_path):
    save_frames(classes(tmp_path) / "jump" / "frames", film(50))
    found = opened(tmp_path)
    assert found.schema["label"].classes == ("jump", "run")
    assert len(found.train) + len(found.test) == 13
    assert not {scan.contents for scan in found.train.scans} & {scan.contents for scan in found.test.scans}
    assert resident(found.train).tensors["clip"].shape[1:] == (4, 1, 16, 16)


def test_training_films_that_are_test_films_too_are_left_out(tmp_path):
    classes(tmp_path / "train")
    for number in (0, 1):
        save(tmp_path / "test" / ("jump" if number % 2 else "run") / f"{number}.gif", film(number))
    found = opened(tmp_path)
    assert (len(found.train), len(found.test)) == (10, 2)
    assert "Training films that are test films too were left out of the training: 2" in " ".join(found.notes)


def table(folder: Path, rows: list[str], columns: str = "path,label,group", name: str = "films.csv") -> Path:
    (folder / name).write_text("\n".join([columns, *rows]))
    return folder / name


def test_films_of_one_group_stay_in_one_part(tmp_path):
    classes(tmp_path, 10)
    rows = [f"{'jump' if n % 2 else 'run'}/{n}.gif,{'jump' if n % 2 else 'run'},person {n // 4}" for n in range(20)]
    found = opened(table(tmp_path, rows))
    groups = [{each.group for each in part.films} for part in (found.train, found.test)]
    assert not groups[0] & groups[1]
    assert len(groups[1]) == 1


def test_a_group_in_both_parts_of_a_given_split_is_refused(tmp_path):
    classes(tmp_path)
    rows = [f"run/{n}.gif,run,{part},anna" for n, part in ((0, "train"), (2, "test"))]
    rows += [f"jump/{n}.gif,jump,{part},{part}" for n, part in ((1, "train"), (3, "test"))]
    with pytest.raises(UserError, match=r"1 groups \(anna\)"):
        opened(table(tmp_path, rows, "path,label,split,group"))


def test_the_names_of_ucf101_say_their_groups(tmp_path):
    for number in range(8):
        name = f"v_Run_g0{number // 2}_c0{number % 2}.gif"
        save(tmp_path / "run" / name, film(number))
        save(tmp_path / "jump" / name, film(100 + number))
    listing = list_films(str(tmp_path))
    assert {each.group for each in listing.films} == {"g00", "g01", "g02", "g03"}
    found = opened(tmp_path)
    assert not {each.group for each in found.train.films} & {each.group for each in found.test.films}


def test_a_film_that_is_nearly_the_same_in_both_parts_is_named(tmp_path):
    classes(tmp_path)
    save(tmp_path / "run" / "copy.webp", film(0), lossless=False, quality=90)
    rows = [f"{'jump' if n % 2 else 'run'}/{n}.gif,{'jump' if n % 2 else 'run'},train" for n in range(8)]
    rows += ["run/copy.webp,run,test", "jump/9.gif,jump,test"]
    report = str(open_films.check(f"films:{table(tmp_path, rows, 'path,label,split')}", LOADER, 0))
    assert "nearly as a training film does: 1 (line 2: run/0.gif = line 10: run/copy.webp)" in report


def test_check_names_films_that_cannot_be_used_and_those_that_are_repeated(tmp_path, monkeypatch):
    classes(tmp_path)
    (tmp_path / "run" / "broken.gif").write_bytes(b"GIF89a")
    film(1)[0].save(tmp_path / "run" / "still.gif")
    save(tmp_path / "run" / "again.gif", film(0))
    save(tmp_path / "run" / "long.gif", film(90, frames=8))
    monkeypatch.setattr(
        "torchworks.hybrid_multimodal.data.films.read_film",
        lambda path, **how: _short(path, **how),
    )
    report = checked(tmp_path)
    assert not report.ok
    for said in (
        "too long or too large: 1 (run/long.gif",
        "one frame: 1 (run/still.gif",
        "cannot be read: 1 (run/broken.gif",
        "more than once: 1 (run/0.gif = run/again.gif)",
    ):
        assert said in str(report)
    with pytest.raises(UserError, match="3 of 16 films"):
        opened(tmp_path)
    assert len(opened(tmp_path, skip_bad=True).train) > 0


def _short(path, **how):
    from torchworks.shared.data.film_files import FilmLimits, read_film

    return read_film(path, **how, limits=FilmLimits(frames=6))


def test_the_same_film_under_two_labels_is_refused(tmp_path):
    classes(tmp_path)
    save(tmp_path / "jump" / "again.gif", film(0))
    with pytest.raises(UserError, match="under different labels"):
        opened(tmp_path)
    assert not checked(tmp_path).ok


def test_mistakes_are_told_with_what_to_do(tmp_path):
    classes(tmp_path)
    for rest, said in (
        (str(tmp_path / "none"), "There is no"),
        ("", "Give a folder"),
        (str(table(tmp_path, ["run/0.gif,run"], "path,lable", "a.csv")), "lacks the column label"),
        (str(table(tmp_path, ["run/0.gif,"], "path,label", "b.csv")), "no label"),
        (str(table(tmp_path, ["run/0.gif,run", "run/0.gif,jump"], "path,label", "c.csv")), "different labels"),
        (str(tmp_path / "run" / "0.gif"), "no table"),
    ):
        with pytest.raises(UserError, match=said):
            open_films(rest, LOADER, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="There are no films"):
        open_films(str(tmp_path / "empty"), LOADER, 0)


def test_films_are_found_in_folders_and_a_folder_of_frames_is_one(tmp_path):
    classes(tmp_path, 2)
    save_frames(tmp_path / "frames", film(9))
    found, bad = find_films([tmp_path, tmp_path / "run" / "0.gif", tmp_path / "frames"])
    assert [path.name for path in found].count("frames") == 2
    assert len(found) == 5 + 2
    (tmp_path / "empty").mkdir()
    assert find_films([tmp_path / "empty"])[1]
    assert not bad
