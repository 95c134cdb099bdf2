"""The training doctor: failures planted in real trainings are named, healthy trainings are left alone, and what is
done about a failure follows the configuration."""

import json
import math

import pytest
import torch
from torch import nn

from torchworks.gans.adversarial.config import AdversarialConfig, DoctorConfig
from torchworks.gans.adversarial.doctor import CRITERIA, REMEDIES, TRANSLATION_REMEDIES, Doctor, WatchedTask
from torchworks.gans.models.dcgan import DCGANDiscriminator, DCGANGenerator
from torchworks.gans.noise.task import GanTask
from torchworks.shared.config import ImageConfig, TrainerConfig
from torchworks.shared.data import ResidentLoader, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.trainer import Trainer

CPU = Device(torch.device("cpu"))
QUICK = DoctorConfig(patience=3)


@pytest.fixture(scope="module")
def digits():
    return open_source("digits", ImageConfig(image_size=16)).train


def train(digits, game, *, steps=200, lr=1e-3, norm="spectral", patience=3, change=lambda task: None):
    """Causes that the doctor named while a small DCGAN was trained on real digits."""
    torch.manual_seed(0)
    generator = DCGANGenerator(16, 1, latent_dim=32, width=8, kernel_size=4)
    discriminator = DCGANDiscriminator(16, 1, width=8, kernel_size=4, norm=norm)
    task = GanTask(generator, discriminator, game, latent_dim=32, lr=lr)
    task.doctor = Doctor(DoctorConfig(patience=patience), loss=game.loss, penalties=(game.r1, game.r2))
    change(task)
    config = TrainerConfig(steps=steps, log_every=20)
    result = Trainer(task, ResidentLoader(digits, 32), None, config, device=CPU).fit()
    return [finding["cause"] for finding in result.findings]


# ---- planted failures ------------------------------------------------------------------------------------


def test_a_generator_that_cannot_follow_is_reported_as_a_discriminator_that_won(digits):
    def hold(task):
        still = torch.optim.SGD(task.generator.parameters(), lr=0.0)
        make = task.optimizer
        task.optimizer = lambda net: still if net == "generator" else make(net)

    causes = train(digits, AdversarialConfig(), change=hold)
    assert [cause.split(":")[0] for cause in causes] == ["discriminator won"]
    assert "--adversarial.discriminator-lr" in causes[0]


def test_a_generator_that_draws_one_image_is_reported_as_mode_collapse(digits):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.image = nn.Parameter(torch.zeros(1, 1, 16, 16))

        def forward(self, z):
            return self.image.tanh().expand(len(z), -1, -1, -1)

    def collapse(task):
        task.generator = Constant()

    causes = train(digits, AdversarialConfig(), steps=100, change=collapse)
    assert causes[0].startswith("mode collapse: generated images differ from each other by 0.0%")


def test_a_learning_rate_that_is_far_too_large_is_reported_as_divergence(digits):
    causes = train(digits, AdversarialConfig(loss="least-squares"), steps=100, lr=0.3, norm="none")
    assert causes[0].startswith("divergence: the discriminator's loss is")


def test_a_healthy_training_hears_nothing(digits):
    game = AdversarialConfig(discriminator_lr=2.0, augment=("translation",))
    assert train(digits, game, steps=300, patience=10) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "norm"),
    [
        (AdversarialConfig(loss="non-saturating", betas=(0.5, 0.999)), "batch"),
        pytest.param(AdversarialConfig(loss="least-squares"), "spectral", marks=pytest.mark.long),
        pytest.param(AdversarialConfig(loss="wasserstein"), "spectral", marks=pytest.mark.long),
        (AdversarialConfig(loss="relativistic", r1=1.0, r2=1.0), "none"),
    ],
    ids=lambda value: getattr(value, "loss", value),
)
def test_healthy_trainings_with_other_losses_hear_nothing_either(digits, game, norm):
    assert train(digits, game, steps=400, norm=norm, patience=10) == []


class DiracGan(WatchedTask):
    """Mescheder et al. 2018, section 2: real data are the number 0, D(x) = ψx, G is the number θ. With momentum,
    the two circle each other ever farther out; the penalty R1 leads them home."""

    phases = (Phase("d", "psi"), Phase("g", "theta"))
    exported = ("theta",)

    def __init__(self, r1: float, *, score=None, may="stop"):
        self.psi, self.theta = Number(2.0), Number(2.0)
        self.r1, self.score = r1, score
        self.doctor = Doctor(DoctorConfig(may=may), loss="wasserstein", penalties=(r1, 0.0), watch=self.watch)

    watch = "distance"

    def nets(self):
        return {"psi": self.psi, "theta": self.theta}

    def optimizer(self, net):
        return torch.optim.SGD(self.nets()[net].parameters(), lr=0.01, momentum=0.5)

    def loss(self, phase, batch):
        d_fake = self.psi() * self.theta()
        if phase == "g":
            return Out(-d_fake)
        slope = self.psi().square()
        zero = torch.zeros(())
        return Out(d_fake + self.r1 / 2 * slope, logs={"real": zero, "fake": d_fake.detach(), "r1": slope.detach()})

    def evaluate(self, batch):
        return {"distance": (self.theta().abs() if self.score is None else self.score(), 1)}


class Number(nn.Module):
    def __init__(self, value: float):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self):
        return self.value


def play(task, steps, folder=None, eval_every=0):
    batches = [{"image": torch.zeros(1)}]
    config = TrainerConfig(steps=steps, eval_every=eval_every)
    return Trainer(task, batches, batches, config, folder=folder, device=CPU).fit()


def test_players_that_circle_each_other_are_reported_as_oscillation_and_r1_cures_it():
    swinging = play(DiracGan(r1=0.0), 700)
    assert swinging.findings[0]["cause"].startswith("oscillation: the gap between real and generated logits swings")
    assert "--adversarial.r1 1" in swinging.findings[0]["cause"]
    assert play(DiracGan(r1=1.0), 700).findings == []


# ---- what each loss means --------------------------------------------------------------------------------


def figures(d_loss=1.0, g_loss=1.0, real=0.5, fake=0.0, diversity=0.9, **more):
    return {"d/loss": d_loss, "g/loss": g_loss, "d/real": real, "d/fake": fake, "g/diversity": diversity, **more}


def causes(doctor, lines, start=0, every=20):
    """What the doctor says to a series of log lines."""
    said = [doctor.diagnose(start + every * (i + 1), line) for i, line in enumerate(lines)]
    return [diagnosis.cause for diagnosis in said if diagnosis]


def undecided(loss):
    """Each loss of a discriminator whose logits are all in the middle, from its formula."""
    from torchworks.gans.adversarial.losses import LOSSES

    middle = torch.full((4,), 0.5 if loss == "least-squares" else 0.0)
    return LOSSES[loss].discriminator(middle, middle).item()


@pytest.mark.parametrize("loss", [name for name, criterion in CRITERIA.items() if criterion.undecided])
def test_how_far_a_discriminator_is_ahead_is_measured_on_the_scale_of_its_loss(loss):
    assert CRITERIA[loss].undecided == pytest.approx(undecided(loss))
    level = undecided(loss)
    for share, expected in ((1.0, None), (0.1, None), (0.04, "discriminator won"), (12, "divergence")):
        said = causes(Doctor(QUICK, loss=loss), [figures(d_loss=share * level)] * 12)
        assert [cause.split(":")[0] for cause in said] == ([expected] if expected else [])


def test_a_wasserstein_critic_may_be_as_far_ahead_as_it_likes():
    assert causes(Doctor(QUICK, loss="wasserstein"), [figures(d_loss=-500.0, real=250.0, fake=-250.0)] * 20) == []


def test_a_wasserstein_critic_whose_slope_is_not_held_has_diverged():
    steep = [figures(d_loss=-500.0, real=250.0, fake=-250.0, **{"d/slope": 40.0})] * 20
    assert causes(Doctor(QUICK, loss="wasserstein"), steep)[0].startswith("divergence: the critic's slope is 40.0")
    held = [figures(d_loss=-500.0, real=250.0, fake=-250.0, **{"d/slope": 1.3})] * 20
    assert causes(Doctor(QUICK, loss="wasserstein"), held) == []


def test_gradient_penalties_are_no_part_of_the_discriminators_score():
    doctor = Doctor(QUICK, loss="relativistic", penalties=(10.0, 10.0))
    line = figures(d_loss=0.01 + 5 * 0.3 + 5 * 0.5, **{"d/r1": 0.3, "d/r2": 0.5})
    assert causes(doctor, [line] * 12)[0].startswith("discriminator won")


def test_a_discriminator_that_is_ahead_while_the_generator_still_learns_is_no_failure():
    learning = [figures(d_loss=0.01, diversity=0.1 * 1.1**i) for i in range(20)]
    assert causes(Doctor(DoctorConfig(), loss="hinge"), learning) == []


def test_generated_images_rated_above_real_ones_are_reported_as_a_discriminator_that_lost():
    said = causes(Doctor(QUICK, loss="hinge"), [figures(d_loss=4.0, real=-2.0, fake=1.0)] * 4)
    assert said[0].startswith("discriminator lost: generated images get higher logits than real ones, by 3.0")


def test_diversity_that_falls_is_reported_and_diversity_that_never_was_high_is_waited_for():
    fallen = [figures(diversity=0.9)] * 5 + [figures(diversity=0.3)] * 3
    assert causes(Doctor(QUICK, loss="hinge"), fallen)[0].startswith("mode collapse: the diversity")
    assert causes(Doctor(QUICK, loss="hinge"), [figures(diversity=0.2)] * 30) == []


@pytest.mark.parametrize("broken", [{"d_loss": math.nan}, {"g_loss": math.inf}])
def test_losses_that_are_not_finite_are_named(broken):
    assert causes(Doctor(QUICK, loss="hinge"), [figures(**broken)] * 3)[0].startswith("not finite: the loss of the")


def test_many_skipped_steps_are_named_and_a_few_are_not():
    def lines(share):
        return [figures(skipped=20.0 * share * i) for i in range(1, 6)]

    assert "75% of the steps" in causes(Doctor(QUICK, loss="hinge"), lines(0.75))[0]
    assert causes(Doctor(QUICK, loss="hinge"), lines(0.25)) == []


# ---- scores ----------------------------------------------------------------------------------------------


def scored(doctor, rows, every=100):
    return causes(doctor, [{f"eval/{name}": value for name, value in row.items()} for row in rows], every=every)


def test_a_score_that_stays_at_twice_its_best_is_reported():
    doctor = Doctor(QUICK, loss="hinge", watch="fd")
    assert scored(doctor, [{"fd": value} for value in (90, 20, 45, 30, 45, 44, 41)]) == [
        "getting worse: fd is 41; at step 200 it was 20. " + REMEDIES["getting worse"]
    ]


def test_a_score_for_which_more_is_better_is_watched_too():
    doctor = Doctor(QUICK, loss="least-squares", watch="kept", watch_mode="max")
    assert scored(doctor, [{"kept": value} for value in (0.5, 0.9, 0.4, 0.3, 0.4)])[0].startswith("getting worse: kept")


def test_classes_that_are_no_longer_drawn_are_reported():
    row = {"class_entropy": 0.95, "classes_covered": 10.0, "classes_covered_of": 10.0, "precision": 0.5}
    few = row | {"class_entropy": 0.4, "classes_covered": 3.0}
    said = scored(Doctor(QUICK, loss="hinge"), [row, few, few, few])
    assert said[0].startswith("lost classes: generated images show 3 of 10 classes (entropy 0.40, at best 0.95)")


def test_noise_at_the_beginning_is_not_taken_for_lost_classes():
    noise = {"class_entropy": 0.0, "classes_covered": 1.0, "classes_covered_of": 10.0, "precision": 0.0}
    assert scored(Doctor(QUICK, loss="hinge"), [noise] * 6) == []
    assert scored(Doctor(QUICK, loss="hinge"), [noise | {"precision": 0.8}] * 3) != []


# ---- patience and memory ---------------------------------------------------------------------------------

WON = figures(d_loss=0.0, real=3.0, fake=-3.0)


@pytest.mark.parametrize("log_every", [1, 5, 20, 100])
def test_patience_is_counted_in_steps_however_often_figures_are_logged(log_every):
    doctor = Doctor(DoctorConfig(patience=5), loss="hinge")
    said = [step for step in range(log_every, 2000, log_every) if doctor.diagnose(step, WON)]
    assert said[0] in (5 * max(20, log_every), 6 * max(20, log_every))


def test_a_sign_that_comes_and_goes_is_not_an_ailment():
    assert causes(Doctor(QUICK, loss="hinge"), [WON, WON, figures()] * 20) == []


def test_an_ailment_is_named_once_while_it_lasts_and_again_when_it_returns():
    doctor = Doctor(DoctorConfig(patience=3), loss="hinge")
    assert len(causes(doctor, [WON] * 30 + [figures()] * 10 + [WON] * 30)) == 2


def test_the_gravest_ailment_hides_what_follows_from_it():
    collapsed = figures(d_loss=0.0, real=3.0, fake=-3.0, diversity=0.0)
    assert [cause.split(":")[0] for cause in causes(Doctor(QUICK, loss="hinge"), [collapsed] * 20)] == ["mode collapse"]


def test_memory_is_plain_data_and_does_not_grow():
    doctor = Doctor(DoctorConfig(), loss="hinge", watch="fd")
    sizes = []
    for i in range(400):
        causes(doctor, [WON if i % 50 > 25 else figures()], start=20 * i)
        scored(doctor, [{"fd": 1.0 + i % 7, "class_entropy": 0.9}])
        sizes.append(len(json.dumps(doctor.state_dict())))
    assert max(sizes[200:]) <= 1.1 * max(sizes[:200])


def test_a_resumed_doctor_says_exactly_what_an_uninterrupted_one_says():
    lines = ([figures()] * 17 + [WON] * 29 + [figures(diversity=0.1)] * 18) * 3
    whole = Doctor(QUICK, loss="hinge")
    expected = [whole.diagnose(7 * (i + 1), line) for i, line in enumerate(lines)]
    assert len([diagnosis for diagnosis in expected if diagnosis]) >= 3
    state, said = Doctor(QUICK, loss="hinge").state_dict(), []
    for i, line in enumerate(lines):
        again = Doctor(QUICK, loss="hinge")
        again.load_state_dict(json.loads(json.dumps(state)))
        said.append(again.diagnose(7 * (i + 1), line))
        state = again.state_dict()
    assert said == expected


def test_a_doctor_that_is_off_says_nothing():
    assert causes(Doctor(DoctorConfig(may="off"), loss="hinge"), [WON] * 50) == []


# ---- action ----------------------------------------------------------------------------------------------


def actions(doctor, lines, start):
    said = [(start + 20 * (i + 1), doctor.diagnose(start + 20 * (i + 1), line)) for i, line in enumerate(lines)]
    return [(step, diagnosis.action) for step, diagnosis in said if diagnosis]


def test_it_warns_then_goes_back_twice_then_stops():
    doctor = Doctor(QUICK, loss="hinge", watch="fd")
    scored(doctor, [{"fd": 3.0}], every=20)
    told = [action for _, action in actions(doctor, [WON] * 40, start=20)]
    assert told[:6] == ["warn", "rollback", "warn", "rollback", "warn", "stop"]


@pytest.mark.parametrize(("may", "expected"), [("warn", {"warn"}), ("rollback", {"warn", "rollback"})])
def test_it_goes_no_further_than_it_may(may, expected):
    doctor = Doctor(DoctorConfig(may=may, patience=3), loss="hinge", watch="fd")
    scored(doctor, [{"fd": 3.0}], every=20)
    told = [action for _, action in actions(doctor, [WON] * 60, start=20)]
    assert set(told) == expected
    assert told.count("rollback") == (2 if may == "rollback" else 0)


def test_it_never_goes_back_to_a_state_that_had_the_ailment_already():
    doctor = Doctor(QUICK, loss="hinge", watch="fd")
    alike = [figures(diversity=0.0)]
    assert actions(doctor, alike * 4, start=0) == [(60, "warn")]
    scored(doctor, [{"fd": 3.0}], every=90)
    assert actions(doctor, alike * 60, start=100) == []


def test_a_run_that_falls_apart_is_taken_back_to_its_best_state_and_stopped_when_that_does_not_help(tmp_path):
    """The players circle; the best score is that of the first evaluation, when they have not yet."""
    score = iter([9.0, *range(1, 10_000)])  # the first is that of the check before the training
    task = DiracGan(r1=0.0, score=lambda: torch.tensor(float(next(score))))
    result = play(task, 20_000, folder=tmp_path, eval_every=20)
    acted = [(finding["step"], finding["action"]) for finding in result.findings if finding["action"] != "warn"]
    assert [action for _, action in acted] == ["rollback", "rollback", "stop"]
    assert acted == sorted(acted)
    assert result.stopped_by == "doctor"
    assert result.steps < 20_000
    assert result.best_step == 20


def test_a_warning_does_not_change_the_training():
    """The same weights, whatever the doctor says."""
    silent, told = DiracGan(r1=0.0, may="off"), DiracGan(r1=0.0, may="warn")
    assert play(silent, 600).findings == []
    assert play(told, 600).findings != []
    assert torch.equal(silent.theta.value, told.theta.value)


def test_every_ailment_has_a_remedy_of_options_that_exist():
    from torchworks.gans.noise.config import DCGANConfig
    from torchworks.gans.translation.config import CycleGANConfig
    from torchworks.shared.config import to_dict

    def options(config):
        plain = to_dict(config)
        groups = {key: value for key, value in plain.items() if isinstance(value, dict)}
        return {key.replace("_", "-") for key in plain} | {
            f"{group}.{key}".replace("_", "-") for group, values in groups.items() for key in values
        }

    noise_only = {"mode collapse", "lost classes"}  # translators have no figures for these
    translation = {k: v for k, v in (REMEDIES | TRANSLATION_REMEDIES).items() if k not in noise_only}
    for remedies, config in ((REMEDIES, DCGANConfig()), (translation, CycleGANConfig())):
        named = {word.strip(",.") for text in remedies.values() for word in text.split() if word.startswith("--")}
        assert {word.removeprefix("--") for word in named} <= options(config)


def test_figures_of_a_task_that_logs_no_diversity_are_enough():
    line = {name: value for name, value in figures(d_loss=0.0).items() if name != "g/diversity"}
    said = causes(Doctor(QUICK, loss="least-squares", scale=2), [line] * 12)
    assert said[0].startswith("discriminator won")
    assert "nan" not in said[0]
