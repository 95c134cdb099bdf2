"""What predicts without a graph: the mean, a few or many descriptors, fingerprints. Features are computed by rdkit,
models fitted by scikit-learn on the same training molecules; penalties are chosen by leave-one-out within these.

Shape letters: N molecules, K targets, F features.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from torchworks.hybrid_multimodal.data.molecules import Molecules
from torchworks.hybrid_multimodal.molecules.metrics import named_scores
from torchworks.shared.data.smiles import quiet, rdkit_module, read_smiles

RADIUS, BITS = 2, 2048
"""Of Morgan fingerprints (Rogers and Hahn 2010, "Extended-connectivity fingerprints")."""
LARGEST = 1e6
"""Descriptors are cut here: some are astronomic."""
PENALTIES = np.logspace(-1, 4, 11)
Array = np.ndarray


def baselines(train: Molecules, test: Molecules, scale: torch.Tensor) -> dict[str, float]:
    """`rmse_NAME` and `r2_NAME` of each method on `test`, or `relative_rmse_NAME` for several targets; the column
    `beside` of another method's answers, such as those of a simulation, is scored as it is."""
    measured, known = test.tensors["target"], train.tensors["target"].numpy().astype(float)
    found: dict[str, float] = {}
    wanted = ("rmse", "r2") if len(test.targets) == 1 else ("relative_rmse",)

    def score(name: str, predicted: Array) -> None:
        values = torch.as_tensor(predicted, dtype=torch.float64).reshape(len(test), -1)
        scores = named_scores(values, measured, test.targets, scale)
        found.update({f"{each}_{name}": scores[each] for each in wanted})

    score("mean", np.tile(np.nanmean(known, 0), (len(test), 1)))
    for features, models in _methods():
        x, z = features(train.smiles), features(test.smiles)
        for name, make in models.items():
            score(name, _fitted(make, x, known, z))
    for name, values in test.beside.items():
        score(name, values.numpy())
    return found


Features = Callable[[Sequence[str]], Array]
Model = Callable[[], Any]


def _methods() -> list[tuple[Features, dict[str, Model]]]:
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LinearRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def ridge() -> Any:
        return make_pipeline(StandardScaler(), RidgeCV(PENALTIES))

    many: dict[str, Model] = {
        "descriptors_ridge": ridge,
        "descriptors_forest": lambda: RandomForestRegressor(200, max_features=0.33, random_state=0),
        "descriptors_boosting": lambda: HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, random_state=0),
    }
    return [
        (delaney, {"delaney": LinearRegression}),
        (morgan, {"morgan_ridge": lambda: RidgeCV(PENALTIES)}),
        (descriptors, many),
    ]


def _fitted(make: Model, x: Array, known: Array, z: Array) -> Array:
    """Predictions (N, K) for features `z`, each target learned from the rows of `x` that have it."""
    columns = []
    for k in range(known.shape[1]):
        rows = np.isfinite(known[:, k])
        columns.append(make().fit(x[rows], known[rows, k]).predict(z))
    return np.stack(columns, 1)


# ---------------------------------------------------------------------------------------------------- features


def delaney(smiles: Sequence[str]) -> Array:
    """The four numbers of Delaney 2004, "ESOL: estimating aqueous solubility directly from molecular structure": log P
    (Crippen's), weight, rotatable bonds, and the share of aromatic atoms; (N, 4)."""
    names = rdkit_module("Chem.Descriptors")
    rows = []
    for each in smiles:
        molecule = read_smiles(each)
        aromatic = sum(atom.GetIsAromatic() for atom in molecule.GetAtoms()) / molecule.GetNumAtoms()
        with quiet():
            numbers = names.MolLogP(molecule), names.MolWt(molecule), names.NumRotatableBonds(molecule)
        rows.append([*numbers, aromatic])
    return np.array(rows)


def morgan(smiles: Sequence[str]) -> Array:
    """How often each surrounding of an atom occurs, hashed to (N, BITS)."""
    generator = rdkit_module("Chem.rdFingerprintGenerator").GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    return np.stack([generator.GetCountFingerprintAsNumPy(read_smiles(each)) for each in smiles]).astype(np.float64)


def descriptors(smiles: Sequence[str]) -> Array:
    """All of rdkit's descriptors, (N, 217); 0 where one is not defined."""
    compute = rdkit_module("Chem.Descriptors").CalcMolDescriptors
    with quiet():
        rows = [list(compute(read_smiles(each), missingVal=0.0).values()) for each in smiles]
    return np.clip(np.nan_to_num(np.array(rows, np.float64)), -LARGEST, LARGEST)
