"""The rules of the training loop, each as a promise: steps, phases, gradients, bad steps, the best state."""

import math
import struct
import time
import wave

import pytest
import torch
from torch import nn

from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Diagnosis, Out, Phase, Task
from torchworks.shared.training import checkpoint
from torchworks.shared.training.guard import TrainingFailed
from torchworks.shared.training.optim import adam, adamw, sgd
from torchworks.shared.training.progress import Silent
from torchworks.shared.training.trainer import Trainer

CPU = Device(torch.device("cpu"))


class Line(Task):
    """y = w·x, by least squares."""

    def __init__(self, optimizer=lambda net: sgd(net, lr=0.1, momentum=0.9), dtype=torch.float32):
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1).to(dtype)
        self.make = optimizer

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return self.make(self.model)

    def errors(self, batch):
        return (self.model(batch["x"]) - batch["y"]).square().squeeze(1)

    def loss(self, phase, batch):
        return Out(self.errors(batch).mean())

    def evaluate(self, batch):
        return {"error": (self.errors(batch).sum(), len(batch["x"]))}


class Looking(Line):
    """Remembers which batches it saw, by their first number."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.rows = []

    def loss(self, phase, batch):
        self.rows.append(float(batch["x"][0, 0]))
        return super().loss(phase, batch)


class Game(Task):
    """A generator and a discriminator of points; `seen` is what each call of `loss` found."""

    phases = (Phase("d", "discriminator", repeat=2), Phase("g", "generator"), Phase("r", "discriminator", every=3))
    exported = ("generator",)

    def __init__(self):
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
        self.discriminator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        self.seen = []

    def nets(self):
        return {"generator": self.generator, "discriminator": self.discriminator}

    def optimizer(self, net):
        return adam(self.nets()[net], lr=1e-2)

    def loss(self, phase, batch):
        state = {name: [p.detach().clone() for p in net.parameters()] for name, net in self.nets().items()}
        clean = all(p.grad is None for net in self.nets().values() for p in net.parameters())
        self.seen.append({"phase": phase, "clean": clean, "row": float(batch["x"][0, 0]), **state})
        fake = self.discriminator(self.generator(self.random.normal(len(batch["x"]), 2)))
        if phase == "g":
            return Out(-fake.mean())
        return Out(fake.mean() - self.discriminator(batch["x"]).mean())


def batches(n=20, size=8, dtype=torch.float32):
    """`n` batches of points on a plane."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, size, 3, generator=generator, dtype=dtype)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]], dtype=dtype)
    return [{"x": x[i], "y": y[i]} for i in range(n)]


def trainer(
    task, data=None, evaluation=None, *, folder=None, sinks=(), progress=None, optim=None, device=CPU, **config
):
    config = TrainerConfig(**{"steps": 10, "log_every": 1, **config})
    return Trainer(
        task, batches() if data is None else data, evaluation, config,
        folder=folder, sinks=sinks, progress=progress, optim=optim, device=device,
    )  # fmt: skip


class Lines(list):
    """A sink that keeps everything."""

    def write(self, kind, step, figures):
        self.append({"kind": kind, "step": step, **figures})

    def close(self):
        self.closed = True

    def figures(self, name, kind="train"):
        return [line[name] for line in self if line["kind"] == kind and name in line]


class Told(Silent):
    """What the progress was asked to say."""

    def __init__(self):
        self.text = []
        self.say = self.text.append


def weights(net):
    return [parameter.detach().clone() for parameter in net.parameters()]


def equal(ours, theirs):
    return all(map(torch.equal, ours, theirs))


# ---- steps and phases --------------------------------------------------------------------------------------


def test_a_step_is_one_pass_over_all_phases_however_many_optimizers_there_are():
    task = Game()
    result = trainer(task, steps=7).fit()
    counts = {name: sum(call["phase"] == name for call in task.seen) for name in ("d", "g", "r")}
    assert result.steps == 7
    assert counts == {"d": 14, "g": 7, "r": 3}  # "r" at steps 0, 3 and 6
    assert [call["phase"] for call in task.seen[:8]] == ["d", "d", "g", "r", "d", "d", "g", "d"]


def test_each_repetition_of_a_phase_has_a_fresh_batch():
    data, task = batches(), Game()
    trainer(task, data, steps=3).fit()
    rows = [float(batch["x"][0, 0]) for batch in data]
    assert [call["row"] for call in task.seen if call["phase"] == "d"] == rows[:6]
    assert [call["row"] for call in task.seen if call["phase"] == "g"] == rows[1:6:2]


def test_a_phase_changes_its_own_net_alone_and_leaves_no_gradient_anywhere():
    task = Game()
    trainer(task, steps=5).fit()
    assert all(call["clean"] for call in task.seen)
    for before, after in zip(task.seen, task.seen[1:], strict=False):
        trained = "generator" if before["phase"] == "g" else "discriminator"
        other = "discriminator" if trained == "generator" else "generator"
        assert equal(before[other], after[other])
        assert not equal(before[trained], after[trained])


def test_a_net_that_no_phase_trains_gets_no_gradient():
    class Judged(Game):
        phases = (Phase("g", "generator"),)

    task = Judged()
    generator, judge = weights(task.generator), weights(task.discriminator)
    trainer(task, steps=3).fit()
    assert equal(judge, weights(task.discriminator))
    assert all(parameter.grad is None for parameter in task.discriminator.parameters())
    assert not equal(generator, weights(task.generator))


def test_noise_depends_on_the_step_alone_and_not_on_who_draws_besides():
    class Noisy(Line):
        def __init__(self, greedy):
            super().__init__()
            self.greedy, self.noise = greedy, []

        def loss(self, phase, batch):
            torch.rand(self.greedy)
            self.noise.append(self.random.normal(2))
            return super().loss(phase, batch)

    one, other = Noisy(0), Noisy(5)
    trainer(one, steps=4).fit()
    trainer(other, steps=4).fit()
    assert equal(one.noise, other.noise)
    assert len({float(noise[0]) for noise in one.noise}) == 4


# ---- gradients ---------------------------------------------------------------------------------------------


class Detached(Task):
    """Its loss belongs to a net that it forgot to name."""

    def __init__(self):
        self.model, self.other = nn.Linear(2, 1), nn.Linear(2, 1)

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return sgd(self.model, lr=0.1)

    def loss(self, phase, batch):
        return Out(self.other(batch["x"]).mean())


class CutOff(Detached):
    """Its loss is cut off from every parameter."""

    def loss(self, phase, batch):
        return Out(self.model(batch["x"]).mean().detach())


@pytest.mark.parametrize("task", [Detached, CutOff])
def test_a_loss_that_does_not_depend_on_the_net_it_trains_is_a_mistake_and_not_a_training(task):
    with pytest.raises(UserError, match="'train' does not depend on any parameter of its net 'model'"):
        Trainer(task(), [{"x": torch.ones(4, 2)}], config=TrainerConfig(steps=2, device="cpu")).fit()


class Weighted(Line):
    """The mean over the rows that count, as over the tokens of a text."""

    def loss(self, phase, batch):
        counts = batch["counts"]
        return Out((self.errors(batch) * counts).sum() / counts.sum(), weight=counts.sum())


@pytest.mark.parametrize("parts", [2, 3, 5, 7, 32])
def test_ragged_micro_batches_give_the_gradient_of_the_whole_batch(parts):
    data = batches(3, 32, torch.float64)
    whole, split = (Line(dtype=torch.float64) for _ in range(2))
    trainer(whole, data, steps=3).fit()
    trainer(split, data, steps=3, accumulate=parts).fit()
    torch.testing.assert_close(weights(split.model), weights(whole.model), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.int64])
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_micro_batches_are_combined_by_the_weight_the_task_gives(parts, kind):
    counts = torch.tensor([1, 1, 0, 4, 1, 2, 7, 0] * 2, dtype=kind)  # 32 in all, an exact reciprocal
    data = [{**batch, "counts": counts} for batch in batches(3, 16, torch.float64)]
    whole, split = (Weighted(dtype=torch.float64) for _ in range(2))
    trainer(whole, data, steps=3).fit()
    trainer(split, data, steps=3, accumulate=parts).fit()
    torch.testing.assert_close(weights(split.model), weights(whole.model), rtol=1e-13, atol=1e-13)


def test_logged_losses_of_micro_batches_are_that_of_the_whole_batch():
    whole, split = Lines(), Lines()
    trainer(Line(), batches(size=10), sinks=[whole]).fit()
    trainer(Line(), batches(size=10), sinks=[split], accumulate=3).fit()
    assert split.figures("train/loss") == pytest.approx(whole.figures("train/loss"), rel=1e-6)
    assert split.figures("train/grad_norm") == pytest.approx(whole.figures("train/grad_norm"), rel=1e-6)


def test_noise_of_micro_batches_is_that_of_the_whole_batch():
    whole, split = Game(), Game()
    trainer(whole, steps=4).fit()
    trainer(split, steps=4, accumulate=4).fit()
    torch.testing.assert_close(weights(split.generator), weights(whole.generator), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of_phase", [True, False])
def test_gradients_are_clipped_to_the_norm_and_logged_as_they_were(of_phase):
    class Clipped(Line):
        phases = (Phase("train", "model", clip=1e-3 if of_phase else None),)

    task, lines = Clipped(lambda net: sgd(net, lr=1.0)), Lines()
    before = weights(task.model)
    trainer(task, steps=1, sinks=[lines], clip=None if of_phase else 1e-3).fit()
    moved = torch.cat([(a - b).flatten() for a, b in zip(weights(task.model), before, strict=True)]).norm()
    assert moved == pytest.approx(1e-3, rel=1e-3)
    assert lines.figures("train/grad_norm")[0] > 0.1


# ---- steps that are not finite -----------------------------------------------------------------------------

OPTIMIZERS = {
    "fused SGD with momentum": lambda net: sgd(net, lr=0.1, momentum=0.9),
    "fused Adam": lambda net: adam(net, lr=0.1),
    "fused AdamW": lambda net: adamw(net, lr=0.1),
    "plain SGD with momentum": lambda net: torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9),
    "RMSprop": lambda net: torch.optim.RMSprop(net.parameters(), lr=0.1),
}


def poisoned(data, places):
    """`data` with a NaN or an infinity in the batches at `places`."""
    bad = {
        place: {**data[place], "y": data[place]["y"] * float("nan" if i % 2 else "inf")}
        for i, place in enumerate(places)
    }
    return [bad.get(place, batch) for place, batch in enumerate(data)]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("places", [(0,), (0, 1), (3, 7, 9)], ids=str)
def test_a_step_with_bad_gradients_is_as_if_it_had_not_been(make, places):
    data, lines = batches(10), Lines()
    good = [batch for place, batch in enumerate(data) if place not in places]
    skipping, without = Line(make), Line(make)
    first = trainer(skipping, poisoned(data, places), sinks=[lines])
    first.fit()
    second = trainer(without, good, steps=len(good))
    second.fit()
    assert equal(weights(skipping.model), weights(without.model))
    ours, theirs = (run.optimizers["model"].state_dict()["state"] for run in (first, second))
    assert all(equal(ours[key].values(), theirs[key].values()) for key in theirs)
    assert lines.figures("skipped")[-1] == len(places)


def test_only_the_phase_with_bad_gradients_is_skipped():
    class Blind(Game):
        def loss(self, phase, batch):
            out = super().loss(phase, batch)
            return Out(out.loss * float("nan")) if phase == "g" else out

    task, lines = Blind(), Lines()
    generator, discriminator = weights(task.generator), weights(task.discriminator)
    trainer(task, steps=5, sinks=[lines]).fit()
    assert equal(generator, weights(task.generator))
    assert not equal(discriminator, weights(task.discriminator))
    assert lines.figures("skipped_in_row/g") == [1, 2, 3, 4, 5]
    assert lines.figures("skipped_in_row/d") == [0] * 5
    assert lines.figures("skipped") == [1, 2, 3, 4, 5]


def test_when_bad_steps_recur_it_says_where_and_what_is_safe(tmp_path):
    task = Line()
    options = {"max_bad_steps": 3, "log_every": 2, "checkpoint_every": 2, "optim": OptimConfig(schedule="linear")}
    run = trainer(task, poisoned(batches(), range(4, 20)), steps=20, folder=tmp_path, **options)
    with pytest.raises(TrainingFailed) as failure:
        run.fit()
    text = str(failure.value)
    assert "Training stopped at step 8: the last 4 steps of phase 'train'" in text
    assert "its loss was nan" in text or "its loss was inf" in text
    assert "the learning rate 0.0632" in text
    assert "The last good checkpoint is that of step 6" in text
    assert all(parameter.isfinite().all() for parameter in task.model.parameters())


def test_bad_steps_that_do_not_recur_do_not_stop_it():
    result = trainer(Line(), poisoned(batches(), (1, 2, 5, 6, 11, 12)), steps=20, max_bad_steps=3).fit()
    assert result.steps == 20


def test_a_rare_phase_that_is_always_bad_is_found_too():
    class Rare(Game):
        def loss(self, phase, batch):
            out = super().loss(phase, batch)
            return Out(out.loss * float("inf")) if phase == "r" else out

    with pytest.raises(TrainingFailed, match="phase 'r'"):
        trainer(Rare(), steps=30, max_bad_steps=3, log_every=2).fit()


class Hopeless(Line):
    watch = "error"

    def evaluate(self, batch):
        return {"error": (math.nan, 1)}


def test_a_short_training_whose_score_was_never_finite_fails():
    with pytest.raises(TrainingFailed, match="'error' was never finite"):
        trainer(Hopeless(), evaluation=batches(1), steps=2).fit()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_trains_with_weights_in_single_precision(dtype):
    task, lines = Line(lambda net: sgd(net, lr=0.1)), Lines()
    trainer(task, steps=60, device=Device(torch.device("cpu"), dtype), sinks=[lines]).fit()
    assert task.model.weight.dtype == torch.float32
    assert lines.figures("train/loss")[-1] < lines.figures("train/loss")[0] / 100
    assert ("loss_scale" in lines[0]) == (dtype == torch.float16)


# ---- memory ------------------------------------------------------------------------------------------------


class Hungry(Line):
    """Has room for 8 rows."""

    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def loss(self, phase, batch):
        if len(batch["x"]) > 8:
            raise self.error
        return super().loss(phase, batch)


def test_out_of_memory_halves_the_micro_batch_keeps_the_gradient_and_says_so_once():
    data, told = batches(4, 32, torch.float64), Told()
    hungry, fed = Hungry(dtype=torch.float64), Line(dtype=torch.float64)
    run = trainer(hungry, data, steps=4, progress=told)
    run.fit()
    trainer(fed, data, steps=4).fit()
    torch.testing.assert_close(weights(hungry.model), weights(fed.model), rtol=1e-13, atol=1e-13)
    assert run.accumulate == 4
    assert [line for line in told.text if line.startswith("Out of memory in phase 'train'")] == told.text
    assert len(told.text) == 2  # from 32 rows to 16, to 8, and never again


def test_a_loss_over_the_whole_batch_is_never_split():
    class Contrast(Hungry):
        phases = (Phase("train", "model", whole_batch=True),)

    run = trainer(Contrast(), batches(4, 32))
    with pytest.raises(TrainingFailed, match=r"'train', whose loss needs the 32 rows.*--trainer\.batch-size"):
        run.fit()
    assert run.accumulate == 1


def test_without_memory_for_one_row_the_error_comes_through():
    class Starved(Hungry):
        def loss(self, phase, batch):
            raise self.error

    with pytest.raises(torch.OutOfMemoryError):
        trainer(Starved()).fit()


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    class Wrong(Hungry):
        error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        trainer(Wrong(), batches(4, 32)).fit()


# ---- when it ends ------------------------------------------------------------------------------------------


def test_it_stops_when_time_is_up_and_finishes_properly(tmp_path):
    def slow():
        while True:
            for batch in batches():
                time.sleep(0.01)
                yield batch

    result = trainer(Line(), slow(), batches(2), steps=100_000, max_minutes=0.5 / 60, folder=tmp_path).fit()
    assert result.stopped_by == "max_minutes"
    assert 0.5 <= result.seconds < 5
    assert result.scores


def test_it_stops_when_the_watched_score_gets_no_better():
    class Overfitting(Line):
        watch = "error"
        scores = iter([9.0, 9.0, 5.0, 4.0, 4.5, float("nan"), 4.0, 1.0])  # the first is the trial before step 1

        def evaluate(self, batch):
            return {"error": (next(self.scores), 1)}

    result = trainer(Overfitting(), evaluation=batches(1), steps=100, eval_every=2, patience=3).fit()
    assert (result.stopped_by, result.steps) == ("patience", 12)


@pytest.mark.parametrize("impossible", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_never_the_best(impossible):
    class Odd(Line):
        watch, watch_mode = "error", "max"
        scores = iter([0.0, impossible, 3.0, impossible, 2.0])

        def evaluate(self, batch):
            return {"error": (next(self.scores), 1)}

    run = trainer(Odd(), evaluation=batches(1), steps=8, eval_every=2)
    run._use_best = lambda: None
    assert run.fit().best_step == 4


@pytest.mark.parametrize(("newest", "best"), [(False, 2), (True, 6)])
def test_of_states_with_equal_scores_the_first_is_kept_or_the_last_where_a_task_says_so(newest, best):
    class Limited(Line):
        watch, watch_mode, newest_of_equals = "return", "max", newest
        scores = iter([1.0, 5.0, 5.0, 5.0, 4.0])

        def evaluate(self, batch):
            return {"return": (next(self.scores), 1)}

    run = trainer(Limited(), evaluation=batches(1), steps=8, eval_every=2)
    run._use_best = lambda: None
    assert run.fit().best_step == best


def test_the_doctor_can_stop_it():
    class Ill(Line):
        def diagnose(self, step, figures):
            return Diagnosis("hopeless", "stop") if step == 6 else None

    told = Told()
    result = trainer(Ill(), steps=20, log_every=3, progress=told).fit()
    assert (result.stopped_by, result.steps) == ("doctor", 6)
    assert result.findings == [{"step": 6, "cause": "hopeless", "action": "stop"}]
    assert told.text == ["step 6  doctor: hopeless"]


class Wandering(Line):
    """Its score is best at step 4, whatever it learns."""

    watch = "error"

    def __init__(self):
        super().__init__()
        self.at, self.kept, self.pupils = 0, {}, []

    def diagnose(self, step, figures):
        self.at = step

    def evaluate(self, batch):
        self.kept[self.at] = weights(self.model)
        return {"error": (abs(self.at - 4) + 1.0, 1)}


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_best_state_is_the_one_left_in_the_nets(tmp_path, ema):
    task = Wandering()
    result = trainer(task, evaluation=batches(1), folder=tmp_path, eval_every=2, ema=ema).fit()
    assert (result.best_step, result.scores, result.steps) == (4, {"error": 1.0}, 10)
    assert equal(weights(task.model), task.kept[4])
    assert not task.model.training


def test_without_a_folder_the_last_state_is_kept_and_its_scores_reported():
    task = Wandering()
    result = trainer(task, evaluation=batches(1), eval_every=2).fit()
    assert (result.best_step, result.scores) == (10, {"error": 7.0})
    assert equal(weights(task.model), task.kept[10])


def test_the_average_is_what_is_evaluated_and_left_in_the_nets():
    task = Line()
    run = trainer(task, steps=30, ema=0.99)
    averages = run.ema.nets["model"]
    last = weights(task.model)
    run.fit()
    assert equal(weights(task.model), weights(averages))
    assert not equal(weights(task.model), last)


def test_rolling_back_returns_to_the_best_state_with_half_the_rates(tmp_path):
    class Shaken(Wandering):
        def diagnose(self, step, figures):
            super().diagnose(step, figures)
            self.pupils.append((step, weights(self.model)))
            return Diagnosis("shaken", "rollback") if step == 7 and "lr" in figures else None

        def loss(self, phase, batch):
            if self.at == 7:
                assert equal(weights(self.model), self.kept[4])
            return super().loss(phase, batch)

    lines, told = Lines(), Told()
    result = trainer(Shaken(), evaluation=batches(1), folder=tmp_path, eval_every=2, sinks=[lines], progress=told).fit()
    assert lines.figures("lr") == [0.1] * 7 + [0.05] * 3
    assert told.text == ["step 7  doctor: shaken", "rolled back to the state of step 4, learning rates halved"]
    assert result.steps == 10


def test_a_roll_back_at_the_best_evaluation_itself_changes_nothing(tmp_path):
    class Nervous(Line):
        watch = "error"

        def diagnose(self, step, figures):
            return Diagnosis("nerves", "rollback") if "eval/error" in figures else None

    lines, told = Lines(), Told()
    run = trainer(Nervous(), None, batches(1), folder=tmp_path, steps=3, eval_every=2, sinks=[lines], progress=told)
    run.fit()
    assert lines.figures("lr") == [0.1] * 3
    assert told.text == ["step 2  doctor: nerves", "step 3  doctor: nerves"]


def test_overfitting_one_batch_sees_that_batch_alone():
    data, lines = batches(), Lines()
    task = Looking(lambda net: adam(net, lr=0.1))
    trainer(task, data, steps=200, overfit_one_batch=True, sinks=[lines]).fit()
    assert set(task.rows) == {float(data[0]["x"][0, 0])}
    assert lines.figures("train/loss")[-1] < 1e-3


# ---- figures -----------------------------------------------------------------------------------------------


def test_figures_are_means_over_the_steps_since_the_line_before_and_none_is_lost():
    every, third = Lines(), Lines()
    trainer(Line(), steps=10, sinks=[every]).fit()
    trainer(Line(), steps=10, log_every=3, sinks=[third]).fit()
    losses = every.figures("train/loss")
    assert [line["step"] for line in third] == [3, 6, 9, 10]
    means = [sum(losses[a:b]) / (b - a) for a, b in ((0, 3), (3, 6), (6, 9), (9, 10))]
    assert third.figures("train/loss") == pytest.approx(means, rel=1e-6)
    assert third.closed


def test_figures_name_phase_rate_speed_time_and_memory():
    lines = Lines()
    trainer(Game(), steps=1, sinks=[lines]).fit()
    expected = {"d/loss", "d/grad_norm", "g/loss", "r/loss", "lr", "samples_per_second", "seconds", "memory", "skipped"}
    assert expected <= lines[0].keys()


@pytest.mark.parametrize("parts", [1, 4])
def test_the_rate_of_a_task_that_counts_tokens_is_theirs(parts):
    class Text(Weighted):
        units = "tokens"

    data = [{**batch, "counts": torch.full((8,), 5)} for batch in batches()]
    lines = Lines()
    result = trainer(Text(), data, steps=7, log_every=3, accumulate=parts, sinks=[lines]).fit()
    for line in lines:
        assert line["tokens_per_second"] == pytest.approx(5 * line["samples_per_second"])
    assert result.rates["tokens_per_second"] == pytest.approx(5 * result.rates["samples_per_second"])


def test_the_schedule_and_its_plateau_set_the_rates():
    class Flat(Line):
        watch = "error"

        def evaluate(self, batch):
            return {"error": (1.0, 1)}

    lines = Lines()
    optim = OptimConfig(schedule="plateau", warmup=1, gamma=0.1, plateau_patience=2)
    trainer(Flat(), evaluation=batches(1), steps=8, eval_every=2, optim=optim, sinks=[lines]).fit()
    assert lines.figures("lr") == pytest.approx([0.05] + [0.1] * 5 + [0.01] * 2)


def test_previews_are_images_texts_and_sounds(tmp_path):
    class Showing(Line):
        def preview(self):
            image = torch.zeros(3, 4, 5, dtype=torch.uint8)
            return {"image": image, "text": "naïve", "sound": (torch.tensor([0.0, 1.0, -2.0]), 8000)}

    trainer(Showing(), evaluation=batches(1), steps=2, folder=tmp_path).fit()
    names = {path.name for path in (tmp_path / "samples").iterdir()}
    assert names == {"image-00000002.png", "text-00000002.txt", "sound-00000002.wav"}
    assert (tmp_path / "samples" / "text-00000002.txt").read_text(encoding="utf-8") == "naïve"
    with wave.open(str(tmp_path / "samples" / "sound-00000002.wav")) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert struct.unpack("<3h", sound.readframes(3)) == (0, 32767, -32767)


def test_evaluating_more_often_changes_no_weight():
    class Drawing(Line):
        def loss(self, phase, batch):
            noisy = {**batch, "x": batch["x"] + 0.1 * torch.randn_like(batch["x"])}
            return super().loss(phase, noisy)

        def evaluate(self, batch):
            return {"noise": (torch.rand(()), 1)}

    often, never = Drawing(), Drawing()
    torch.manual_seed(5)
    trainer(often, evaluation=batches(3), eval_every=1).fit()
    torch.manual_seed(5)
    trainer(never).fit()
    assert equal(weights(often.model), weights(never.model))


def test_time_spent_evaluating_is_not_counted_as_training():
    class Slow(Line):
        def evaluate(self, batch):
            time.sleep(0.1)
            return {"error": (1.0, 1)}

    result = trainer(Slow(), evaluation=batches(2), steps=5, eval_every=1).fit()
    assert result.seconds < 0.5  # five evaluations of 0.2 s


def test_any_iterable_of_batches_will_do_and_goes_round_and_round():
    task, data = Looking(), batches(3)
    trainer(task, data, steps=7).fit()
    rows = [float(batch["x"][0, 0]) for batch in data]
    assert task.rows == [*rows, *rows, rows[0]]


# ---- compiling ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # dynamo's own; it would have hidden it
def test_compiling_changes_neither_the_weights_nor_their_names(tmp_path, monkeypatch):
    compile_module = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda net: compile_module(net, backend="eager"))
    plain, compiled, told = Game(), Game(), Told()
    names = list(plain.generator.state_dict())
    trainer(plain, steps=3).fit()
    trainer(compiled, steps=3, compile=True, ema=0.5, folder=tmp_path, progress=told).fit()
    assert list(compiled.generator.state_dict()) == names
    assert equal(weights(compiled.discriminator), weights(plain.discriminator))
    assert "compiled" in told.text[0]

    saved, _ = checkpoint.newest(tmp_path / "checkpoints")
    assert list(saved.nets["generator"]) == list(saved.nets["generator.ema"]) == sorted(names)
    Game().generator.load_state_dict(saved.nets["generator"], strict=True)


# ---- a GPU -------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_host_never_waits_for_the_gpu_between_two_log_lines(dtype):
    device = Device(torch.device("cuda", 0), dtype)

    class Careful(Weighted):
        phases = (Phase("train", "model", clip=1.0), Phase("again", "model", every=2))

    def watched():
        counts = torch.ones(8, dtype=torch.int64, device=device.device)
        data = [{name: value.to(device.device) for name, value in batch.items()} for batch in batches()]
        for number, batch in enumerate(data * 5):
            torch.cuda.set_sync_debug_mode("error" if 10 < number < 90 else "default")
            yield {**batch, "counts": counts}

    lines = Lines()
    task = Careful(lambda net: adam(net, lr=1e-2))
    try:
        trainer(task, watched(), steps=100, log_every=7, accumulate=3, ema=0.99, device=device, sinks=[lines]).fit()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [line["step"] for line in lines] == [*range(7, 100, 7), 100]


@pytest.mark.gpu
@pytest.mark.parametrize("places", [(0,), (3, 7, 9)], ids=str)
@pytest.mark.parametrize("make", list(OPTIMIZERS.values())[:3], ids=list(OPTIMIZERS)[:3])
def test_a_bad_step_is_skipped_on_the_gpu_too(make, places):
    device, data = Device(torch.device("cuda", 0)), batches(10)
    good = [batch for place, batch in enumerate(data) if place not in places]
    skipping, without = Line(make), Line(make)
    trainer(skipping, poisoned(data, places), device=device).fit()
    trainer(without, good, steps=len(good), device=device).fit()
    assert equal(weights(skipping.model), weights(without.model))
