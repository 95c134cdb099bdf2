"""Fine-tuning: which layers of a pretrained net may change, when, and how fast.

Yosinski et al. 2014, "How transferable are features in deep neural networks?" (arXiv:1411.1792): early layers are
general, late ones belong to their task, and to freeze layers that depend on each other's neighbours costs accuracy.
Howard & Ruder 2018, "Universal Language Model Fine-tuning" (ULMFiT, arXiv:1801.06146), give the two tools used here:

- gradual unfreezing: the classifier learns alone at first; then the layers join it, the last ones first.
- discriminative rates: layers nearer to the image learn more slowly, by a constant factor from part to part.

The paper's parts are layers of an LSTM. Here they are four quarters of the net's layers in the order of the
computation, whatever its architecture, and the classifier as the fifth.

A frozen layer gets no gradient, and its batch norm neither uses nor updates statistics of the batch: it computes as in
evaluation. Where the first layers are frozen, no gradient is computed for them, so that these steps are faster too.
"""

import copy
from itertools import pairwise
from typing import Any, Literal

from torch import nn

from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.training.optim import parameter_groups

Freeze = Literal["none", "backbone", "gradual"]
QUARTERS = 4


class Finetuning:
    """The five parts of `net` (four quarters of its layers, and the classifier), and how they are trained.

    `freeze`: "none" trains all of them from the start, "backbone" the classifier alone (a linear probe), "gradual"
    frees a quarter after each eighth of the `steps`, the last one first. A part's learning rate is `rate_decay` times
    that of the part behind it.
    """

    def __init__(self, net: Backbone, freeze: Freeze, rate_decay: float, steps: int):
        self.net, self.freeze, self.rate_decay, self.steps = net, freeze, rate_decay, steps
        self.parts = parts_of(net)
        if freeze == "backbone":
            self.apply(0)  # at once, so that the optimizer never sees the frozen layers

    def groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups, each with the learning rate of its part."""
        return [
            group
            for behind, part in enumerate(reversed(self.parts))
            for group in parameter_groups(_own_parameters(part), lr * self.rate_decay**behind, weight_decay)
        ]

    def frozen(self, step: int) -> int:
        """How many parts, from the image on, do not change at `step`."""
        if self.freeze == "gradual":
            return max(0, QUARTERS - 8 * step // self.steps)
        return QUARTERS if self.freeze == "backbone" else 0

    def apply(self, step: int) -> None:
        """Freeze and free the layers as it is due at `step`. Call it before each pass in training."""
        frozen = self.frozen(step)
        for number, part in enumerate(self.parts):
            for layer in part:
                layer.training = self.net.training and number >= frozen
                for parameter in layer.parameters(recurse=False):
                    parameter.requires_grad_(number >= frozen)


def parts_of(net: Backbone) -> list[list[nn.Module]]:
    """Layers with parameters of their own, in the order of the net: four quarters, then the classifier's."""
    last = classifier_of(net)
    layers: list[nn.Module] = []
    classifier: list[nn.Module] = []
    for path, module in net.named_modules():
        own = {f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)}
        if own:
            (classifier if own <= last else layers).append(module)
    cuts = [len(layers) * quarter // QUARTERS for quarter in range(QUARTERS + 1)]
    return [*(layers[start:end] for start, end in pairwise(cuts)), classifier]


def classifier_of(net: Backbone) -> set[str]:
    """Names of the parameters that `reset_classifier` makes anew."""
    twin = copy.deepcopy(net).to("meta")
    before = dict(twin.named_parameters())
    twin.reset_classifier(net.num_classes)
    return {name for name, parameter in twin.named_parameters() if before.get(name) is not parameter}


def _own_parameters(layers: list[nn.Module]) -> list[nn.Parameter]:
    return [parameter for layer in layers for parameter in layer.parameters(recurse=False) if parameter.requires_grad]
