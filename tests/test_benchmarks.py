"""Promises of the benchmarks of vision nets: what they compare is alike, and what they say follows from the times."""

import sys
from pathlib import Path

import pytest
import torch

from torchworks.shared.machine.device import Device

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import bench_vision
import inference
import photos
import vision_step
from race import Times, in_turns

CPU = Device(torch.device("cpu"))
TINY = vision_step.Job("resnet20", 32, 10, batch=2, length=1)


def times(*seconds: float) -> Times:
    return Times(seconds, seconds)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("photos")
    patch = pytest.MonkeyPatch()
    patch.setattr(photos, "COUNT", 12)
    photos.make_folder(made)
    patch.undo()
    return made


def test_both_loaders_give_nearly_the_same_pixels(folder):
    ours = next(iter(photos.stream(folder, 64, 12, 0, CPU)))
    images, labels = next(iter(photos.theirs(folder, 64, 12, 0, CPU)))
    assert ours["label"].tolist() == labels.tolist()
    assert (ours["image"] - images).abs().mean() < 0.02  # of a range of 2


def test_every_photo_is_read_once_in_a_pass(folder):
    assert sum(len(batch["label"]) for batch in photos.stream(folder, 32, 5, 0, CPU)) == 12


def test_ready_batches_are_those_of_our_own_loader():
    ready, loaded = vision_step.Ready(TINY, CPU, 6), vision_step.resident(TINY, CPU).iter_from(0)
    batches = list(ready)
    assert len(batches) == 6
    assert torch.equal(batches[0]["image"], next(loaded)["image"])
    assert torch.equal(batches[0]["image"], batches[vision_step.BATCHES]["image"])


def test_accuracy_in_the_loop_after_torchvision_counts_the_likeliest_classes():
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    found = vision_step.accuracy(logits, torch.tensor([0, 1, 2, 2]), (1, 2))
    assert [value.item() for value in found] == [50.0, 75.0]


def test_every_loop_trains_the_watched_net():
    class Count:
        steps, calls = 3, 0

        def watch(self, net):
            net.register_forward_pre_hook(lambda *_: setattr(self, "calls", self.calls + 1))
            self.net, self.before = net, net.fc.weight.detach().clone()

    for terms in (vision_step.loops, vision_step.loops_at_their_best):
        for name, loop in bench_vision.installed(terms(TINY, CPU)).items():
            clock = Count()
            loop(clock)
            assert clock.calls == 3, name
            assert not torch.equal(clock.net.fc.weight, clock.before), name


def test_what_is_called_in_turns_is_measured_once_a_round_without_the_warm_up():
    calls = []
    found = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warm_up=1)
    assert calls == ["a", "b"] * 4
    assert {name: len(each.wall) for name, each in found.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(("peer", "met"), [(1.1, True), (0.9, False)])
def test_the_target_is_met_only_if_every_peer_is_slower(peer, met):
    races = {
        f"{terms}: net": {"ours": times(1, 1, 1), "a": times(2, 2, 2), "b": times(peer, peer, peer)}
        for terms in bench_vision.TERMS
    }
    assert [target.met for target in bench_vision.faster_than_peers(races, CPU)] == [met, met]


def test_without_peers_nothing_is_claimed():
    races = {f"{terms}: net": {"ours": times(1, 1, 1)} for terms in bench_vision.TERMS}
    assert {target.met for target in bench_vision.faster_than_peers(races, CPU)} == {None}


@pytest.mark.parametrize(("step", "met"), [(1.04, True), (1.06, False)])
def test_photos_must_not_slow_the_net_by_more_than_a_twentieth(step, met):
    name = f"{bench_vision.IMAGE_SIZES[-1]} pixels, {bench_vision.count_workers()} workers"
    passes = {name: {photos.OURS: times(1, 1, 1)}}
    streamed = {photos.RESIDENT: times(1, 1, 1), photos.STREAMED: times(step, step, step)}
    assert bench_vision.unhindered(passes, streamed, TINY).met is met


def test_a_loader_slower_than_the_net_is_not_judged_as_if_the_net_were_the_bottleneck():
    name = f"{bench_vision.IMAGE_SIZES[-1]} pixels, {bench_vision.count_workers()} workers"
    passes = {name: {photos.OURS: times(1e6, 1e6, 1e6)}}
    streamed = {photos.RESIDENT: times(1, 1, 1), photos.STREAMED: times(1, 1, 1)}
    assert bench_vision.unhindered(passes, streamed, TINY).met is None


def test_channels_last_changes_outputs_by_rounding_only(monkeypatch):
    monkeypatch.setenv("PATH", "")  # what compiles would be imported, which takes seconds
    images = torch.randn(2, 3, 32, 32)
    ways = inference.forms(TINY, images, CPU)
    assert 0 < inference.difference(ways["channels_last"], ways[inference.EAGER], images) < 1e-4


def test_without_a_compiler_the_reason_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    ways = inference.forms(TINY, torch.randn(2, 3, 32, 32), CPU)
    assert "no C++ compiler" in ways["compiled"].why
