"""DETR from the command line: trained, scored, asked, drawn, and with weights of others."""

import csv
import json

import pytest
import torch
from PIL import Image

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.detection.config import DETRConfig
from torchworks.hybrid_multimodal.detection.nets import load_weights, new_net
from torchworks.hybrid_multimodal.detection.predictor import found_of
from torchworks.hybrid_multimodal.detection.task import SetDetection, moved, total
from torchworks.hybrid_multimodal.detection.use import best_queries
from torchworks.hybrid_multimodal.models.detr import Answers
from torchworks.hybrid_multimodal.models.dn_detr import assigned_groups, groups_mask, noised_boxes
from torchworks.hybrid_multimodal.models.set_loss import Objects, match, set_losses
from torchworks.shared.cli import main
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom

DATA = ("--data", "digit-scenes:train=40,test=6")
SIZES = {"widths": (8, 16), "width": 16, "num_heads": 2, "decoder_depth": 2, "hidden": 16}
SMALL = (
    "--net.widths", 8, 16, "--net.width", 16, "--net.num-heads", 2, "--net.decoder-depth", 2, "--net.hidden", 16,
    "--loader.image-size", 32, "--trainer.batch-size", 4, "--precision", "fp32", "--valid-fraction", 0.2,
)  # fmt: skip


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net."""
    folder = tmp_path_factory.mktemp("runs") / "detr"
    assert run("train", "detr", *DATA, *SMALL, "--steps", 4, "--out", folder) == 0
    return folder


@pytest.fixture
def image(tmp_path):
    """An image file that is no square."""
    file = tmp_path / "scene.png"
    Image.new("RGB", (48, 40), "red").save(file)
    return file


def small_net(classes: int = 10, **options):
    torch.manual_seed(0)
    return new_net(to_dict(DETRConfig(**SIZES | options)), num_classes=classes, channels=3)


def batch(rows: int = 4, size: int = 32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(rows, 3, 2, generator=generator) * 16
    boxes = torch.cat([low, low + 6 + torch.rand(rows, 3, 2, generator=generator) * 8], 2)
    label = torch.randint(0, 10, (rows, 3), generator=generator)
    label[0, 1:] = -1
    boxes[0, 1:] = 0
    return {"image": torch.rand(rows, 3, size, size, generator=generator), "boxes": boxes, "box_label": label}


def task_of(net, **options) -> SetDetection:
    task = SetDetection(net, 10, lr=1e-3, weight_decay=0.0, **options)
    task.random = StepRandom(0)
    return task


# ------------------------------------------------------------------------------------------------------ training


def test_one_batch_can_be_learned_by_heart():
    task, images = task_of(small_net(widths=(16, 32), width=32, hidden=64), denoising=2), batch(2)
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=3e-3)
    losses = []
    for step in range(120):
        task.random.at("train", step, rows=2, total=2)
        out = task.loss("train", images)
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        losses.append(float(out.logs["class"] + out.logs["l1"] + out.logs["giou"]))
    assert min(losses[-10:]) < 0.25 * losses[0]
    task.model.eval()
    task.evaluate(images)
    assert task.scores.compute()["map_50"] > 0.6


def test_learned_queries_answer_alike_with_and_without_denoising():
    net, given = small_net().eval(), batch()
    objects = Objects(torch.rand(4, 3, 4), given["box_label"])
    with torch.no_grad():
        answers, noised = net(given["image"], objects, torch.rand(4, 2, 3, 4))
        alone = net(given["image"])
    for found, wanted in zip(answers, alone, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert noised.boxes.shape == (2, 4, 6, 4)


def test_noised_boxes_stay_near_their_objects_and_belong_to_them():
    labels = torch.tensor([[4, -1], [2, 7]])
    objects = Objects(torch.full((2, 2, 4), 0.5), labels)
    boxes = noised_boxes(objects, torch.rand(2, 3, 2, 4))
    near = boxes[objects.there[:, None].expand(-1, 3, -1)]
    assert (near[:, :2] - 0.5).abs().max() <= 0.1
    assert 0.3 <= near[:, 2:].min() <= near[:, 2:].max() <= 0.7
    given = assigned_groups(objects, 3, 2)
    assert given.shape == (2, 2, 6)
    assert given[0].tolist() == [[0, -1, 0, -1, 0, -1], [0, 1, 0, 1, 0, 1]]


def test_groups_see_themselves_and_learned_queries_which_see_no_group():
    mask = groups_mask(2, 2, 1)
    assert mask.tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, False, True],
    ]


def test_images_without_objects_are_learned_too():
    given = batch()
    given["box_label"][:] = -1
    for groups in (0, 2):
        out = task_of(small_net(), denoising=groups).loss("train", given)
        out.loss.backward()
        assert torch.isfinite(out.loss)


def test_moved_images_keep_their_boxes_around_the_same_pixels():
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 4:8, 6:10] = 1
    given = {"image": image, "boxes": torch.tensor([[[6.0, 4, 10, 8]]]), "box_label": torch.tensor([[3]])}
    for numbers in ((0.0, 0.99), (0.99, 0.5), (0.3, 0.1)):
        pixels, objects = moved(given, torch.tensor([numbers]), 3)
        rows, columns = pixels[0, 0].nonzero().unbind(1)
        found = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        center, size = objects.boxes[0, 0, :2] * 16, objects.boxes[0, 0, 2:] * 16
        torch.testing.assert_close(torch.cat([center - size / 2, center + size / 2]), found.float())


def test_all_layers_are_trained_alike():
    net, given = small_net(), batch()
    objects = Objects(torch.rand(4, 3, 4), given["box_label"])
    answers = net(given["image"])
    parts = set_losses(answers, objects, match(answers, objects))
    assert all(part.shape == (2,) for part in parts.values())
    torch.testing.assert_close(total(parts), sum(part[0] + part[1] for part in parts.values()))


def test_objects_are_listed_best_first_and_no_object_last():
    logits = torch.tensor([[0.0, 0, 3], [4.0, 0, 0], [0.0, 2, 0]])
    assert best_queries(logits).tolist() == [1, 2, 0]
    (found,) = found_of(Answers(logits[None, None], torch.rand(1, 1, 3, 4)), 32)
    assert found["labels"][:2].tolist() == [0, 1]
    assert found["scores"].tolist() == sorted(found["scores"].tolist(), reverse=True)


# ------------------------------------------------------------------------------------------------------- weights


def test_weights_of_published_detr_are_loaded_but_for_classes_and_queries():
    given = {name: value for name, value in small_net().state_dict().items() if not name.startswith("box_query")}
    net = small_net(classes=4, queries=3)
    (note,) = load_weights(net, given, "a.safetensors")
    assert "the classifier and the queries" in note
    assert torch.equal(net.state_dict()["bbox_predictor.layers.2.bias"], given["bbox_predictor.layers.2.bias"])
    with pytest.raises(UserError, match="resnet50"):
        load_weights(small_net(width=32), given, "a.safetensors")


# ------------------------------------------------------------------------------------------------------ commands


def test_a_run_is_scored_by_cocos_metrics_beside_a_constant_prediction(trained):
    result = json.loads((trained / "result.json").read_text())
    for name in (
        "map",
        "map_50",
        "seen_map_50",
        "held_map_50",
        "map_constant_prediction",
        "map_50_constant_prediction",
    ):
        assert 0 <= result[name] <= 1
    check_golden(trained)


def test_the_answer_of_a_query_that_says_no_object_is_empty(trained):
    predictor = load_predictor(trained)
    found = predictor.predict({"image": torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)})
    nothing = found["label"] < 0
    assert (found["score"][nothing] == 0).all()
    assert (found["boxes"][nothing] == 0).all()
    assert (found["score"].diff(dim=1) <= 0).all()


def test_objects_are_printed_and_drawn_beside_where_their_queries_looked(trained, image, tmp_path, capsys):
    words = ("--least-score", 0.001, "--out", tmp_path / "out", "--csv", tmp_path / "table.csv")
    assert run("detect", trained, image, *words) == 0
    said = capsys.readouterr().out
    assert "object" in said
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= float(row["x1"]) <= float(row["x2"]) <= 48 for row in rows)
    with Image.open(tmp_path / "out" / "scene.png") as drawn:
        assert drawn.width >= 48 * min(5, len(rows))
    assert run("detect", trained, image, "--least-score", 1.5) == 2
    assert "below 1" in " ".join(capsys.readouterr().err.split())


def test_evaluate_scores_again_and_draws_the_worst(trained):
    assert run("evaluate", trained) == 0
    result = json.loads((trained / "result.json").read_text())
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert found["map"] == pytest.approx(result["map"], abs=1e-6)
    assert (trained / "evaluation" / "worst.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "colored-digits:train=8,test=4"), "has no boxes"),
        (("--loader.image-size", 36), "multiple of 8"),
        (("--net.width", 20), "multiple of 8"),
        (("--net.depths", 1), "--net.depths"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_reason(words, said, capsys):
    assert run("train", "detr", "--dry-run", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
