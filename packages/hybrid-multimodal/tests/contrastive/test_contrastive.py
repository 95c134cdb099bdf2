"""CLIP from the command line: trained, scored, searched with, asked for classes, exported."""

import json

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.contrastive import collection
from torchworks.hybrid_multimodal.contrastive.baselines import Pairs, baselines
from torchworks.hybrid_multimodal.contrastive.index import Index
from torchworks.hybrid_multimodal.contrastive.metrics import PROMPTS, retrieval, swapped_accuracies, zero_shot_accuracy
from torchworks.hybrid_multimodal.contrastive.pairs import WRONG, Texts, wrong_captions
from torchworks.hybrid_multimodal.contrastive.predictor import build_clip
from torchworks.hybrid_multimodal.contrastive.task import found_first, same
from torchworks.hybrid_multimodal.data.scene_captions import parse_caption, seen_things
from torchworks.shared.cli import main
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import check_golden, load_predictor, read_files
from torchworks.shared.testing import check_predictor

SMALL = (
    "--net.widths", 8, 16, "--net.blocks", 0, "--net.embed-dim", 16, "--net.text-width", 16, "--net.text-depth", 1,
    "--net.num-heads", 2, "--loader.image-size", 32, "--trainer.batch-size", 8, "--precision", "fp32",
    "--valid-fraction", 0.2,
)  # fmt: skip
DATA = ("--data", "digit-scenes:train=40,test=24")
SENTENCE = "a red seven left of a blue three"


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net."""
    folder = tmp_path_factory.mktemp("runs") / "clip"
    assert run("train", "clip", *DATA, *SMALL, "--steps", 4, "--hard-negatives", 2, "--out", folder) == 0
    return folder


@pytest.fixture
def album(tmp_path):
    """Images of a user, one of them broken."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number, color in enumerate(("red", "blue", "white", "black")):
        Image.new("RGB", (40 + number, 30), color).save(folder / f"{color}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    return folder


def test_a_run_is_scored_on_seen_and_on_held_out_pairs_beside_chance_and_simple_methods(trained):
    result = json.loads((trained / "result.json").read_text())
    for part in ("seen_", "held_"):
        for score in ("caption_recall_at_1", "zero_shot_accuracy"):
            for what in ("", "_chance", "_neighbor", "_gradients"):
                assert 0 <= result[f"{part}{score}{what}"] <= 1
        for swap in ("colors", "order", "relation"):
            assert 0 <= result[f"{part}swapped_{swap}_accuracy"] <= 1
    assert result["loss_chance"] == pytest.approx(2.079, abs=1e-3)  # ln 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trainer.batch-size", 1), "in a batch of 1 the loss is always 0"),
        (("--trainer.accumulate", 2), "cannot be accumulated"),
        (("--net.text-width", 15), "2 heads cannot share a width of 15"),
        (("--data", "scene-questions:train=8,test=4"), "needs images and captions"),
    ],
)
def test_what_contrastive_training_cannot_do_is_refused_in_a_sentence(words, said, capsys):
    assert run("train", "clip", *DATA, *SMALL, "--dry-run", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_wrong_captions_are_never_right_and_name_only_what_training_shows():
    known = seen_things()
    for caption in ("a red three", "a red seven above a blue three above a red seven", "a red four left of a pink one"):
        wrong = wrong_captions(caption, known, seed=0)
        assert len(wrong) == WRONG
        assert caption not in wrong
        for text in wrong:
            said = parse_caption(text)
            assert said is not None
            assert {*said.things} <= {*known} | {*parse_caption(caption).things}


def test_equal_captions_are_right_answers_of_each_other():
    tokens = torch.tensor([[2, 3, 9], [2, 3, 9], [3, 2, 9]])
    assert same(tokens, tokens).tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    logits = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert found_first(logits, same(tokens, tokens)).item() == pytest.approx(2 / 3)


# ------------------------------------------------------------------------------------------------------- metrics


def vectors_of(captions: list[str]) -> Tensor:
    """A vector of each text that says which words stand where."""
    rows = torch.zeros(len(captions), 16, 997)
    for row, text in zip(rows, captions, strict=True):
        for place, word in enumerate(text.split()):
            row[place, sum(map(ord, word)) % 997] = 1
    return F.normalize(rows.flatten(1))


def test_vectors_that_say_all_score_1_and_bags_of_words_half_where_words_are_exchanged():
    captions = [
        SENTENCE,
        "a blue three left of a red seven",
        "a red seven",
        "a red seven",
        "a pink one above a red two",
    ]
    found = retrieval(vectors_of(captions), captions, vectors_of)
    assert (found.caption_recall_at_1, found.image_recall_at_1, found.captions) == (1, 1, 4)
    assert zero_shot_accuracy(vectors_of(captions), captions, vectors_of) == 1
    assert set(swapped_accuracies(vectors_of(captions), captions, vectors_of).values()) == {1}

    def bags(texts: list[str]) -> Tensor:
        return F.normalize(vectors_of(texts).unflatten(1, (16, -1)).sum(1))

    swapped = swapped_accuracies(bags(captions), captions, bags)
    assert swapped["colors"] == swapped["order"] == 0.5
    assert swapped["relation"] == 1


def test_retrieval_is_that_of_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    captions = [PROMPTS[i] for i in torch.randint(0, 6, (30,), generator=generator).tolist()]
    images, table = torch.randn(30, 5, generator=generator), torch.randn(60, 5, generator=generator)

    def encode(texts):
        return table[[PROMPTS.index(text) for text in texts]]

    different, right, back = list(dict.fromkeys(captions)), 0, 0
    for image, caption in zip(images, captions, strict=True):
        right += max(different, key=lambda text: float(image @ encode([text])[0])) == caption
    for caption in different:
        back += captions[max(range(30), key=lambda i: float(images[i] @ encode([caption])[0]))] == caption
    found = retrieval(images, captions, encode)
    assert found.caption_recall_at_1 == pytest.approx(right / 30)
    assert found.image_recall_at_1 == pytest.approx(back / len(different))


def test_simple_methods_find_the_captions_of_images_that_they_have_seen():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (6, 3, 16, 16), generator=generator, dtype=torch.uint8)
    pairs = Pairs(images, [PROMPTS[i] for i in (0, 11, 22, 33, 44, 55)])
    found = baselines(pairs, pairs)
    assert found["caption_recall_at_1_neighbor"] == found["caption_recall_at_1_gradients"] == 1
    assert found["zero_shot_accuracy_neighbor"] == 1


# ------------------------------------------------------------------------------------------------------ commands


def test_a_search_ranks_a_folder_names_what_it_cannot_read_and_keeps_its_vectors(trained, album, tmp_path, capsys):
    index = tmp_path / "index.safetensors"
    words = ("search", trained, album, SENTENCE, "--index", index)
    assert run(*words, "--out", tmp_path / "found.png") == 2
    first = capsys.readouterr()
    assert "1 of the images could not be used" in first.err
    assert "broken.png" in first.err
    assert [line.split()[1].rpartition("/")[2] for line in first.out.splitlines()[:4]] != []
    with Image.open(tmp_path / "found.png") as picture:
        assert picture.width > 600
    kept = Index(index, _model(trained)).vectors
    assert len(kept) == 4

    (album / "broken.png").unlink()
    Image.new("RGB", (50, 50), "green").save(album / "green.png")
    (album / "red.png").unlink()
    assert run(*words) == 0
    second = capsys.readouterr().out
    assert "green.png" in second
    assert "red.png" not in second
    assert run(*words, "--out", tmp_path / "found.png") == 2
    assert "found.png exists already" in " ".join(capsys.readouterr().err.split())


def _model(folder):
    from torchworks.shared.models.manifest import sha256

    return sha256(folder / "model.safetensors")


def test_a_search_is_saved_with_its_images_as_a_model_of_its_own(trained, album, tmp_path, capsys, monkeypatch):
    (album / "broken.png").unlink()
    words = ("search", trained, album, SENTENCE, "--save", tmp_path / "saved")
    assert run(*words) == 0
    check_golden(tmp_path / "saved")
    predictor = load_predictor(tmp_path / "saved")
    check_predictor(predictor, lengths={"T": (1, 4, predictor.signature.most["T"])})
    found = predictor.predict({"text": torch.tensor([[2]])})
    names = predictor.signature.outputs[0].labels
    assert sorted(names[row] for row in found["found"][0].tolist()) == ["black.png", "blue.png", "red.png", "white.png"]
    assert run(*words) == 2
    assert "exists already" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setattr(collection, "MOST_IMAGES", 2)
    assert run(*words, "--overwrite") == 2
    assert "there are 4; 2 are the most" in " ".join(capsys.readouterr().err.split())
    assert load_predictor(tmp_path / "saved")  # nothing is lost


def test_a_search_replaces_neither_what_it_reads_nor_the_run(trained, album, tmp_path, capsys):
    (album / "broken.png").unlink()
    before = {path: path.read_bytes() for folder in (trained, album) for path in folder.rglob("*") if path.is_file()}
    wrong = [
        ("--index", album / "red.png"), ("--index", trained / "model.safetensors"), ("--index", tmp_path),
        ("--save", trained), ("--save", trained / "image"),
    ]  # fmt: skip
    for words in wrong:
        assert run("search", trained, album, SENTENCE, *words, "--overwrite") == 2
        assert "Traceback" not in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


def test_a_search_refuses_words_that_it_does_not_know_and_folders_that_are_not_there(trained, capsys):
    assert run("search", trained, "digit-scenes:train=40,test=24", "a purple seven") == 2
    assert "does not know the word 'purple'" in capsys.readouterr().err
    assert run("search", trained, "./nowhere", SENTENCE) == 2
    assert "There is no folder ./nowhere" in capsys.readouterr().err
    assert run("search", trained, "digit-scenes:train=40,test=24", SENTENCE, "--n", 2) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_zero_shot_classes_are_told_and_saved_as_a_model_of_their_own(trained, album, tmp_path, capsys):
    (album / "broken.png").unlink()
    labels = ("a red seven", "a blue one")
    words = ("zero-shot", trained, album, "--labels", *labels, "--save", tmp_path / "two")
    assert run(*words) == 0
    printed = capsys.readouterr().out
    assert all(label in printed for label in labels)
    check_golden(tmp_path / "two")
    assert load_predictor(tmp_path / "two").signature.outputs[0].labels == labels
    assert run(*words) == 2
    assert "model.json exists already" in " ".join(capsys.readouterr().err.split())
    assert run("zero-shot", trained, album, "--labels", "a red seven") == 2
    assert "two sentences at least" in capsys.readouterr().err


def test_evaluate_scores_again_and_draws_what_sentences_find(trained, capsys):
    assert run("evaluate", trained) == 0
    result = json.loads((trained / "result.json").read_text())
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert found["seen_caption_recall_at_1"] == pytest.approx(result["seen_caption_recall_at_1"])
    assert (trained / "evaluation" / "search.png").exists()


# ------------------------------------------------------------------------------------------------------ exported


@pytest.mark.parametrize(
    "use", [pytest.param("", marks=pytest.mark.slow), pytest.param("image", marks=pytest.mark.slow), "text"]
)
def test_the_zero_shot_model_and_both_encoders_export_whole(trained, use):
    folder = trained / use
    check_golden(folder)
    predictor = load_predictor(folder)
    check_predictor(predictor, lengths={"T": (1, 4, predictor.signature.most.get("T", 4))})


def test_a_text_encoder_reads_a_text_alike_with_and_without_padding(trained):
    config, files = read_manifest(trained / "text").config, read_files(trained / "text")
    predictor = build_clip(config, files).eval()
    texts = Texts.of([SENTENCE], 100, 32)
    ids = torch.tensor([texts.tokenizer.encode(SENTENCE)])
    with torch.no_grad():
        alone, behind = predictor(ids), predictor(F.pad(ids, (0, 3)))
    torch.testing.assert_close(alone, behind, rtol=1e-5, atol=1e-6)
