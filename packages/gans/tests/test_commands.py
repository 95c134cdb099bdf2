"""Commands on real, tiny, finished runs: what they write is what they promise, and mistakes lose nothing."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from torchworks.gans.commands import COMMANDS
from torchworks.gans.evaluate import first_rows, table
from torchworks.gans.noise.augment import draw_labelled
from torchworks.gans.noise.predictor import open_generator
from torchworks.gans.noise.sample import AT_ONCE, slerp
from torchworks.gans.translation.predictor import open_translator
from torchworks.gans.translation.use import target_names
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import open_source
from torchworks.shared.data.dataset import resident
from torchworks.shared.fidelity import judge_for
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import file_name, save_film

TINY = {
    "dcgan": ["--net.width", 8, "--net.discriminator-width", 8],
    "dcgan-paper": ["--net.width", 8, "--net.discriminator-width", 8],
    "cgan": ["--net.width", 8, "--net.discriminator-width", 8],
    "cyclegan": ["--net.width", 4, "--net.blocks", 1, "--net.discriminator-width", 4],
    "pix2pix": ["--net.width", 4, "--net.blocks", 1, "--net.discriminator-width", 4],
}


def gans(*words):
    return main("gans", default="dcgan", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cache of its own, in which each judge is trained once."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def trained(home):
    """A finished run of a recipe, trained for a moment when it is first asked for."""
    made: dict[str, Path] = {}

    def run(recipe: str) -> Path:
        if recipe not in made:
            out = home / recipe
            words = [
                "--trainer.steps",
                4,
                "--trainer.batch-size",
                8,
                "--trainer.eval-every",
                0,
                "--trainer.device",
                "cpu",
                "--trainer.precision",
                "fp32",
            ]
            assert gans("train", recipe, "--out", out, "--loader.image-size", 16, *words, *TINY[recipe]) == 0
            made[recipe] = out
        return made[recipe]

    return run


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def frames_of(path: Path, mode: str) -> tuple[dict, list[np.ndarray]]:
    """What a film says of itself, and its frames."""
    with Image.open(path) as film:
        about, frames = dict(film.info), []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.asarray(film.convert(mode)).astype(float))
    return about, frames


def printed(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


# ---- sample ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sample_draws_a_grid_into_the_run_and_prints_where(trained, capsys):
    run = trained("dcgan")
    capsys.readouterr()
    assert gans("sample", run) == 0
    assert gans("sample", run) == 0  # its own folder in the run may be written again
    path = run / "generated" / "grid-seed0.png"
    assert printed(capsys) == [str(path)] * 2
    assert pixels(path).shape == (8 * 66 + 2, 8 * 66 + 2, 3)  # 8 × 8 images of 16 pixels, enlarged four times


def test_an_image_depends_on_its_seed_and_number_alone(trained, tmp_path):
    for n in (1, 5, CHUNK, AT_ONCE + 3):
        assert gans("sample", trained("dcgan"), "--n", n, "--no-grid", "--files", "--out", tmp_path / str(n)) == 0
    most = sorted((tmp_path / str(AT_ONCE + 3)).iterdir())
    assert len(most) == AT_ONCE + 3
    assert len({path.read_bytes() for path in most}) == len(most)
    for n in (1, 5, CHUNK):
        for path in (tmp_path / str(n)).iterdir():
            assert path.read_bytes() == most[0].with_name(path.name).read_bytes()


def test_rows_do_not_feel_their_place_in_a_batch_or_their_neighbors(trained):
    generator = open_generator(trained("dcgan"), "cpu")
    images = generator.draw(generator.latents(0, range(40)), None)
    assert torch.equal(generator.draw(generator.latents(0, range(7, 40)), None), images[7:])


def test_another_seed_gives_other_images(trained, tmp_path):
    for seed in (0, 1):
        gans("sample", trained("dcgan"), "--n", 1, "--no-grid", "--files", "--seed", seed, "--out", tmp_path)
    assert (tmp_path / "seed0-00000.png").read_bytes() != (tmp_path / "seed1-00000.png").read_bytes()


def test_files_are_what_the_model_gives_in_its_own_size_and_mode(trained, tmp_path):
    run = trained("dcgan")
    gans("sample", run, "--n", 3, "--no-grid", "--files", "--out", tmp_path)
    golden = load_file(run / "golden.safetensors")
    assert torch.equal(golden["input.latent"], sample_normal(0, range(2), 64))
    for i in range(2):
        image = pixels(tmp_path / f"seed0-{i:05d}.png")
        assert image.shape == (16, 16)
        assert np.abs(image / 255 - golden["output.image"][i, 0].numpy()).max() < 0.51 / 255


def test_a_generator_of_uniform_noise_gets_uniform_noise(trained, tmp_path):
    run = trained("dcgan-paper")
    gans("sample", run, "--n", 2, "--no-grid", "--files", "--out", tmp_path)
    golden = load_file(run / "golden.safetensors")
    assert golden["input.latent"].abs().max() <= 1
    assert np.abs(pixels(tmp_path / "seed0-00001.png") / 255 - golden["output.image"][1, 0].numpy()).max() < 0.51 / 255


def test_classes_asked_for_are_drawn_in_turn_and_named(trained, tmp_path):
    gans("sample", trained("cgan"), "--n", 4, "--files", "--no-grid", "--labels", 7, 3, "--out", tmp_path)
    names = [f"seed0-0000{i}-{label}.png" for i, label in enumerate("7373")]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    generator = open_generator(trained("cgan"), "cpu")
    expected = generator.draw(generator.latents(0, range(4)), torch.tensor([7, 3, 7, 3]))
    assert all(np.array_equal(pixels(tmp_path / name), image[0]) for name, image in zip(names, expected, strict=True))


def test_a_film_begins_with_the_samples_and_ends_where_it_began(trained, tmp_path):
    run = trained("dcgan")
    gans("sample", run, "--n", 4, "--out", tmp_path)
    gans("sample", run, "--n", 4, "--interpolate", 10, "--out", tmp_path)
    about, frames = frames_of(tmp_path / "walk-seed0.gif", "L")
    assert (len(frames), about["loop"]) == (4 * 10, 0)
    assert np.array_equal(frames[0], pixels(tmp_path / "grid-seed0.png")[..., 0])
    steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert steps[-1] <= 1.5 * max(steps[:-1])


def test_a_color_film_keeps_its_colors(tmp_path):
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8)
    frame = torch.stack(
        [ramp.expand(32, 32), ramp[:, None].expand(32, 32), torch.full((32, 32), 90, dtype=torch.uint8)]
    )
    save_film(tmp_path / "film.gif", [frame, frame.flip(1), frame.flip(2)], milliseconds=50)
    about, frames = frames_of(tmp_path / "film.gif", "RGB")
    assert (len(frames), about["duration"]) == (3, 50)
    assert np.abs(frames[0].transpose(2, 0, 1) - frame.numpy()).mean() < 8


def test_slerp_stays_as_long_as_its_ends():
    a, b = sample_normal(0, range(20), 100), sample_normal(1, range(20), 100)
    torch.testing.assert_close(slerp(a, b, 0.0), a)
    torch.testing.assert_close(slerp(a, b, 1.0), b)
    middle = slerp(a, b, 0.5).norm(dim=1)
    assert (middle > 0.9 * torch.minimum(a.norm(dim=1), b.norm(dim=1))).all()
    torch.testing.assert_close(slerp(a, a, 0.3), a, rtol=0.02, atol=0.02)


def test_class_names_become_file_names():
    assert [file_name(name) for name in ("T-shirt/top", "../x", "a b", "…", "漢字")] == [
        "T-shirt-top",
        "-x",
        "a b",
        "-",
        "漢字",
    ]


# ---- translate -------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    """Images of every kind, in a folder with a sub-folder."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    digits = (resident(open_source("digits", ImageConfig(image_size=24)).train).tensors["image"][:8, 0]).numpy()
    images = [Image.fromarray(digit) for digit in digits]
    images[0].save(folder / "grey.png")
    images[1].convert("RGB").resize((40, 20)).save(folder / "wide.jpg")
    images[2].convert("RGBA").save(folder / "sub" / "alpha.png")
    images[3].convert("P").save(folder / "palette.gif")
    Image.fromarray(digits[4].astype(np.uint16) * 257).save(folder / "deep.png")
    images[5].convert("CMYK").save(folder / "print.tif")
    images[6].convert("1").save(folder / "bits.bmp")
    return folder


@pytest.mark.slow
def test_translate_takes_any_mode_and_names_results_after_the_images(trained, photos, tmp_path, capsys):
    out = tmp_path / "out"
    capsys.readouterr()
    assert gans("translate", trained("cyclegan"), photos, "--out", out) == 0
    assert printed(capsys)[-1] == f"{out} (7 images)"
    names = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert names == {f"{name}.png" for name in ("grey", "wide", "sub/alpha", "palette", "deep", "print", "bits")}
    assert {pixels(out / name).shape for name in names} == {(16, 16)}


def test_the_same_pixels_give_the_same_result_whatever_comes_along(trained, photos, tmp_path):
    run = trained("cyclegan")
    gans("translate", run, photos, "--out", tmp_path / "all")
    gans("translate", run, photos / "print.tif", "--out", tmp_path / "one")
    assert (tmp_path / "one" / "print.png").read_bytes() == (tmp_path / "all" / "print.png").read_bytes()


def test_both_directions_are_translated_and_differ(trained, photos, tmp_path):
    for direction in ("ab", "ba"):
        assert (
            gans(
                "translate",
                trained("cyclegan"),
                photos / "grey.png",
                "--direction",
                direction,
                "--out",
                tmp_path / direction,
            )
            == 0
        )
    assert (tmp_path / "ab" / "grey.png").read_bytes() != (tmp_path / "ba" / "grey.png").read_bytes()


def test_translate_is_the_saved_models_own_answer(trained):
    run = trained("pix2pix")
    golden = load_file(run / "golden.safetensors")
    answer = open_translator(run, "ab", "cpu").translate(golden["input.image"])
    assert (answer / 255 - golden["output.image"]).abs().max() < 0.51 / 255


def test_unreadable_images_are_named_and_the_others_are_done(trained, photos, tmp_path, capsys):
    (photos / "words.png").write_text("no image")
    whole = (photos / "wide.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    words = (photos, tmp_path / "empty", tmp_path / "missing.png")
    assert gans("translate", trained("cyclegan"), *words, "--out", out) == 2
    captured = capsys.readouterr()
    assert f"{out} (7 images)" in captured.out
    told = " ".join(captured.err.split())
    for name in (
        "words.png (it is not an image)",
        "cut.jpg (the file is cut off)",
        "missing.png (there is no such file)",
    ):
        assert name in told
    assert "empty (there are no images in the folder)" in told
    assert len(list(out.rglob("*.png"))) == 7


def test_an_image_that_is_read_is_never_replaced(trained, photos, capsys):
    before = (photos / "grey.png").read_bytes()
    assert gans("translate", trained("cyclegan"), photos / "grey.png", "--out", photos, "--overwrite") == 2
    assert "would replace a file that is read" in " ".join(capsys.readouterr().err.split())
    assert (photos / "grey.png").read_bytes() == before


def test_images_of_equal_names_all_get_a_result():
    files = {Path("a/x.jpg"): Path("x.jpg"), Path("b/x.png"): Path("x.png"), Path("c/x.png"): Path("x.png")}
    assert list(target_names(files).values()) == ["x.png", "x-2.png", "x-3.png"]


# ---- augment ---------------------------------------------------------------------------------------------


def test_augment_writes_a_folder_to_train_on(trained, tmp_path, capsys):
    run, out = trained("cgan"), tmp_path / "more"
    capsys.readouterr()
    assert gans("augment", run, "--per-class", 5, "--out", out) == 0
    lines = printed(capsys)
    assert [line.split() for line in lines[:10]] == [[str(label), "5"] for label in range(10)]
    assert lines[-1] == str(out)
    source = open_source(f"folder:{out}", ImageConfig(image_size=16))
    assert source.schema["label"].classes == tuple("0123456789")
    assert source.schema["image"].shape == (1, 16, 16)
    assert len(source.train) + len(source.test) == 50


class RealDigits:
    """Stands for a generator without classes that draws perfect digits."""

    classes = ()

    def __init__(self):
        self.tensors = resident(open_source("digits", ImageConfig(image_size=16)).test).tensors

    def latents(self, seed, indices):
        return torch.tensor(indices) % len(self.tensors["image"])

    def draw(self, latents, labels):
        return self.tensors["image"][latents]


def test_images_without_classes_get_those_that_the_judge_reads(home):
    judge = judge_for(open_source("digits", ImageConfig(image_size=16)), image_size=16)
    generator = RealDigits()
    truth = {image.numpy().tobytes(): int(label) for image, label in zip(*generator.tensors.values(), strict=True)}
    drawn = list(draw_labelled(generator, judge, seed=0, per_class=20, confidence=0.9))
    assert sorted(label for _, label in drawn) == sorted(list(range(10)) * 20)
    right = [truth[image.numpy().tobytes()] == label for image, label in drawn]
    assert sum(right) >= 0.98 * len(right)


def test_a_class_that_is_hardly_ever_drawn_is_given_up_and_named(trained, tmp_path, capsys):
    words = ("--per-class", 2, "--confidence", 1, "--out", tmp_path / "more")
    assert gans("augment", trained("dcgan"), *words) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "is not complete: class '0' has 0 of 2 images" in told
    assert "--confidence" in told


@pytest.mark.slow
def test_augment_check_prints_what_generated_and_real_images_teach(trained, tmp_path, capsys):
    assert gans("augment", trained("cgan"), "--per-class", 20, "--check", "--out", tmp_path / "more") == 0
    shares = [float(line.split()[-1].rstrip("%")) for line in printed(capsys) if line.endswith("%")]
    assert len(shares) == 2
    assert shares[0] < 60  # a generator of four steps teaches little
    assert shares[1] > 95


# ---- evaluate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["dcgan", "cyclegan"])
def test_evaluate_gives_the_scores_with_which_the_training_ended(trained, recipe, capsys):
    run = trained(recipe)
    assert gans("evaluate", run) == 0
    result = json.loads((run / "result.json").read_text())
    found = json.loads((run / "evaluation" / "evaluation.json").read_text())
    shared = set(result) & set(found)
    assert len(shared) >= 6
    for name in shared:
        assert math.isclose(found[name], result[name], rel_tol=1e-6, abs_tol=1e-9), name
    assert printed(capsys)[-1] == str(run / "evaluation")


def test_evaluate_generates_as_many_images_as_asked_for_and_looks_for_copies(trained, tmp_path):
    run = trained("cgan")
    assert gans("evaluate", run, "--n", 700, "--seed", 5, "--no-cas", "--out", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["n_fake"] == 700
    assert found["seed"] == 5
    assert 0 <= found["copy_share_pixels"] <= 1
    assert "label_accuracy" in found
    assert "cas" not in found
    assert pixels(tmp_path / "copies.png").shape == (4 * 66 + 2, 10 * 66 + 2, 3)


def test_rows_are_counted_over_as_many_passes_as_it_takes():
    batches = [{"image": torch.arange(3)}, {"image": torch.arange(2)}]
    for n in (1, 3, 4, 5, 6, 12):
        assert sum(len(batch["image"]) for batch in first_rows(batches, n)) == n


def test_the_table_puts_beside_each_score_what_it_is_read_against():
    scores = {"fd": 3.0, "precision": 0.5, "n_real": 40.0, "fd_floor": 0.25, "precision_real": 1.0, "label_real": 0.99}
    rows = [line.split() for line in table(scores | {"fd_baseline": 30.0}).splitlines()]
    assert rows == [
        ["score", "this", "run", "real", "images", "baseline"],
        ["fd", "3", "0.2500", "30"],
        ["precision", "0.5000", "1.0000"],
        ["n_real", "40"],
        ["label", "0.9900"],
    ]
    assert "baseline" not in table(scores)


# ---- mistakes --------------------------------------------------------------------------------------------

SAMPLE, TRANSLATE, AUGMENT = ("sample", "dcgan"), ("translate", "cyclegan"), ("augment", "cgan")
MISTAKES = [
    (SAMPLE, ["--n", 0], "--n is 0; it must be from 1 to 1,024"),
    (SAMPLE, ["--n", 10**9], "Add --no-grid --files"),
    (SAMPLE, ["--n", 10**9, "--no-grid", "--files"], "from 1 to 1,000,000"),
    (SAMPLE, ["--no-grid"], "nothing to write"),
    (SAMPLE, ["--columns", 0], "--columns is 0"),
    (SAMPLE, ["--interpolate", 1], "--interpolate is 1"),
    (SAMPLE, ["--labels", 3], "knows no classes"),
    (SAMPLE, ["--device", "cuda:99"], "cuda"),
    (("sample", "cyclegan"), [], "gans translate"),
    (("sample", "cgan"), ["--labels", "1O"], "There is no class '1O'"),
    (("translate", "dcgan"), ["a.png", "--out", "OUT"], "gans sample"),
    (("enlarge", "dcgan"), ["a.png", "--out", "OUT"], "gans sample"),
    (("enlarge", "cyclegan"), ["a.png", "--out", "OUT"], "gans translate"),
    (("translate", "pix2pix"), ["a.png", "--out", "OUT", "--direction", "ba"], "one direction only"),
    (TRANSLATE, ["--out", "OUT"], "No images were given"),
    (AUGMENT, ["--per-class", 0, "--out", "OUT"], "--per-class is 0"),
    (AUGMENT, ["--per-class", 10**8, "--out", "OUT"], "from 1 to 100,000 for 10 classes"),
    (AUGMENT, ["--per-class", 1, "--confidence", 2, "--out", "OUT"], "it is a probability"),
    (("augment", "cyclegan"), ["--per-class", 1, "--out", "OUT"], "draws none from noise"),
    (("evaluate", "dcgan"), ["--n", 1], "--n is 1"),
    (("evaluate", "cyclegan"), ["--n", 50], "Leave it out"),
]


@pytest.mark.parametrize(("command", "words", "told"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_gets_one_paragraph_and_writes_nothing(trained, tmp_path, capsys, command, words, told):
    name, recipe = command
    run = trained(recipe)
    capsys.readouterr()
    words = [tmp_path / "out" if word == "OUT" else word for word in words]
    assert gans(name, run, *words) == 2
    captured = capsys.readouterr()
    assert told in " ".join(captured.err.split())
    assert "\n\n" not in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_is_said_with_the_nearest_name(trained, capsys):
    run = trained("dcgan")
    assert gans("sample", run.with_name("dcgann")) == 2
    assert "Did you mean 'dcgan'" in " ".join(capsys.readouterr().err.split())


def test_a_folder_of_runs_is_told_apart_from_a_run(trained, capsys):
    assert gans("sample", trained("dcgan").parent) == 2
    assert "contains runs but is not one itself" in " ".join(capsys.readouterr().err.split())


def test_an_unfinished_run_is_told_apart_from_no_run(trained, tmp_path, capsys):
    (tmp_path / "config.json").write_text((trained("dcgan") / "config.json").read_text())
    assert gans("sample", tmp_path) == 2
    assert "--resume" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "config.json").unlink()
    assert gans("sample", tmp_path) == 2
    assert "is not a run directory" in " ".join(capsys.readouterr().err.split())


def test_a_run_of_another_package_is_sent_there(trained, tmp_path, capsys):
    manifest = json.loads((trained("dcgan") / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(manifest | {"package": "diffusion"}))
    assert gans("sample", tmp_path) == 2
    assert "is a run of the package diffusion" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_model_is_refused(trained, tmp_path, capsys):
    for path in trained("dcgan").iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    assert gans("sample", tmp_path) == 2
    assert "SHA-256 differs" in " ".join(capsys.readouterr().err.split())


def test_nothing_is_replaced_unasked(trained, tmp_path, capsys):
    run = trained("dcgan")
    assert gans("sample", run, "--n", 4, "--out", tmp_path) == 0
    before = (tmp_path / "grid-seed0.png").read_bytes()
    assert gans("sample", run, "--n", 9, "--out", tmp_path) == 2
    assert "grid-seed0.png exists already" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "grid-seed0.png").read_bytes() == before
    assert gans("sample", run, "--n", 9, "--out", tmp_path, "--overwrite") == 0
    assert (tmp_path / "grid-seed0.png").read_bytes() != before


def test_augment_never_adds_to_what_is_there(trained, tmp_path, capsys):
    (tmp_path / "old.txt").write_text("mine")
    assert gans("augment", trained("cgan"), "--per-class", 1, "--out", tmp_path) == 2
    assert "is not empty" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_a_folder_that_cannot_be_made_is_named(trained, tmp_path, capsys, command):
    (tmp_path / "file").write_text("")
    assert gans(command, trained("dcgan"), "--out", tmp_path / "file" / "deeper") == 2
    assert "cannot be made" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_labels_need_data_with_classes(home, tmp_path, capsys):
    flat = tmp_path / "flat"
    flat.mkdir()
    images = resident(open_source("digits", ImageConfig(image_size=16)).train).tensors["image"][:40, 0]
    for i, image in enumerate(images):
        Image.fromarray(image.numpy()).save(flat / f"{i}.png")
    words = ["--data", f"folder:{flat}", "--trainer.steps", 2, "--trainer.batch-size", 8, *TINY["dcgan"]]
    assert gans("train", "dcgan", "--out", tmp_path / "run", *words) == 0
    assert gans("augment", tmp_path / "run", "--per-class", 3, "--out", tmp_path / "more") == 2
    assert "have no classes" in " ".join(capsys.readouterr().err.split())
