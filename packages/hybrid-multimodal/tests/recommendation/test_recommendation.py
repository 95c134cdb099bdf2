"""A run recommends what it should, to its users and to strangers, says why, and names what it does not know."""

import json
from pathlib import Path

import pytest
import tables
import torch

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.recommendation.predictor import LOWEST, MOST
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import load_predictor

TRAIN = ["--device", "cpu", "--precision", "fp32", "--trainer.batch-size", "16"]
RECIPES = {
    "recommend": ["--trainer.steps", "40", "--embed-dim", "16", "--l2", "1e-4", "--optim.lr", "2e-2"],
    "mf": ["--trainer.steps", "40", "--embed-dim", "8", "--l2", "1e-3", "--optim.lr", "3e-2"],
    "sasrec": ["--trainer.steps", "60", "--embed-dim", "16", "--layers", "1", "--longest", "12", "--optim.lr", "1e-2"],
}


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [*map(str, words)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of a recipe on the small table, trained once."""
    folder = tmp_path_factory.mktemp("runs")
    source, made = tables.write(folder), {}

    def train(recipe: str) -> Path:
        if recipe not in made:
            made[recipe] = folder / recipe
            words = [*RECIPES[recipe], "--data", source, "--out", made[recipe], *TRAIN]
            assert run("train", recipe, *words, "--debug") == 0
        return made[recipe]

    return train


@pytest.mark.parametrize("recipe", ["recommend", "mf"])
def test_everybody_gets_films_of_the_own_taste(trained, recipe):
    """Four of the fifteen are left for each, one of which is tested: NDCG is 1 if it comes first, .43 if fourth."""
    result = json.loads((trained(recipe) / "result.json").read_text())
    assert result["ndcg_at_10"] > 0.5 > result["ndcg_at_10_random"]
    assert "full ranking of 30 items" in result["protocol"]
    assert "ranked against the model" in result["protocol"]


@pytest.mark.parametrize("recipe", ["sasrec"])
def test_the_next_film_is_of_the_own_taste(trained, recipe):
    predictor = load_predictor(trained(recipe))
    inputs = requests(predictor, user=torch.tensor([1, 2]), k=torch.tensor([3, 3]))
    item = predictor.predict(inputs)["item"][:, :3]
    tastes = torch.tensor([int(predictor.signature.outputs[0].labels[i]) % 2 for i in item.flatten()]).view(2, 3)
    assert tastes.tolist() == [[0, 0, 0], [1, 1, 1]]


def requests(predictor, **given: torch.Tensor) -> dict[str, torch.Tensor]:
    """Inputs, with the others as if left out."""
    rows = len(next(iter(given.values())))
    shapes = {spec.name: (rows, 1) if len(spec.shape) == 2 else (rows,) for spec in predictor.signature.inputs}
    defaults = {spec.name: spec.default for spec in predictor.signature.inputs}
    return {name: torch.full(shape, int(defaults[name] or 0)) for name, shape in shapes.items()} | given


@pytest.mark.parametrize("recipe", ["recommend", "mf", "sasrec"])
def test_answers_leave_out_what_is_known_and_excluded(trained, recipe):
    predictor = load_predictor(trained(recipe))
    liked, excluded = torch.tensor([[1, 2, 0], [3, 0, 0]]), torch.tensor([[5], [6]])
    answer = predictor.predict(requests(predictor, items=liked, exclude=excluded, k=torch.tensor([MOST, 4])))
    first = set(answer["item"][0].tolist()) - {-1}
    assert first == set(range(1, 31)) - {1, 2, 5}
    assert (answer["item"][1] >= 0).sum() == 4
    assert (answer["score"][answer["item"] < 0] == LOWEST).all()
    known = predictor.net.history[1]
    items = predictor.predict(requests(predictor, user=torch.tensor([1]), k=torch.tensor([MOST])))["item"]
    assert not set(items[0].tolist()) & set(known[known > 0].tolist())


def test_one_genre_only(trained):
    predictor = load_predictor(trained("recommend"))
    answer = predictor.predict(requests(predictor, only=torch.tensor([1, 2]), k=torch.tensor([MOST, MOST])))
    labels = predictor.signature.outputs[0].labels
    for row, taste in zip(answer["item"].tolist(), (0, 1), strict=True):  # Drama, War
        assert {int(labels[item]) % 2 for item in row if item > 0} == {taste}


@pytest.mark.parametrize("recipe", ["recommend", "mf", "sasrec"])
def test_padding_and_neighbors_change_no_answer(trained, recipe):
    predictor = load_predictor(trained(recipe))
    alone = predictor.predict(requests(predictor, items=torch.tensor([[4, 8]])))
    among = predictor.predict(requests(predictor, items=torch.tensor([[9, 7, 5, 3], [4, 8, 0, 0]])))
    assert torch.equal(alone["item"][0], among["item"][1])
    assert torch.allclose(alone["score"][0, :10], among["score"][1, :10], atol=1e-5)


def test_a_stranger_who_likes_nothing_gets_what_most_people_chose(trained):
    predictor = load_predictor(trained("recommend"))
    item = predictor.predict(requests(predictor, user=torch.tensor([0])))["item"][0, 0]
    assert predictor.net.counts[item] == predictor.net.counts.max()


# ---- commands ---------------------------------------------------------------------------------------------


def test_titles_for_a_user_with_reasons_and_ease_beside(trained, capsys):
    assert run("recommend", trained("recommend"), "--user", "u3", "-n", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("For user u3 who had ")
    assert lines[1].startswith("  1. Film ")
    assert "because you liked Film " in lines[1]
    assert any(line.startswith("EASE, without training") for line in lines)


def test_titles_for_a_stranger_however_they_are_written(trained, capsys):
    words = ["--liked", "the film 4", "Film 8, The (1992)", "FILM 12", "-n", "5", "--exclude", "Film 2, The"]
    assert run("recommend", trained("recommend"), *words) == 0
    out = capsys.readouterr().out
    ours = [line for line in out.split("EASE")[0].splitlines() if line[:4].strip().rstrip(".").isdigit()]
    films = [int(line.split("Film ")[1].split(",")[0]) for line in ours]
    assert len(films) == 5
    assert all(film % 2 == 0 and film not in (2, 4, 8, 12) for film in films)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Say for whom"),
        (["--user", "u99"], "no user 'u99'"),
        (["--liked", "Flim 4"], "The nearest titles are Film 4, The"),
        (["--user", "u1", "--only", "Wra"], "Did you mean 'War'?"),
        (["--user", "u1", "-n", "0"], "from 1 to 50"),
        (["--user", "u1", "--exclude", "Zebra"], "no item with the title 'Zebra'"),
    ],
)
def test_what_there_is_not_is_said(trained, capsys, words, said):
    assert run("recommend", trained("recommend"), *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_similar_films_are_of_the_same_taste(trained, capsys):
    assert run("similar", trained("recommend"), "film 6", "-n", "4") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "Film" in line][1:]
    assert len(lines) == 8
    assert all(int(line.split("Film ")[1].split(",")[0]) % 2 == 0 for line in lines)


def test_evaluate_gives_the_scores_of_the_training(trained, capsys):
    folder = trained("recommend")
    assert run("evaluate", folder) == 0
    scores = json.loads((folder / "evaluation" / "evaluation.json").read_text())["scores"]
    result = json.loads((folder / "result.json").read_text())
    assert scores["recommend"]["ndcg_at_10"] == pytest.approx(result["ndcg_at_10"])
    assert scores["ease"]["ndcg_at_10"] == pytest.approx(result["ndcg_at_10_ease"])
    assert run("evaluate", folder) == 2  # nothing is replaced unasked
