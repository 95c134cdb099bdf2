"""Face swaps: what is learnt, how it is judged, and that nothing leaves without its marks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from torchworks.gans.commands import COMMANDS
from torchworks.gans.data.face_drawing import draw_face
from torchworks.gans.data.face_numbers import Pose, person, pose_of
from torchworks.gans.models.visible_mark import word
from torchworks.gans.swapping.build import build_face_swap
from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.gans.swapping.marks import read_mark
from torchworks.gans.swapping.predictor import build_swapper, open_swapper, swapper_config
from torchworks.gans.swapping.warping import Deformation, warped_pair
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError, find_recipe
from torchworks.shared.fidelity.likeness import structural_similarity
from torchworks.shared.models.predictor import load_predictor
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import check_predictor, randomize
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.experiment import device_for

FACES = "generated-faces:person=3,train={0},test={1}+generated-faces:person=8,train={0},test={1}"
TINY = [
    "--data", FACES.format(12, 4), "--loader.image-size", "48", "--net.width", "4", "--net.latent-dim", "8",
    "--trainer.batch-size", "4", "--precision", "fp32",
]  # fmt: skip


def gans(*words) -> int:
    return main("gans", default="cgan-mnist", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("swap") / "run"
    assert gans("train", "face-swap", *TINY, "--steps", 3, "--trainer.eval-every", 2, "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two images of A: a large one in a mode of its own, and one that is not square."""
    folder = tmp_path_factory.mktemp("photos")
    for name, size, mode in (("grey.png", (80, 80), "L"), ("wide.jpg", (120, 64), "RGB")):
        face = Image.fromarray(draw_face(person(3), Pose(yaw=0.2), 64).transpose(1, 2, 0))
        face.resize(size).convert(mode).save(folder / name)
    return folder


def tensor_of(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def experiment(train: int = 20, test: int = 6):
    config = find_recipe("gans", "face-swap")()
    settings = replace(config.trainer, device="cpu", precision="fp32")
    net = replace(config.net, width=4, latent_dim=8)
    config = replace(
        config, data=FACES.format(train, test), net=net, loader=ImageConfig(image_size=48), trainer=settings,
        optim=replace(config.optim, lr=3e-3),
    )  # fmt: skip
    torch.manual_seed(0)
    return build_face_swap(config, device_for(config))


# ---- learning --------------------------------------------------------------------------------------------


def test_the_target_is_the_image_itself_and_what_is_seen_is_bent_smoothly():
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = F.interpolate(images, (64, 64), mode="bicubic").clamp(0, 1)
    still = Deformation(rotation=0, zoom=0, shift=0, warp=0)
    for warped in warped_pair(images, still, StepRandom(0)):
        torch.testing.assert_close(warped, images, atol=1e-4, rtol=0)
    seen, wanted = warped_pair(images, replace(still, warp=0.06), StepRandom(0))
    torch.testing.assert_close(wanted, images, atol=1e-4, rtol=0)
    assert 0.005 < (seen - images).abs().mean() < 0.2
    seen, wanted = warped_pair(images, Deformation(warp=0), StepRandom(0))
    torch.testing.assert_close(seen, wanted)
    assert (wanted - images).abs().mean() > 0.005


def test_the_loss_is_the_mean_of_both_reconstructions():
    task = experiment().task
    task.deformation, task.random = Deformation(0, 0, 0, 0), StepRandom(0)
    a, b = (torch.rand(2, 3, 48, 48) * 2 - 1 for _ in "ab")
    made_a, made_b = task.autoencoder(a / 2 + 0.5, b / 2 + 0.5)
    wanted = ((made_a - a / 2 - 0.5).abs().mean() + (made_b - b / 2 - 0.5).abs().mean()) / 2
    for structure in (0.0, 0.5):
        task.config = replace(task.config, structure=structure)
        grey = (torch.cat(pair).mean(1, keepdim=True) for pair in ((made_a, made_b), (a / 2 + 0.5, b / 2 + 0.5)))
        unlike = 1 - structural_similarity(*grey, 1.0).mean()
        found = task.loss("train", {"a_image": a, "b_image": b}).loss
        torch.testing.assert_close(found, wanted + structure * unlike, atol=3e-4, rtol=0)


def test_a_few_steps_lower_the_loss():
    made = experiment()
    task, batches = made.task, made.train.iter_from(0)
    task.random, optimizer = StepRandom(0), task.optimizer("autoencoder")
    losses = []
    for step in range(30):
        loss = task.loss("train", next(batches)).loss
        task.random.at("train", step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])


# ---- judging ---------------------------------------------------------------------------------------------


def test_the_truth_scores_best_and_each_baseline_fails_in_its_own_way():
    scores = experiment(100, 24).baselines()
    assert scores["identity_real"] == 1
    assert scores["identity_baseline"] == 0  # the image itself is still A
    assert scores["identity_mean_face"] == scores["identity_nearest"] == 1
    assert scores["mouth_real"] > 0.9
    assert scores["expression_real"] > 0.75
    assert scores["held_real"] > 0.8
    assert scores["expression_real"] > scores["expression_nearest_pose"] + 0.2
    assert abs(scores["held_mean_face"]) < 0.3
    assert "psnr_real" not in scores


def test_the_truth_of_a_test_image_is_the_other_person_in_its_pose():
    made = experiment()
    batch = next(iter(made.test))
    truth = ((batch["a_truth"][0] + 1) * 127.5).round().byte().numpy()
    assert (truth == draw_face(person(8), pose_of(batch["a_pose"][0].numpy()), 48)).all()


@pytest.mark.slow
def test_images_of_ones_own_are_swapped_without_a_truth(tmp_path):
    for name, number in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        for i in range(8):
            image = draw_face(person(number), Pose(yaw=0.1 * i - 0.4), 64).transpose(1, 2, 0)
            Image.fromarray(image).save(tmp_path / name / f"{i}.png")
    words = [*TINY[2:], "--data", f"folder:{tmp_path / 'a'}+folder:{tmp_path / 'b'}", "--steps", 1]
    assert gans("train", "face-swap", *words, "--out", tmp_path / "run") == 0
    assert load_predictor(tmp_path / "run").predict(
        {"image": torch.zeros(1, 3, 48, 48, dtype=torch.uint8), "person": torch.tensor([0])}
    )["image"].shape == (1, 3, 48, 48)


# ---- marks -----------------------------------------------------------------------------------------------


def test_swapped_files_bear_both_marks_and_say_so(run, photos, tmp_path, capsys):
    assert gans("swap", run, photos, "--out", tmp_path / "out") == 0
    payload = open_swapper(run, "cpu").predictor.payload
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["grey.png", "wide.png"]
    for file in files:
        image = tensor_of(file)
        assert image.shape == (3, 48, 48)
        reading = read_mark(image)
        assert (reading.found, reading.payload) == (True, payload)
        height, width = word().shape
        assert (image[:, -height:, :width][:, word() > 0] > 0.9).all()
        with Image.open(file) as opened:
            assert f"mark {payload:04x}" in opened.info["Provenance"]
    capsys.readouterr()
    assert gans("provenance", *files, photos, "--runs", run, "--csv", tmp_path / "marks.csv") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(f"swapped: mark {payload:04x}, made by {run}") == 2
    assert said.count("no mark found") == 2
    assert len((tmp_path / "marks.csv").read_text().splitlines()) == 5


def test_the_model_itself_marks_what_it_makes():
    config = swapper_config(FaceSwapConfig().net, 48)
    predictor = build_swapper({**config, "payload": 77})
    randomize(predictor.net)
    images = torch.randint(0, 256, (3, 3, 48, 48), dtype=torch.uint8)
    made = predictor.predict({"image": images, "person": torch.tensor([0, 1, 1])})["image"]
    assert [read_mark(image).payload for image in made] == [77] * 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_marks_are_exported_with_the_model():
    predictor = build_swapper(swapper_config(replace(FaceSwapConfig().net, width=4, latent_dim=8), 48))
    randomize(predictor.net)
    check_predictor(predictor, tol=0.02)


def test_previews_are_marked(run):
    grid = tensor_of(sorted((run / "samples").glob("*.png"))[-1])  # 4 images a row: A, given back, as B, truth
    side, gap = 96, 2  # each pixel of 48 is drawn twice
    cell = grid[:, 2 * (side + gap) + gap :, gap : gap + side][:, :side]
    reading = read_mark(cell.reshape(3, 48, 2, 48, 2)[:, :, 0, :, 0])
    assert (reading.found, reading.payload) == (True, 0)


def test_consent_is_asked_for_where_people_look(run, capsys):
    for words in (["swap", "--help"], ["train", "face-swap", "--help"]):
        assert gans(*words) == 0
        assert "agreed" in " ".join(capsys.readouterr().out.split())
    assert "agreed" in (run / "README.md").read_text()


# ---- commands --------------------------------------------------------------------------------------------


def test_evaluate_scores_a_swap_beside_what_it_is_read_against(run, tmp_path, capsys):
    assert gans("evaluate", run, "--out", tmp_path) == 0
    table = capsys.readouterr().out
    assert "nearest_pose" in table
    assert "identity" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["swap", "RUN"], "No images were given"),
        (["swap", "RUN", "PHOTOS", "--to", "C"], "A"),
        (["provenance", "SMALL"], "too few for a mark"),
        (["provenance"], "No images were given"),
        (["train", "face-swap", "--loader.image-size", 40], "divisible by 16"),
        (["train", "face-swap", "--data", "generated-faces"], "A swap needs images of two faces"),
        (["train", "face-swap", "--data", FACES.format(12, 4), "--valid-fraction", 0], "held out"),
        (["translate", "RUN", "PHOTOS", "--out", "OUT"], "face-swap"),
    ],
)
def test_mistakes_are_said_in_a_paragraph(words, said, run, photos, tmp_path, capsys):
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    places = {"RUN": run, "PHOTOS": photos, "SMALL": tmp_path / "small.png", "OUT": tmp_path / "out"}
    assert gans(*(places.get(str(word), word) for word in words)) == 2
    printed = " ".join("".join(capsys.readouterr()).split())
    assert said in printed
    assert "Traceback" not in printed


def test_a_run_of_another_kind_swaps_no_faces(tmp_path, photos, capsys):
    with pytest.raises(UserError):
        open_swapper(tmp_path)
    assert gans("swap", tmp_path, photos) == 2
    assert "not a run directory" in " ".join(capsys.readouterr().err.split())


@pytest.mark.long
def test_a_killed_run_ends_like_a_whole_one_bit_for_bit(tmp_path):
    words = ["-m", "torchworks.gans", "train", "face-swap", *TINY, "--steps", "40"]
    words += ["--trainer.log-every", "1", "--trainer.checkpoint-every", "5", "--trainer.eval-every", "10"]
    killed, whole = killed_and_resumed(words, tmp_path)
    assert open_swapper(killed).predictor.payload == open_swapper(whole).predictor.payload
