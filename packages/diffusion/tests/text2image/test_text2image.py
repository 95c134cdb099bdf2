"""Images from captions, from the command line: trained, saved, drawn, scored."""

import json
from typing import Any

import pytest
import torch
from PIL import Image

from torchworks.diffusion.commands import COMMANDS
from torchworks.diffusion.models.config import ConditionalUNetConfig, TextEncoderConfig
from torchworks.diffusion.process.config import SamplingConfig
from torchworks.diffusion.text2image.config import Text2ImageConfig
from torchworks.diffusion.text2image.net import CaptionedUNet, denoiser
from torchworks.diffusion.text2image.predictor import build_text2image, open_prompt_drawer, predictor_config
from torchworks.diffusion.text2image.tokens import TOKENIZER, check_prompt, new_tokenizer
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.data.captioned import LONGEST
from torchworks.shared.data.tokenized import padded
from torchworks.shared.denoising import Level
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor

SMALL = {
    "net": ConditionalUNetConfig(widths=(8, 16), head_dim=8),
    "text": TextEncoderConfig(embed_dim=16, depth=1, num_heads=2),
}
CAPTIONS = ["a red circle left of a blue square", "a green triangle above a red circle"]


def run(*words: object) -> int:
    return main("diffusion", "text2image", COMMANDS, [str(word) for word in words])


def train(folder, *words: object) -> int:
    sizes = ("--net.widths", 8, 16, "--net.head-dim", 8, "--text.embed-dim", 16, "--text.depth", 1)
    options = (
        "--text.num-heads",
        2,
        "--steps",
        6,
        "--trainer.batch-size",
        8,
        "--sampling.steps",
        2,
        "--drawn",
        8,
        "--precision",
        "fp32",
    )
    return run("train", "text2image", *sizes, *options, *words, "--out", folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net."""
    folder = tmp_path_factory.mktemp("runs") / "scenes"
    assert train(folder, "--data", "shapes:train=64,test=20") == 0
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on a folder of images with captions, trained with Muon."""
    base = tmp_path_factory.mktemp("own")
    lines = ["file,caption"]
    for i in range(12):
        Image.new("RGB", (20, 24), (20 * i, 90, 40)).save(base / f"{i}.png")
        lines.append(f'{i}.png,"A {("dark", "bright")[i > 5]}, plain wall"')
    (base / "captions.csv").write_text("\n".join(lines))
    options = ("--loader.image-size", 16, "--loader.root", base / "cache", "--muon-lr", 0.02)
    assert train(base / "run", "--data", f"captioned:{base}", *options) == 0
    return base / "run"


def net(length: int = 8, vocabulary: int = 20, **sizes: Any) -> CaptionedUNet:
    """A net whose layers all say something, with random weights."""
    torch.manual_seed(0)
    made = CaptionedUNet(**(sizes or SMALL), vocabulary=vocabulary, length=length, channels=3, image_size=16)
    for parameter in made.parameters():  # layers that start at 0 would hide the others
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return made.eval()


def test_a_run_says_how_many_captions_are_right_held_out_and_seen(trained):
    result = json.loads((trained / "result.json").read_text())
    for name in ("caption", "color", "shape", "place"):
        assert 0 <= result[name] <= 1
        assert 0 <= result[f"{name}_seen"] <= 1
        assert result[f"{name}_real"] >= 0.95  # one of 20 real scenes
    assert {"loss", "loss_other_caption"} <= result.keys()
    assert [*(trained / "samples").glob("samples-*.png")]


def test_captions_that_are_cut_are_not_judged(tmp_path):
    assert train(tmp_path / "run", "--data", "shapes:train=16,test=4", "--longest", 5) == 0
    assert "caption" not in json.loads((tmp_path / "run" / "result.json").read_text())


def test_the_saved_model_answers_as_it_did_when_it_was_saved(trained):
    assert check_golden(trained) < 1e-5


@pytest.mark.slow
def test_the_predictor_exports_whole_for_any_number_of_rows_and_any_caption():
    tokenizer = new_tokenizer(CAPTIONS, 100)
    sizes = {**SMALL, "net": ConditionalUNetConfig(widths=(8,), head_dim=8, mid_attention=False)}  # captured in seconds
    settings = Text2ImageConfig(**sizes, sampling=SamplingConfig(steps=2, guidance=3.0))
    predictor = build_text2image(predictor_config(settings, (3, 16, 16), 8), {TOKENIZER: tokenizer.to_json()})
    predictor.net = net(8, len(tokenizer), **sizes)
    check_predictor(predictor, lengths={"T": (1, 8)})


def test_an_image_depends_on_its_seed_number_and_prompt_alone(trained):
    drawer = open_prompt_drawer(trained)
    many = drawer.draw(3, range(5), [CAPTIONS[0]] * 2 + [CAPTIONS[1]] * 3)
    assert torch.equal(many[4:], drawer.draw(3, range(4, 5), CAPTIONS[1:]))
    assert not torch.equal(many[4:], drawer.draw(3, range(4, 5), CAPTIONS[:1]))
    assert not torch.equal(many[4:], drawer.draw(4, range(4, 5), CAPTIONS[1:]))


def test_guidance_of_one_is_the_net_that_is_told_the_caption():
    tokens, x, level = torch.tensor([[1, 2, 3, 0, 0, 0, 0, 0]] * 2), torch.randn(2, 3, 16, 16), Level(0.4, 0.6, 600.0)
    made, process = net(), Text2ImageConfig().process
    with torch.no_grad():
        told = x - 0.6 * made(x, torch.full((2,), 600.0), tokens)
        none = x - 0.6 * made(x, torch.full((2,), 600.0), torch.zeros_like(tokens))
        for weight, expected in ((1.0, told), (0.0, none), (3.0, none + 3 * (told - none))):
            found = denoiser(made, tokens, process, SamplingConfig(guidance=weight))(x, level)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(told, none, atol=1e-3)


def test_padding_changes_nothing():
    made, x, time = net(), torch.randn(1, 3, 16, 16), torch.tensor([300.0])
    short, long = torch.tensor([[4, 5, 6]]), torch.tensor([[4, 5, 6, 0, 0, 0, 0, 0]])
    assert torch.equal(made(x, time, short), made(x, time, long))


def test_check_knows_how_much_of_a_caption_the_recipes_read():
    assert Text2ImageConfig().longest == LONGEST


def test_captions_longer_than_the_model_reads_are_cut():
    tokenizer = new_tokenizer(CAPTIONS, 100)
    assert padded(CAPTIONS, tokenizer, 4).tolist() == [tokenizer.encode(text)[:4] for text in CAPTIONS]


def test_sample_draws_a_prompt_and_its_name_is_in_the_file(trained, tmp_path, capsys):
    prompt = "a red circle left of a blue square"
    assert run("sample", trained, "--prompt", prompt, "--n", 2, "--files", "--film", "--out", tmp_path / "new") == 0
    names = {file.name for file in (tmp_path / "new").iterdir()}
    assert names == {"film-seed0.gif", "grid-seed0.png", f"seed0-00000-{prompt}.png", f"seed0-00001-{prompt}.png"}
    assert "grid-seed0.png" in capsys.readouterr().out


def test_sample_without_a_prompt_draws_captions_of_the_test_data(own, tmp_path):
    assert run("sample", own, "--n", 4, "--out", tmp_path / "new", "--steps", 1) == 0
    assert (tmp_path / "new" / "grid-seed0.png").exists()


def test_evaluate_prints_held_out_beside_seen_captions(trained, capsys):
    assert run("evaluate", trained, "--n", 20) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["right", "held", "out", "seen", "real", "images"]
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert found["real images"]["caption"] >= 0.95
    assert (trained / "evaluation" / "samples.png").exists()


def test_evaluate_says_that_a_users_images_cannot_be_scored(own, capsys):
    assert run("evaluate", own) == 2
    assert "without a trained judge" in " ".join(capsys.readouterr().err.split())


def test_unknown_words_of_a_prompt_are_named_with_the_vocabulary(trained, capsys):
    assert run("sample", trained, "--prompt", "a pink circle left of a blau square") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "does not know the words 'blau', 'pink'" in said
    assert "Did you mean 'blue' for 'blau'?" in said
    assert "It knows: a, above, blue, circle, green" in said


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("  ", "has no word"),
        ("a red circle left of a blue square above a red circle", "has 12 words and marks, but this model reads 8"),
        ("a purple circle", "the word 'purple': it is in none"),
    ],
)
def test_prompts_that_cannot_be_read_are_explained(prompt, said):
    with pytest.raises(UserError, match=said):
        check_prompt(prompt, new_tokenizer(CAPTIONS, 100), 8)


def test_labels_are_no_prompts(trained, capsys):
    assert run("sample", trained, "--labels", "3") == 2
    assert "Use --prompt instead" in " ".join(capsys.readouterr().err.split())


def test_data_without_captions_are_refused(tmp_path, capsys):
    assert run("train", "text2image", "--data", "digits", "--dry-run") == 2
    assert "needs images and captions" in " ".join(capsys.readouterr().err.split())
