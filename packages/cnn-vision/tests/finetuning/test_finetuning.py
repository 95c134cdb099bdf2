"""Fine-tuning: what is frozen does not change, what is freed does, and the rates are those that were asked for."""

import pytest
import torch

from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.finetuning.schedule import Finetuning, classifier_of, parts_of
from torchworks.cnn_vision.models import create_model

NETS = ("resnet20", "vgg11", "densenet121", "efficientnet_b0", "mobilenet_v3_small", "convnext_tiny", "vit_b_16")
STEPS = 80


def small():
    torch.manual_seed(0)
    return create_model("resnet20", num_classes=3, in_channels=1)


def trained_for_a_step(freeze, step=0):
    """The net before and after one step of training at place `step`."""
    net = small()
    task = Classification(net, 3, lr=1e-2, finetuning=Finetuning(net, freeze, 1.0, STEPS))
    optimizer = task.optimizer("model")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    task.step = step
    batch = {"image": torch.randn(6, 1, 8, 8), "label": torch.arange(6) % 3}
    net.train()
    task.loss("train", batch).loss.backward()
    optimizer.step()
    after = net.state_dict()
    return net, {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("name", NETS)
def test_the_parts_hold_every_parameter_once_and_end_with_the_classifier(name):
    with torch.device("meta"):
        net = create_model(name, num_classes=5)
    parts = parts_of(net)
    held = [id(parameter) for part in parts for layer in part for parameter in layer.parameters(recurse=False)]
    assert sorted(held) == sorted(id(parameter) for parameter in net.parameters())
    assert len(parts) == 5
    assert all(parts)
    ends = {id(parameter) for layer in parts[-1] for parameter in layer.parameters()}
    assert {name for name, parameter in net.named_parameters() if id(parameter) in ends} == classifier_of(net)
    assert all(5 in parameter.shape for layer in parts[-1] for parameter in layer.parameters())


def test_a_linear_probe_changes_the_classifier_alone_and_no_statistics():
    _, changed = trained_for_a_step("backbone")
    assert changed == {"fc.weight", "fc.bias"}


def test_without_freezing_everything_changes():
    net, changed = trained_for_a_step("none")
    assert {name for name, _ in net.named_parameters()} <= changed


def test_unfreezing_goes_from_the_classifier_to_the_image():
    frozen = Finetuning(small(), "gradual", 1.0, STEPS)
    assert [frozen.frozen(step) for step in (0, 9, 10, 20, 30, 39, 40, 79)] == [4, 4, 3, 2, 1, 1, 0, 0]
    first, second = trained_for_a_step("gradual", 0)[1], trained_for_a_step("gradual", 10)[1]
    net, last = trained_for_a_step("gradual", 40)
    assert first == {"fc.weight", "fc.bias"}
    assert first < second < last
    assert "layer3.2.conv2.weight" in second
    assert "conv1.weight" not in second
    assert {name for name, _ in net.named_parameters()} <= last


def test_what_was_frozen_is_in_training_again_once_it_is_free():
    net = small()
    tuned = Finetuning(net, "gradual", 1.0, STEPS)
    net.train()
    tuned.apply(0)
    assert not net.bn1.training
    tuned.apply(40)
    assert net.bn1.training
    assert all(parameter.requires_grad for parameter in net.parameters())
    net.eval()
    tuned.apply(40)
    assert not net.bn1.training


def test_rates_fall_by_the_factor_from_part_to_part():
    net = small()
    groups = Finetuning(net, "none", 0.5, STEPS).groups(lr=0.8, weight_decay=0.1)
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert rate[id(net.fc.weight)] == 0.8
    assert rate[id(net.get_parameter("layer3.2.conv2.weight"))] == 0.4
    assert rate[id(net.conv1.weight)] == 0.8 * 0.5**4
    assert len(rate) == len(list(net.parameters()))
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    assert decay[id(net.conv1.weight)] == 0.1
    assert decay[id(net.bn1.weight)] == 0
