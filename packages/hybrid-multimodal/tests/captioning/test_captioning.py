"""Captions, from the command line: trained, saved, written, drawn, scored."""

import json
import math

import pytest
import torch
from PIL import Image

from torchworks.hybrid_multimodal.captioning.decoding import written
from torchworks.hybrid_multimodal.captioning.plots import draw_maps
from torchworks.hybrid_multimodal.captioning.predictor import build_captioner
from torchworks.hybrid_multimodal.captioning.tokens import END, TOKENIZER, new_tokenizer, special
from torchworks.hybrid_multimodal.captioning.use import CaptionRun
from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.tokenized import padded
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.runs.outputs import picture
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed

SIZES = {"embed_dim": 8, "hidden_dim": 16, "attention_dim": 8, "width": 16, "drop_rate": 0.1}
SMALL = [word for name, value in SIZES.items() for word in (f"--net.{name.replace('_', '-')}", str(value))]
TINY = [*SMALL, "--loader.image-size", "32", "--trainer.batch-size", "8", "--precision", "fp32"]
SCENES = ["--data", "digit-scenes:train=48,test=12"]


def run(*words: object) -> int:
    return main("hybrid-multimodal", "caption", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net."""
    folder = tmp_path_factory.mktemp("runs") / "scenes"
    assert run("train", "caption", *TINY, *SCENES, "--steps", 6, "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three scenes as files, and one that is none."""
    folder = tmp_path_factory.mktemp("images")
    source = open_source("digit-scenes:train=3,test=1", ImageConfig(image_size=64))
    for i in range(3):
        picture(source.train[i]["image"]).save(folder / f"{i}.png")
    return folder


def test_a_run_has_the_scores_of_both_halves_and_of_simpler_ways(trained):
    result = json.loads((trained / "result.json").read_text())
    for part in ("seen", "held"):
        assert {f"exact_{part}", f"exact_{part}_beams_3", f"cider_{part}", f"exact_{part}_nearest"} <= result.keys()
        assert f"cider_{part}_commonest" in result
    assert 0 < result["attention_entropy"] <= 1
    assert list((trained / "samples").glob("*captions*"))


def test_a_line_an_image_and_a_map_a_word(trained, images, tmp_path, capsys):
    sheet = tmp_path / "maps.png"
    assert run("caption", trained, images, "--beams", 2, "--out", sheet, "--device", "cpu") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [*(str(images / f"{i}.png") for i in range(3)), str(sheet)]
    assert all(0 <= float(line.split("  ")[2]) <= 1 for line in lines[:3])
    with Image.open(sheet) as drawn:
        assert drawn.height > 3 * 96
    assert run("caption", trained, images, "--out", sheet) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_files_that_are_no_images_are_named_once_the_others_are_done(trained, images, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_text("not an image")
    assert run("caption", trained, images / "0.png", bad) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith(str(images / "0.png"))
    assert "bad.png" in printed.err


@pytest.mark.parametrize(
    ("words", "said"), [((), "No images were given"), (("nowhere",), "nowhere"), (("IMAGES", "--beams", 0), "--beams")]
)
def test_what_cannot_be_described_is_explained(trained, images, capsys, words, said):
    assert run("caption", trained, *(images if word == "IMAGES" else word for word in words)) == 2
    assert said in capsys.readouterr().err


def test_evaluate_gives_the_scores_that_training_ended_with(trained, tmp_path, capsys):
    assert run("evaluate", trained, "--out", tmp_path / "report") == 0
    scores = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    result = json.loads((trained / "result.json").read_text())
    for name in ("exact_seen", "exact_held", "cider_seen", "cider_held_nearest", "exact_seen_beams_3"):
        assert scores[name] == pytest.approx(result[name]), name
    assert f"{result['cider_seen']:.4f}" in capsys.readouterr().out
    for part in ("seen", "held"):
        with Image.open(tmp_path / "report" / f"captions-{part}.png") as drawn:
            assert drawn.width > 400


# ---- the model


@pytest.mark.parametrize(
    ("model", "beams"),
    [
        pytest.param("factored", 2, marks=pytest.mark.slow),
        pytest.param("factored", 1, marks=pytest.mark.long),
        pytest.param("attend", 2, marks=pytest.mark.long),
        pytest.param("lstm", 2, marks=pytest.mark.slow),
    ],
)
def test_the_search_is_exported_whole_for_any_number_of_images(model, beams):
    tokenizer = new_tokenizer(["a red one", "a blue two above a red one"], 50)
    config = {"channels": 3, "image_size": 32, "longest": 5, "beams": beams, "model": model, "net": SIZES}
    torch.manual_seed(0)
    check_predictor(build_captioner(config, {TOKENIZER: tokenizer.to_json()}))


def test_a_run_replays_its_golden_example(trained):
    assert check_golden(trained) == pytest.approx(0, abs=1e-5)


def test_greedy_exact_match_of_training_is_that_of_written_captions(trained):
    """`exact_match` is found without decoding."""
    run = CaptionRun(trained)
    source = open_source(run.config.data, run.config.loader, run.config.seed)
    images = torch.stack([source.test[i]["image"] for i in range(24)])
    found = written(run.predictor.net, run.tokenizer, images, beams=1, longest=run.predictor.longest)
    captions = [bytes(source.test[i]["caption"].tolist()).decode() for i in range(24)]
    tokens = padded(captions, run.tokenizer, 15, end=special(run.tokenizer, END))
    right = [each.words == tuple(_words(run, row)) for each, row in zip(found, tokens.tolist(), strict=True)]
    assert json.loads((trained / "result.json").read_text())["exact_match"] == pytest.approx(sum(right) / 24)
    assert all(each.log_probability <= 0 and math.isfinite(each.log_probability) for each in found)


def _words(run, row):
    end = special(run.tokenizer, END)
    return [END if each == end else run.tokenizer.decode([each]) for each in row if each]


def test_maps_are_bright_where_the_model_looked(trained):
    run = CaptionRun(trained)
    image = torch.full((3, 32, 32), 200, dtype=torch.uint8)
    (found,) = run.written(image[None])
    maps = torch.zeros(len(found.words), 16)
    maps[:, 0] = 1  # the upper left corner
    sheet = draw_maps([image], [type(found)(found.text, found.words, maps, 0.0)], ["grey"])
    cell = sheet.crop((6 + 102, 6, 6 + 102 + 96, 6 + 96)).convert("L")
    assert cell.getpixel((4, 4)) > 150 > 60 > cell.getpixel((90, 90))


# ---- data


def test_own_captions_are_learnt(tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(24):
        color = ("red", "blue")[i % 2]
        Image.new("RGB", (40 + i, 40), color).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"A {color} wall.")
    words = ["--data", f"captioned:{folder}", "--steps", 3, "--out", tmp_path / "run", "--valid-fraction", 0]
    assert run("train", "caption", *TINY, *words) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "exact_beams_3" in result
    assert "exact_seen" not in result
    capsys.readouterr()
    assert run("caption", tmp_path / "run", folder / "0.png") == 0
    assert str(folder / "0.png") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "digits"), "captions"),
        (("--loader.image-size", 44), "multiple of 8"),
        (("--beams", 0), "--beams"),
    ],
)
def test_what_cannot_be_trained_is_explained(words, said, tmp_path, capsys):
    assert run("train", "caption", *TINY, *words, "--steps", 1, "--out", tmp_path / "run") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_vocabulary_without_words_is_refused():
    with pytest.raises(UserError, match="no word"):
        new_tokenizer(["", " "], 10)


@pytest.mark.long
def test_a_training_that_is_killed_and_resumed_ends_with_the_same_weights(tmp_path):
    words = [*TINY, *SCENES, "--steps", "40", "--trainer.log-every", "1", "--trainer.eval-every", "10"]
    command = ("-m", "torchworks.hybrid_multimodal", "train", "caption", *words, "--trainer.checkpoint-every", "5")
    killed_and_resumed(command, tmp_path)
