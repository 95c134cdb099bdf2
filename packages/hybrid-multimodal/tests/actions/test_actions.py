"""Action recognition from the command line: trained, scored, used, exported."""

import json

import pytest
import torch
from PIL import Image

from torchworks.hybrid_multimodal.actions.baselines import changed, moments
from torchworks.hybrid_multimodal.actions.config import ActionNetConfig
from torchworks.hybrid_multimodal.actions.nets import new_net
from torchworks.hybrid_multimodal.actions.task import Recognition
from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.data.actions import ACTIONS, open_actions
from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.shared.cli import main
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.data import resident
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import check_predictor

SMALL = (
    "--data", "actions:train=72,test=24", "--loader.frames", 4, "--loader.image-size", 16, "--net.widths", 8, 16,
    "--net.width", 16, "--net.depth", 1, "--trainer.batch-size", 8, "--precision", "fp32", "--steps", 3,
    "--valid-fraction", 0.2,
)  # fmt: skip


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net, of each recipe, made when it is asked for."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def of(recipe: str):
        if recipe not in made:
            assert run("train", recipe, *SMALL, "--out", folder / recipe) == 0
            made[recipe] = folder / recipe
        return made[recipe]

    return of


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Three test films in folders of their actions: a GIF, a folder of frames, a file that is none."""
    folder = tmp_path_factory.mktemp("films")
    clips = resident(open_actions("train=12,test=12", FilmConfig(), 0).test).tensors["clip"]
    (folder / "left").mkdir()
    (folder / "up" / "frames").mkdir(parents=True)
    first, *others = [Image.fromarray(frame[0].numpy()) for frame in clips[0]]
    first.save(folder / "left" / "a.gif", save_all=True, append_images=others, duration=100)
    for number, frame in enumerate(clips[2]):
        Image.fromarray(frame[0].numpy()).save(folder / "up" / "frames" / f"{number}.png")
    (folder / "broken.gif").write_bytes(b"GIF89a")
    return folder


def test_a_run_is_scored_beside_what_sees_less(trained):
    result = json.loads((trained("action") / "result.json").read_text())
    for name in ("", *(f"_{each}" for each in (
        "one_frame", "shuffled", "reversed", "majority", "difference", "moments", "trained_on_one_frame",
    ))):  # fmt: skip
        assert 0 <= result[f"accuracy{name}"] <= 1
    assert result["accuracy_majority"] == pytest.approx(1 / len(ACTIONS))


def test_films_of_any_kind_are_named_and_drawn_and_unreadable_ones_told_at_the_end(trained, films, tmp_path, capsys):
    out = tmp_path / "strips.png"
    capsys.readouterr()
    assert run("recognize", trained("action"), films, "--top", 2, "--out", out) == 2
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(str(films / "left" / "a.gif"))
    for line in lines[:2]:
        named = [each.rpartition(" ") for each in line.split("  ", 1)[1].split(", ")]
        assert all(name in ACTIONS and 0 <= float(share) <= 1 for name, _, share in named)
        assert len(named) == 2
    assert "1 of the films could not be used" in " ".join(printed.err.split())
    with Image.open(out) as drawn:
        assert drawn.width > 4 * 72
        assert drawn.height > 2 * 72
    assert run("recognize", trained("action"), films, "--out", out) == 2
    assert "exists already" in " ".join(capsys.readouterr().err.split())


def test_a_film_that_is_read_is_never_replaced(trained, films, capsys):
    frame = films / "up" / "frames" / "0.png"
    assert run("recognize", trained("action"), films / "up" / "frames", "--out", frame, "--overwrite") == 2
    assert "is a file that is read" in " ".join(capsys.readouterr().err.split())


def test_mistakes_are_told_with_what_to_do(trained, films, tmp_path, capsys):
    still = tmp_path / "still.gif"
    Image.new("L", (16, 16)).save(still)
    for words, said in (
        (("recognize", trained("action")), "No films were given"),
        (("recognize", trained("action"), still), "one frame only"),
        (("recognize", trained("action"), tmp_path / "none.gif"), "no such file"),
        (("recognize", trained("action"), films, "--top", 0), "--top"),
        (("train", "action", "--data", "digit-scenes:train=8,test=4", "--dry-run"), "needs clips and labels"),
        (("train", "action", "--net.arch", "mvit-v2-s", "--loader.frames", 7, "--dry-run"), "even number of frames"),
        (("train", "action", "--net.arch", "s3d", "--loader.image-size", 16, "--dry-run"), "at least 3 frames of 17"),
    ):
        assert run(*words) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_evaluate_scores_each_class_and_draws_films_both_ways(trained):
    folder = trained("action")
    assert run("evaluate", folder) == 0
    result = json.loads((folder / "result.json").read_text())
    found = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    assert found["accuracy"] == pytest.approx(result["accuracy"])
    assert found["accuracy_reversed"] == pytest.approx(result["accuracy_reversed"])
    of_classes = [found[f"accuracy_of_{name.replace(' ', '_')}"] for name in ACTIONS]
    assert sum(of_classes) / len(ACTIONS) == pytest.approx(found["accuracy"])
    with Image.open(folder / "evaluation" / "films.png") as drawn:
        assert drawn.height > 12 * 72  # a film of each class


def test_all_frames_of_a_training_film_move_alike_and_by_its_own_number():
    task = Recognition(torch.nn.Identity(), lr=1.0, weight_decay=0.0, pixels=2)
    task.random = StepRandom(0)
    films = torch.randn(3, 1, 1, 9, 9).expand(3, 1, 4, 9, 9)  # four equal frames
    index = torch.tensor([5, 6, 7])
    moved = task._moved(films, index)
    torch.testing.assert_close(moved, moved[:, :, :1].expand_as(moved))
    assert not torch.equal(moved, films)
    torch.testing.assert_close(task._moved(films[1:2], index[1:2]), moved[1:2])


def test_what_is_taken_from_films_leaves_the_rest_as_it_is():
    clips = torch.arange(4).view(1, 4, 1, 1, 1).expand(2, 4, 1, 2, 2).to(torch.uint8)
    found = {name: value[:, :, 0, 0, 0].tolist() for name, value in changed(clips).items()}
    assert found["one_frame"] == [[2] * 4] * 2
    assert found["reversed"] == [[3, 2, 1, 0]] * 2
    assert all(sorted(row) == [0, 1, 2, 3] for row in found["shuffled"])


def test_moments_say_where_what_differs_is():
    clips = torch.zeros(1, 2, 8, 8)
    clips[0, 0, 1, 6], clips[0, 1, 6, 6] = 1, 1
    mass, x, y, xx, _, _ = moments(clips).view(6, 2)
    assert torch.allclose(mass, torch.full((2,), 1.0))
    assert x.tolist() == pytest.approx([5 / 7, 5 / 7])
    assert y.abs().max() < 1e-6  # both places differ from the mean in both frames
    assert xx.abs().max() < 1e-6


@pytest.mark.parametrize("arch", ["r3d-18", "mc3-18", "r2plus1d-18", "s3d", "mvit-v1-b", "mvit-v2-s"])
def test_every_net_can_be_chosen(arch):
    net = to_dict(ActionNetConfig(arch=arch))
    with torch.device("meta"):
        built = new_net(net, classes=5, frames=16, image_size=224, channels=3).eval()
        assert built(torch.zeros(1, 3, 16, 224, 224)).shape == (1, 5)
    if arch == "mvit-v1-b":
        with pytest.raises(UserError, match="too small"):
            new_net(net, classes=5, frames=8, image_size=16, channels=3)


def test_what_is_exported_takes_films_of_several_lengths_and_answers_alike(trained):
    check_golden(trained("action"))
    check_predictor(load_predictor(trained("action")), lengths={"T": (1, 4, 9)})


@pytest.mark.parametrize("recipe", ["action-lstm", "action-transformer"])
def test_other_recipes_train_and_replay_their_golden_example(trained, recipe):
    check_golden(trained(recipe))
    assert load_predictor(trained(recipe)).signature.inputs[0].shape[:2] == ("N", 4)
