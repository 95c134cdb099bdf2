"""Question answering from the command line: trained, scored, asked, exported."""

import json

import pytest
import torch
from PIL import Image

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.models.stacked_attention import StackedAttentionVQA
from torchworks.hybrid_multimodal.models.vqa import ProductVQA
from torchworks.hybrid_multimodal.questions.metrics import kinds_of
from torchworks.hybrid_multimodal.questions.task import Answering
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.runs.outputs import picture
from torchworks.shared.testing import check_model, check_predictor

DATA = ("--data", "scene-questions:train=40,test=12")
SMALL = (
    "--net.widths", 8, 16, "--net.blocks", 0, "--net.width", 16, "--loader.image-size", 32, "--trainer.batch-size", 8,
    "--precision", "fp32", "--valid-fraction", 0.2,
)  # fmt: skip
QUESTION = "what color is the seven?"
ANSWERS = ("no", "yes", "red", "seven", "2")


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module", params=["attention", "product"])
def trained(request, tmp_path_factory):
    """A run of few steps with a small net, by either fusion."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    words = ("--net.fusion", request.param, "--steps", 4, "--out", folder)
    assert run("train", "vqa", *DATA, *SMALL, *words) == 0
    return folder


@pytest.fixture
def scene(tmp_path):
    """An image file."""
    file = tmp_path / "scene.png"
    Image.new("RGB", (48, 48), "red").save(file)
    return file


NETS = {"attention": StackedAttentionVQA, "product": ProductVQA}


def small_net(fusion: str, **options):
    sizes = {"vocabulary": 12, "answers": len(ANSWERS), "widths": (8, 16), "blocks": 0, "width": 16}
    return NETS[fusion](**sizes, **({"image_size": 32} if fusion == "attention" else {}), **options)


def words(rows: int, length: int = 6) -> torch.Tensor:
    questions = torch.randint(2, 12, (rows, length), generator=torch.Generator().manual_seed(rows))
    questions[-1, 3:] = 0
    return questions


@pytest.mark.parametrize("fusion", NETS)
def test_every_promise_of_a_net_holds(fusion):
    inputs = torch.randn(3, 3, 32, 32), words(3)
    unused = ["looks.*.score.bias"]  # a softmax does not see what is added to all
    check_model(lambda: small_net(fusion), inputs, shapes=(3, len(ANSWERS)), unused=unused)


@pytest.mark.parametrize("fusion", NETS)
@torch.no_grad()
def test_questions_that_share_a_pass_are_answered_as_each_with_its_own_picture(fusion):
    torch.manual_seed(0)
    net, images, questions = small_net(fusion).eval(), torch.randn(2, 3, 32, 32), words(5)
    of = torch.tensor([0, 1, 1, 0, 1])
    torch.testing.assert_close(net(images, questions, of), net(images[of], questions), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fusion", NETS)
def test_where_a_net_looked_is_a_map_of_each_question_whose_largest_is_1(fusion):
    torch.manual_seed(0)
    looks = small_net(fusion).eval().look(torch.randn(2, 3, 32, 32), words(2))
    assert looks.shape == (2, 8, 8)
    assert (looks >= 0).all()
    assert looks.amax((1, 2)).tolist() == pytest.approx([1, 1])


def test_the_loss_is_the_mean_of_all_questions_and_padding_is_none():
    torch.manual_seed(0)
    task = Answering(small_net("attention").eval(), answers=ANSWERS, lr=1e-3, weight_decay=0.0)
    task.random = StepRandom(0)
    batch = {
        "image": torch.randn(2, 3, 32, 32),
        "tokens": words(6).view(2, 3, 6),
        "answer": torch.tensor([[0, 3, -1], [2, -1, -1]]),
    }
    out = task.loss("train", batch)
    assert out.weight == 3
    rows = [(0, 0), (0, 1), (1, 0)]
    losses = [
        torch.nn.functional.cross_entropy(
            task.model(batch["image"][p : p + 1], batch["tokens"][p, q][None]), batch["answer"][p, q][None]
        )
        for p, q in rows
    ]
    torch.testing.assert_close(out.loss, torch.stack(losses).mean(), rtol=1e-5, atol=1e-6)


def test_answers_are_counted_by_their_kind():
    assert kinds_of(("no", "red", "triangle", "seven", "3", "yes", "perhaps")) == {
        "yes_no": [0, 5], "color": [1], "shape": [2], "digit": [3], "number": [4], "other": [6],
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------ commands


def test_a_run_is_scored_by_kind_and_part_beside_what_does_not_look_or_listen(trained):
    result = json.loads((trained / "result.json").read_text())
    for part in ("seen_", "held_"):
        for score in ("", "_majority", "_without_picture", "_without_question"):
            assert 0 <= result[f"{part}accuracy{score}"] <= 1
        for kind in ("yes_no", "color", "digit"):
            assert 0 <= result[f"{part}{kind}_accuracy"] <= 1


def test_a_question_is_answered_and_a_map_of_the_look_drawn(trained, scene, tmp_path, capsys):
    out = tmp_path / "map.png"
    assert run("ask", trained, scene, QUESTION, "--out", out, "--top", 2) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert 0 <= float(printed[0].split()[1]) <= 1
    with Image.open(out) as drawn:
        assert drawn.size == ((2 * 32 + 2) * 8, 32 * 8)
    assert run("ask", trained, scene, QUESTION, "--out", out) == 2
    assert "map.png exists already" in " ".join(capsys.readouterr().err.split())


def test_questions_and_files_that_cannot_be_read_are_refused_with_the_reason(trained, scene, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"no image")
    for file, question, said in (
        (scene, "what flavor is the seven?", "does not know the word 'flavor'"),
        (scene, " ", "has no word in it"),
        (scene, "what color is the seven? " * 4, "reads"),
        (tmp_path / "broken.png", QUESTION, "cannot be read"),
        (tmp_path / "none.png", QUESTION, "none.png"),
    ):
        assert run("ask", trained, file, question) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_evaluate_scores_again_and_draws_where_the_net_looks(trained):
    assert run("evaluate", trained) == 0
    result = json.loads((trained / "result.json").read_text())
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert found["held_accuracy"] == pytest.approx(result["held_accuracy"])
    assert (trained / "evaluation" / "looks.png").exists()


def test_data_without_questions_are_refused(capsys):
    assert run("train", "vqa", *SMALL, "--data", "digit-scenes:train=8,test=4", "--dry-run") == 2
    assert "needs images, question and answer" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_picture_and_question_go_in_and_a_label_comes_out_of_what_is_exported(trained):
    check_golden(trained)
    predictor = load_predictor(trained)
    most = predictor.signature.most["T"]
    check_predictor(predictor, lengths={"T": (1, 4, most)})


def test_a_question_is_answered_alike_with_and_without_padding(trained):
    predictor = load_predictor(trained)
    image, question = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8), torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        torch.testing.assert_close(
            predictor(image, question), predictor(image, torch.nn.functional.pad(question, (0, 4)))
        )


def test_pictures_of_the_source_can_be_asked_about(trained, tmp_path, capsys):
    file = tmp_path / "scene.png"
    picture(torch.zeros(3, 64, 64, dtype=torch.uint8)).save(file)
    assert run("ask", trained, file, "how many digits are there?") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
