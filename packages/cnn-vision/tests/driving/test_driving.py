"""Driving perception: the loss of depth by hand, tasks weighted by uncertainty, a run from its data to its report."""

import csv
import json

import pytest
import torch
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.data.bundled import bundled
from torchworks.cnn_vision.driving.baselines import typical_road
from torchworks.cnn_vision.driving.losses import Truth, depth_loss, driving_losses
from torchworks.cnn_vision.driving.task import depth_errors, found_of, mean_errors
from torchworks.cnn_vision.driving.use import distance
from torchworks.cnn_vision.models.driving import TASKS, DrivingNet, places_like
from torchworks.cnn_vision.models.fpn import scene_resnet20
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import Field, Schema, TensorDataset, open_source
from torchworks.shared.models.predictor import check_golden, load_predictor


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


def test_the_loss_of_depth_forgives_half_of_a_common_factor():
    depth = torch.tensor([[[2.0, 8.0], [0.0, 4.0]]])  # one is not known
    exact, twice = depth.clamp(min=1).log(), (2 * depth).clamp(min=1).log()
    assert depth_loss(exact, depth).item() == pytest.approx(0, abs=1e-6)
    factor = torch.tensor(2.0).log().item()
    assert depth_loss(twice, depth).item() == pytest.approx(factor**2 / 2)


def test_what_is_not_known_teaches_nothing():
    log_depth = torch.zeros(1, 2, 2, requires_grad=True)
    depth_loss(log_depth, torch.tensor([[[2.0, 0.0], [0.0, 3.0]]])).sum().backward()
    assert (log_depth.grad[0] != 0).tolist() == [[True, False], [False, True]]
    assert depth_loss(log_depth, torch.zeros(1, 2, 2)).item() == 0


def test_depth_errors_are_those_of_a_worked_example():
    truth, depth = torch.tensor([[10.0, 20.0, 0.0, 5.0]]), torch.tensor([[12.0, 10.0, 7.0, 5.0]])
    found = {name: float(total / count) for name, (total, count) in depth_errors(depth, truth).items()}
    assert found == pytest.approx({"abs_rel": (0.2 + 0.5 + 0) / 3, "delta": 2 / 3})


def small(**options):
    torch.manual_seed(0)
    return DrivingNet(num_things=2, num_pixels=3, **options)


def truth(n=2, size=64):
    mask, depth = torch.zeros(n, size, size, dtype=torch.uint8), torch.full((n, size, size), 9.0)
    mask[:, 20:] = 1
    target = {
        "boxes": torch.tensor([[8.0, 8.0, 40.0, 30.0]]),
        "labels": torch.tensor([1]),
        "ignored": torch.zeros(0, 4),
    }
    return Truth([target] * n, mask, depth)


def losses_of(net, images, there):
    return driving_losses(net.detector, net(images), there)


def test_tasks_are_weighed_by_what_the_net_says_of_its_uncertainty():
    net, images = small(), torch.randn(2, 3, 64, 64)
    net.log_variance.data = torch.tensor([0.5, -1.0, 2.0])
    losses = losses_of(net, images, truth())
    weighed = sum(losses[name] * torch.exp(-s) + s for name, s in zip(TASKS, net.log_variance, strict=True))
    torch.testing.assert_close(losses["total"], weighed)
    equal = losses_of(small(equal_weights=True), images, truth())
    torch.testing.assert_close(equal["total"], sum(equal[name] for name in TASKS))
    losses["total"].backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_every_task_is_learnt_from_the_same_backbone():
    net, images, there = small(), torch.randn(2, 3, 64, 64), truth()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    before = losses_of(net, images, there)
    for _ in range(12):
        optimizer.zero_grad()
        losses_of(net, images, there)["total"].backward()
        optimizer.step()
    after = losses_of(net, images, there)
    assert all(after[name] < before[name] for name in TASKS)
    backbone = net.detector.backbone.body
    assert sum(p.numel() for p in backbone.parameters()) == sum(p.numel() for p in scene_resnet20().parameters())


def test_places_are_told_by_row_and_column():
    rows, columns = places_like(torch.zeros(2, 5, 3, 4))[1]
    assert rows[:, 0].tolist() == [-1, 0, 1]
    assert columns[0, 0].item() == -1
    assert columns[0, -1].item() == 1


def test_padding_is_no_detection():
    boxes, scores, labels = torch.zeros(1, 3, 4), torch.tensor([[0.9, 0.4, 0.0]]), torch.tensor([[1, 0, -1]])
    assert found_of(boxes, scores, labels)[0]["labels"].tolist() == [1, 0]


def test_the_distance_of_an_object_is_that_of_its_middle():
    depth = torch.full((20, 20), 50.0)
    depth[6:14, 6:14] = 7.0
    assert distance(depth, torch.tensor([4.0, 4.0, 16.0, 16.0])) == 7.0
    assert distance(depth, torch.tensor([19.5, 19.5, 20.0, 20.0])) == 50.0  # hardly a pixel


def test_the_typical_road_is_the_majority_class_and_the_mean_depth_of_each_pixel():
    mask = torch.tensor([[[1, 0, 0]], [[1, 2, 0]], [[0, 255, 0]]], dtype=torch.uint8)
    depth = torch.tensor([[[2.0, 0.0, 0.0]], [[8.0, 0.0, 0.0]], [[0.0, 32.0, 0.0]]])
    schema = Schema((Field("mask", "mask", (1, 3)), Field("depth", "depth", (1, 3))))
    majority, mean = typical_road(TensorDataset({"mask": mask, "depth": depth}, schema), 3)
    assert majority.tolist()[0][0] == 1
    torch.testing.assert_close(mean, torch.tensor([[4.0, 32.0, 8.0]]))  # of 2 and 8; of 32; of all three


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "001"
    words = ["--data", "roads:train=8,test=3", "--loader.image-size", "64", "--trainer.batch-size", "4", "--steps", "4"]
    words += ["--trainer.eval-every", "0", "--device", "cpu", "--precision", "fp32"]
    assert vision("train", "drive", *words, "--out", out) == 0
    return out


def test_a_run_has_the_scores_of_every_task_beside_what_does_not_look(run):
    found = json.loads((run / "result.json").read_text())
    for name in ("map_50", "miou", "abs_rel", "delta"):
        assert found[name] >= 0
        assert found[f"{name}_baseline"] >= 0
    check_golden(run)


def test_the_model_says_what_it_takes_and_gives(run):
    outputs = {spec.name: (spec.kind, spec.dtype) for spec in load_predictor(run).signature.outputs}
    assert outputs == {
        "boxes": ("boxes", "float32"), "score": ("features", "float32"), "label": ("label", "int64"),
        "mask": ("mask", "uint8"), "depth": ("mask", "float32"),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`create_unbacked_symint` is deprecated:FutureWarning")
def test_the_exported_program_gives_the_same_for_any_number_of_images(run):
    predictor = load_predictor(run)
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    expected = predictor.predict({"image": images})
    dynamic = (({0: torch.export.Dim("rows", min=1)},),)
    program = torch.export.export(predictor, (images[:2],), dynamic_shapes=dynamic)
    for exported, value in zip(program.module()(images), expected.values(), strict=True):
        torch.testing.assert_close(exported, value)


def test_a_real_photograph_of_any_shape_is_drawn_with_its_depth(run, tmp_path, capsys):
    photograph, table = bundled("motorcycle_left.png"), tmp_path / "objects.csv"
    words = ["predict", run, photograph, "--out", tmp_path / "out", "--csv", table, "--least-score", "0.001"]
    assert vision(*words) == 0
    assert "motorcycle_left.png" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "motorcycle_left.png") as drawn, Image.open(photograph) as given:
        assert drawn.width == 2 * given.width
    for row in csv.DictReader(table.read_text().splitlines()):
        assert 0 <= float(row["x1"]) <= float(row["x2"]) <= 741
        assert float(row["metres"]) > 0


def test_evaluate_prints_the_tables_and_writes_the_report(run, tmp_path, capsys):
    assert vision("evaluate", run, "--out", tmp_path / "e") == 0
    said = capsys.readouterr().out
    assert "abs_rel" in said
    assert "pavement" in said
    written = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    result = json.loads((run / "result.json").read_text())
    assert written["miou"] == pytest.approx(result["miou"], abs=1e-6)
    assert written["abs_rel"] == pytest.approx(result["abs_rel"], rel=1e-4)
    assert "motorcycle_abs_rel" in written
    assert (tmp_path / "e" / "worst.png").stat().st_size > 1000
    assert (tmp_path / "e" / "report.html").exists()


def own_roads(base, *, depth_for=("train", "val")):
    """The first drawn roads as a folder of one's own."""
    source = open_source("roads:train=8,test=3", ImageConfig(image_size=64))
    for part, dataset in (("train", source.train), ("val", source.test)):
        for name in ("images", "labels", "masks", "depth"):
            (base / name / part).mkdir(parents=True)
        for i in range(len(dataset)):
            sample = dataset[i]
            Image.fromarray(sample["image"].permute(1, 2, 0).numpy()).save(base / "images" / part / f"{i}.png")
            Image.fromarray(sample["mask"].numpy()).save(base / "masks" / part / f"{i}.png")
            if part in depth_for:
                steps = (256 * sample["depth"]).round().to(torch.uint16).numpy()
                Image.fromarray(steps).save(base / "depth" / part / f"{i}.png")
            boxes = sample["boxes"] / 64
            rows = torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1).tolist()
            lines = [
                f"{k} {x} {y} {w} {h}\n" for k, (x, y, w, h) in zip(sample["box_label"], rows, strict=True) if k >= 0
            ]
            (base / "labels" / part / f"{i}.txt").write_text("".join(lines))
    (base / "classes.txt").write_text("\n".join(source.schema["boxes"].classes))
    (base / "masks.txt").write_text("\n".join(source.schema["mask"].classes))
    return base


def of_things(sample, name):
    """The rows of a sample's things, without the padding and what is ignored."""
    return sample[name][sample["box_label"] >= 0]


def test_a_net_learns_from_a_folder_of_one_s_own_as_from_the_drawn_roads(run, tmp_path, capsys):
    data = f"driving:{own_roads(tmp_path / 'own')}"
    drawn, own = (open_source(spec, ImageConfig(image_size=64)) for spec in ("roads:train=8,test=3", data))
    for i in range(8):
        there, read = drawn.train[i], own.train[i]
        assert torch.equal(read["image"], there["image"])
        assert torch.equal(read["mask"], there["mask"])
        assert torch.equal(of_things(read, "box_label"), of_things(there, "box_label"))
        torch.testing.assert_close(of_things(read, "boxes"), of_things(there, "boxes"), rtol=0, atol=1e-3)
        torch.testing.assert_close(read["depth"], there["depth"], rtol=0, atol=1 / 512)
    words = ["--loader.image-size", "64", "--trainer.batch-size", "4", "--steps", "2", "--device", "cpu"]
    assert vision("train", "drive", "--data", data, *words, "--out", tmp_path / "run") == 0
    check_golden(tmp_path / "run")
    written = []
    for name, spec in (("own", data), ("drawn", "roads:train=8,test=3")):
        assert vision("evaluate", run, "--data", spec, "--out", tmp_path / name) == 0
        written.append(json.loads((tmp_path / name / "evaluation.json").read_text()))
    assert written[0]["miou"] == pytest.approx(written[1]["miou"], abs=1e-6)
    assert written[0]["abs_rel"] == pytest.approx(written[1]["abs_rel"], rel=1e-3)


def test_a_part_without_any_depth_is_refused_in_training_and_has_no_score(run, tmp_path, capsys):
    data = f"driving:{own_roads(tmp_path / 'own', depth_for=['train'])}"
    assert vision("train", "drive", "--data", data, "--loader.image-size", "64") == 2
    assert "None of the 3 images for testing in own has a depth" in capsys.readouterr().err
    source = open_source(data, ImageConfig(image_size=64))
    errors = [depth_errors(torch.ones(1, 64, 64), source.test[i]["depth"][None]) for i in range(3)]
    assert all(mean != mean for mean in mean_errors(errors).values())


def test_data_without_depth_are_refused(capsys):
    assert vision("train", "drive", "--data", "scenes:train=1,test=1") == 2
    assert "scenes has no depth" in capsys.readouterr().err


def test_a_size_that_the_pyramid_cannot_halve_is_refused(capsys):
    assert vision("train", "drive", "--loader.image-size", "100") == 2
    assert "multiple of 32" in capsys.readouterr().err
