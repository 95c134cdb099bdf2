"""Ids and texts from data to a saved model: rankings of all items, and texts of any length."""

import json

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.data.dataset import collate
from torchworks.shared.models.predictor import check_golden, load_predictor, read_files
from torchworks.shared.testing import check_predictor
from torchworks.shared.text import from_json


@pytest.fixture
def trained(toy_recipes, tmp_path):
    """Train a recipe; returns the run and what it scored."""

    def call(recipe, steps=60):
        words = ["train", recipe, "--trainer.steps", str(steps), "--out", str(tmp_path / recipe)]
        assert toy_recipes.main(words) == 0
        return tmp_path / recipe, json.loads((tmp_path / recipe / "result.json").read_text())

    return call


@pytest.fixture
def models(toy_recipes):
    import toy_models

    return toy_models


def test_the_score_of_a_recommender_is_that_of_the_saved_weights_over_all_items(trained, models):
    run, result = trained("ids", 300)
    net = load_predictor(run).net
    gains = []
    with torch.no_grad():
        for user in range(models.USERS):
            scores = [float(net(torch.tensor([user]), torch.tensor([item]))) for item in range(models.ITEMS)]
            wanted, *seen = models.liked(user)
            above = [item for item in range(models.ITEMS) if item not in seen and scores[item] > scores[wanted]]
            gains.append(1 / torch.tensor(len(above) + 2.0).log2().item())
    assert result["ndcg"] == pytest.approx(sum(gains) / len(gains), abs=1e-5)
    assert result["ndcg"] > 0.8  # 0.32 by chance


def test_what_all_items_need_is_computed_once_for_each_evaluation(models):
    from torchworks.shared.config import TrainerConfig
    from torchworks.shared.data import ResidentLoader
    from torchworks.shared.training.trainer import Trainer

    task, data = models.Recommender(), models.pairs(slice(0, 1))
    settings = TrainerConfig(steps=1, batch_size=8, device="cpu", precision="fp32")
    trainer = Trainer(task, ResidentLoader(data, 8), ResidentLoader(data, 5, train=False), settings)
    before = task.passes
    trainer.score(ResidentLoader(data, 5, train=False))
    assert task.passes == before + 1


def test_recommendations_are_numbers_of_names_and_none_is_known_already(trained, models):
    run, _ = trained("ids", 300)
    assert check_golden(run) == 0
    predictor = load_predictor(run)
    found = predictor.predict({"user": torch.arange(models.USERS)})
    assert predictor.signature.outputs[0].labels == models.NAMES
    assert (found["item"].dtype, found["item"].shape) == (torch.int64, (models.USERS, models.RECOMMENDED))
    assert (found["score"].diff(dim=1) <= 0).all()
    for user, items in enumerate(found["item"].tolist()):
        assert not set(items) & set(models.liked(user)[1:])
    hits = [models.liked(user)[0] in items for user, items in enumerate(found["item"].tolist())]
    assert sum(hits) > 18
    check_predictor(predictor)


def test_a_model_of_texts_is_saved_with_its_tokenizer_and_answers_as_it_did(trained, models):
    run, result = trained("texts")
    assert result["accuracy"] > 0.9
    assert check_golden(run) < 1e-6
    tokenizer = from_json(read_files(run)["words.json"])
    samples = [{"text": torch.tensor(tokenizer.encode(text))} for text in ("sun", "rain rain wet sun rain", "wet wet")]
    schema = models.tokenized(["sun"], torch.tensor([1]), tokenizer).schema
    batch = collate(samples, schema)
    predictor = load_predictor(run)
    answer = predictor.predict({"text": batch["text"], "length": batch["text_length"]})["weather"]
    assert [models.WEATHER[k] for k in answer.argmax(1).tolist()] == ["sun", "rain", "rain"]
    for sample, row in zip(samples, answer, strict=True):
        alone = predictor.predict({"text": sample["text"][None], "length": torch.tensor([len(sample["text"])])})
        torch.testing.assert_close(alone["weather"][0], row)


def test_texts_beyond_the_longest_and_unknown_ids_are_refused(trained):
    predictor = load_predictor(trained("texts")[0])
    with pytest.raises(UserError, match="T may be 9 at most"):
        predictor.predict({"text": torch.ones(1, 10, dtype=torch.int64), "length": torch.tensor([10])})
    with pytest.raises(UserError, match="must be at most"):
        predictor.predict({"text": torch.full((1, 2), 99), "length": torch.tensor([2])})


def test_a_changed_tokenizer_is_noticed(trained):
    run, _ = trained("texts")
    content = (run / "words.json").read_bytes()
    (run / "words.json").write_bytes(content.replace(b"sun", b"son"))
    with pytest.raises(UserError, match=r"words\.json is not the file that was saved"):
        load_predictor(run)
