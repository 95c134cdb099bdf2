"""Classification from the command line: trained, scored, asked, drawn, and with weights of others."""

import csv
import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from torchworks.hybrid_multimodal.classification.baselines import cut_out
from torchworks.hybrid_multimodal.classification.config import ClassifierNetConfig
from torchworks.hybrid_multimodal.classification.nets import load_weights, new_net
from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.data.colored_digits import CLASSES
from torchworks.hybrid_multimodal.models.attention_classifier import AttentionClassifier, inner_width
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError, to_dict
from torchworks.shared.data import open_source, resident
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.runs.outputs import picture
from torchworks.shared.testing import check_model

KINDS = ("gap", "se", "cbam", "pool")
DATA = ("--data", "colored-digits:train=80,test=20")
SMALL = (
    "--net.widths", 8, 16, "--net.blocks", 1, "--net.parameters", 0, "--loader.image-size", 32, "--trainer.batch-size",
    8, "--precision", "fp32", "--valid-fraction", 0.2,
)  # fmt: skip


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps with a small net and attention pooling."""
    folder = tmp_path_factory.mktemp("runs") / "attention"
    assert run("train", "attention", *DATA, *SMALL, "--steps", 4, "--out", folder) == 0
    return folder


@pytest.fixture
def image(tmp_path):
    """An image file that is no square."""
    file = tmp_path / "digit.png"
    Image.new("RGB", (48, 40), "red").save(file)
    return file


# -------------------------------------------------------------------------------------------------------- data


def test_every_class_is_a_color_and_a_digit_and_parts_share_no_image():
    source = open_source("colored-digits:train=300,test=100", ImageConfig(image_size=32), 0)
    train, test = resident(source.train), resident(source.test)
    assert source.schema["label"].classes == CLASSES
    assert len(CLASSES) == 60
    assert (len(train), len(test)) == (300, 100)
    assert len(train.tensors["label"].unique()) > 50
    one = source.train[7]
    assert torch.equal(one["image"], train.tensors["image"][7])
    assert int(one["label"]) == int(train.tensors["label"][7])
    glyphs = [part.scenes.glyphs.ink[0].flatten(1) for part in (source.train, source.test)]
    assert not torch.cdist(glyphs[0], glyphs[1]).lt(1e-6).any()


def test_the_label_says_the_color_that_is_seen():
    part = resident(open_source("colored-digits:train=80,test=2", ImageConfig(image_size=64), 0).train)
    for color, channel in (("red", 0), ("green", 1), ("blue", 2)):
        rows = [i for i, label in enumerate(part.tensors["label"]) if CLASSES[label].startswith(color)]
        means = cut_out(part.tensors["image"][rows])[:, -3:].mean(0)
        assert int(means.argmax()) == channel


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "colored-digits:tran=5"), "no option 'tran'"),
        (("--data", "colored-digits", "--loader.channels", 1), "name colors"),
        (("--data", "digit-scenes:train=8,test=4"), "one class each"),
        (("--net.kinds", "CX", "--net.widths", 32, 32, "--net.depths", 1, 1, "--net.model", "coatnet"), "--net.kinds"),
        (("--net.model", "coatnet", "--net.widths", 32, 32, 32, "--loader.image-size", 36, *DATA), "cannot be halved"),
        (("--pretrained", "none.safetensors", *DATA), "is no file"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_reason(words, said, capsys):
    assert run("train", "attention", "--dry-run", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


# -------------------------------------------------------------------------------------------------------- nets


@pytest.mark.parametrize("kind", KINDS)
def test_every_promise_of_a_net_holds(kind):
    check_model(
        lambda: AttentionClassifier(num_classes=5, kind=kind, widths=(8, 16), blocks=1, inner=8),
        torch.randn(3, 3, 32, 32), shapes=(3, 5), unused=("pool.kv.bias",), export=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_nets_are_compared_at_equal_parameters(kind):
    options = {"num_classes": 60, "kind": kind}
    net = AttentionClassifier(inner=inner_width(414_000, **options), **options)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(414_000, rel=0.005)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_evidence_of_all_cells_sums_to_the_logit(kind):
    torch.manual_seed(0)
    net = AttentionClassifier(num_classes=5, kind=kind, widths=(8, 16), blocks=1, inner=8).eval()
    images, classes = torch.randn(3, 3, 32, 32), torch.tensor([4, 0, 2])
    terms = net.evidence(images, classes)
    assert terms.shape == (3, 8, 8)
    wanted = net(images).gather(1, classes[:, None])[:, 0] - net.fc.bias[classes]
    torch.testing.assert_close(terms.sum((1, 2)), wanted, rtol=1e-4, atol=1e-5)


def small_net(classes: int = 5):
    config = to_dict(ClassifierNetConfig(model="coatnet", widths=(32, 32), depths=(1, 1), kinds="CT"))
    return new_net(config, num_classes=classes, image_size=32, channels=3)


def test_given_weights_are_loaded_but_for_the_classifier_of_other_classes():
    given, net = small_net().state_dict(), small_net(7)
    (note,) = load_weights(net, given, "a.safetensors")
    assert "a.safetensors" in note
    assert torch.equal(net.state_dict()["stem.conv1.weight"], given["stem.conv1.weight"])
    assert load_weights(small_net(), given, "a.safetensors") == []
    given.pop("stem.conv1.weight")
    with pytest.raises(UserError, match="1 of its"):
        load_weights(net, given, "a.safetensors")


# ---------------------------------------------------------------------------------------------------- commands


def test_a_run_is_scored_beside_simpler_methods(trained):
    result = json.loads((trained / "result.json").read_text())
    for name in ("", "_majority_class", "_ridge_baseline", "_cut_svm_baseline"):
        assert 0 <= result[f"accuracy{name}"] <= 1
    check_golden(trained)


def test_images_are_classified_and_what_speaks_for_the_class_is_drawn(trained, image, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"no image")
    words = ("--top", 2, "--out", tmp_path / "out", "--csv", tmp_path / "table.csv")
    assert run("classify", trained, image, tmp_path / "broken.png", *words) == 2
    said = capsys.readouterr()
    assert "digit.png" in said.out
    assert said.out.count("%") == 2
    assert "broken.png" in " ".join(said.err.split())
    with Image.open(tmp_path / "out" / "digit.png") as drawn:
        assert drawn.width > 3 * 190  # the image, the evidence, and where it looked
    with (tmp_path / "table.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["label"] in CLASSES
    assert sum(float(row[name]) for name in CLASSES) == pytest.approx(1, abs=1e-3)
    assert run("classify", trained, image, "--out", tmp_path / "out") == 2
    assert "exists already" in " ".join(capsys.readouterr().err.split())


def test_evaluate_scores_again_and_draws(trained):
    assert run("evaluate", trained) == 0
    result = json.loads((trained / "result.json").read_text())
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert found["accuracy"] == pytest.approx(result["accuracy"])
    assert found["accuracy_cut_svm_baseline"] == result["accuracy_cut_svm_baseline"]
    assert {"evidence.png", "confusion.png", "report.html"} <= {
        path.name for path in (trained / "evaluation").iterdir()
    }


def test_training_goes_on_from_weights_in_a_local_file_and_from_no_other_kind(trained, tmp_path, capsys):
    words = ("train", "attention", *DATA, *SMALL, "--dry-run", "--pretrained")
    assert run(*words, trained / "model.safetensors") == 0
    torch.save({}, tmp_path / "weights.pt")
    assert run(*words, tmp_path / "weights.pt") == 2
    assert "is no safetensors file" in " ".join(capsys.readouterr().err.split())
    save_file({"fc.weight": torch.zeros(60, 16)}, tmp_path / "other.safetensors")
    assert run(*words, tmp_path / "other.safetensors") == 2
    assert "do not fit this net" in " ".join(capsys.readouterr().err.split())


def test_runs_of_other_jobs_are_refused(trained, image, capsys):
    assert run("detect", trained, image) == 2
    assert "does not detect objects" in " ".join(capsys.readouterr().err.split())


def test_coatnet_and_the_hybrid_vit_train_on_images_of_users(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(4):
            pixels = torch.randint(0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(ord(name) + 10 * i))
            picture(pixels.to(torch.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    data = ("--data", f"folder:{tmp_path / 'photos'}", "--loader.image-size", 32, "--dry-run", "--precision", "fp32")
    nets = (("coatnet", "--net.widths", 32, 32), ("hybrid-vit", "--net.widths", 32, 64))
    for model, *sizes in nets:
        words = ("--net.model", model, *sizes, "--net.depths", 1, 1, "--net.kinds", "CT", "--net.blocks", 1)
        assert run("train", "coatnet", *data, *words, "--trainer.batch-size", 4) == 0
