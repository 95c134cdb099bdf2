"""A trained net as it is used: molecules to what it predicts of them, in the units of training.

Shape letters: N molecules, A atoms, K targets.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.models.molecule_net import MoleculeNet
from torchworks.shared.config import UserError
from torchworks.shared.data.smiles import MOST_ATOMS, WIDTH
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "hybrid-multimodal-molecules"
TRAINING = "training.json"
"""The SMILES of the training molecules, by which a molecule unlike them is known."""


class MoleculePredictor(Predictor):
    """molecule, int64 (N, A, WIDTH) → value (N, K): `labels` of the output name the targets with their units. What the
    net has learned beside them is left out."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: MoleculeNet, signature: Signature, mean: list[float], std: list[float]):
        super().__init__(net, signature)
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0])[:, : self.mean.shape[0]].float() * self.std + self.mean


def new_net(net: dict[str, Any], answers: int) -> MoleculeNet:
    """With new weights; `net` are the fields of `MoleculeNetConfig`. Raises `UserError` for sizes that do not fit."""
    try:
        return MoleculeNet(answers=answers, **net)
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error} Change them with --net.") from error


def build_molecules(config: dict[str, Any]) -> MoleculePredictor:
    """The predictor of properties of molecules, with new weights, from the `config` in `model.json`.

    Builder "hybrid-multimodal-molecules"."""
    targets = tuple(config["targets"])
    molecule = TensorSpec("molecule", "molecule", "int64", ("N", "A", WIDTH), low=0, pad=0)
    value = TensorSpec("value", "features", "float32", ("N", len(targets)), labels=targets)
    signature = Signature((molecule,), (value,), most={"A": MOST_ATOMS})
    return MoleculePredictor(
        new_net(config["net"], len(targets) + config["auxiliary"]), signature, config["mean"], config["std"]
    )
