"""Properties of molecules from the command line: trained, scored, estimated, drawn, exported."""

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.data.molecules import Table, as_dataset
from torchworks.hybrid_multimodal.models.molecule_net import MoleculeNet
from torchworks.hybrid_multimodal.molecules import baselines as beside
from torchworks.hybrid_multimodal.molecules.attribution import atom_shares, cut
from torchworks.hybrid_multimodal.molecules.auxiliary import NAMES, with_descriptors
from torchworks.hybrid_multimodal.molecules.metrics import named_scores, scores_of
from torchworks.hybrid_multimodal.molecules.similarity import Nearest
from torchworks.hybrid_multimodal.molecules.task import Regression
from torchworks.hybrid_multimodal.molecules.use import written
from torchworks.shared.cli import main
from torchworks.shared.data.smiles import MOST_ATOMS, molecule_table, rdkit_module, read_smiles
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed

SMILES = [f"{head}{'C' * length}{tail}" for head in ("", "O", "c1ccccc1", "N") for length in (1, 2, 3, 4, 5)
          for tail in ("", "O", "Cl")]  # fmt: skip
SMALL = ("--net.width", 16, "--net.depth", 2, "--trainer.batch-size", 8, "--loader.test-fraction", 0.3)


def run(*words: object) -> int:
    return main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words])


def heavy(smiles: str) -> int:
    return read_smiles(smiles).GetNumAtoms()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A table of 60 molecules: their atoms are counted, in a unit, and their chlorines."""
    file = tmp_path_factory.mktemp("data") / "atoms.csv"
    rows = [f"{each},{heavy(each)},{each.count('Cl') if i % 3 else ''}" for i, each in enumerate(SMILES)]
    file.write_text("\n".join(["smiles,size (atoms),chlorine", *rows]) + "\n")
    return f"molecules:{file}"


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run of few steps on one target."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    words = ("--data", data, "--loader.targets", "size (atoms)", *SMALL, "--steps", 60, "--valid-fraction", 0.2)
    assert run("train", "molecules", *words, "--out", folder) == 0
    return folder


# ------------------------------------------------------------------------------------------------------- parts


def test_scores_are_their_formulas_and_leave_out_what_was_not_measured():
    predicted, measured = torch.tensor([1.0, 2, 4, 9]), torch.tensor([2.0, 2, 2, math.nan])
    assert scores_of(predicted, measured)["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert scores_of(predicted, measured)["mae"] == pytest.approx(1)
    assert math.isnan(scores_of(predicted, measured)["r2"])
    measured = torch.tensor([1.0, 3, 5, 7])
    assert scores_of(predicted, measured)["r2"] == pytest.approx(1 - (0 + 1 + 1 + 4) / 20)
    two = named_scores(
        torch.stack([predicted] * 2, 1), torch.stack([measured] * 2, 1), ("a", "b"), torch.tensor([1, 2])
    )
    assert two["a rmse"] == two["b rmse"] == pytest.approx(1.5**0.5)
    assert two["relative_rmse"] == pytest.approx(1.5**0.5 * 0.75)


def test_the_loss_is_of_standardized_targets_that_were_measured():
    class Constant(nn.Module):
        def forward(self, table):
            return torch.tensor([[0.5, 3.0], [0.0, 9.0]])

    task = Regression(Constant(), targets=("a", "b"), mean=torch.tensor([1.0, 0]), std=torch.tensor([2.0, 1]), lr=1e-3,
                      weight_decay=0.0)  # fmt: skip
    task.random = StepRandom(0)
    target = torch.tensor([[1.0, 1.0], [3.0, math.nan]])
    batch = {"molecule": torch.zeros(2, 1, 1), "target": target}
    measured = ((0.5 * 0.5**2 + (2 - 0.5)) / 2 + 0.5 * 1**2) / 2  # the mean of each molecule's targets, then of all
    assert float(task.loss("train", batch).loss) == pytest.approx(measured)


def test_what_is_learned_beside_counts_by_its_weight_and_comes_from_rdkit():
    rows = Table(("y",), [read_smiles(each) for each in SMILES], [[0.0]] * len(SMILES))
    data = with_descriptors(as_dataset(rows, SMILES, "random"))
    auxiliary = data.tensors["auxiliary"]
    torch.testing.assert_close(auxiliary.mean(0), torch.zeros(len(NAMES)), atol=1e-5, rtol=0)
    torch.testing.assert_close(auxiliary.std(0), torch.ones(len(NAMES)))
    donors = torch.tensor([float(each[0] in "ON") + each.endswith("O") for each in SMILES])
    assert torch.corrcoef(torch.stack([auxiliary[:, NAMES.index("NumHDonors")], donors]))[0, 1] > 0.99
    assert data[0]["auxiliary"].shape == (len(NAMES),)

    class Zeros(nn.Module):
        def forward(self, table):
            return torch.zeros(len(table), 1 + len(NAMES))

    one = {"targets": ("y",), "mean": torch.zeros(1), "std": torch.ones(1), "lr": 1.0, "weight_decay": 0.0}
    batch = {name: value[:4] for name, value in data.tensors.items()} | {"target": torch.ones(4, 1)}
    losses = [float(Regression(Zeros(), **one, auxiliary=weight).loss("train", batch).loss) for weight in (0, 1, 3)]
    assert losses[0] == pytest.approx(0.5)
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]))


def test_units_stand_behind_the_numbers():
    assert written("solubility (log10 mol/l)", -1.234) == "solubility -1.23 log10 mol/l"
    assert written("solubility (log10 mol/l)", -1.234, name=False) == "-1.23 log10 mol/l"
    assert written("logS", 2) == "logS 2.00"


def test_the_nearest_molecule_is_the_most_similar_one():
    nearest = Nearest(["CCCCCCCC", "c1ccccc1C", "OCC(O)CO"])
    assert nearest.of(read_smiles("Cc1ccccc1")) == ("c1ccccc1C", 1.0)
    smiles, similarity = nearest.of(read_smiles("c1ccccc1CC"))
    assert smiles == "c1ccccc1C"
    assert 0.3 < similarity < 1
    assert nearest.of(read_smiles("[Na+].[Cl-]"))[1] == 0


def test_methods_beside_read_what_they_say(monkeypatch):
    monkeypatch.setattr(beside, "_methods", lambda: [])
    rows = Table(("y",), [read_smiles(each) for each in SMILES], [[float(heavy(each))] for each in SMILES])
    rows.beside["calc"] = [float(heavy(each)) + 1 for each in SMILES]
    whole = as_dataset(rows, SMILES, "random")
    scores = beside.baselines(whole, whole, torch.ones(1))
    assert scores["rmse_calc"] == pytest.approx(1)
    assert scores["r2_mean"] == pytest.approx(0, abs=1e-6)
    assert beside.delaney(["c1ccccc1CC"])[0, 2:].tolist() == [1, 0.75]
    assert beside.descriptors(["CCO", "C"]).shape == (2, 217)
    assert beside.morgan(["CCO", "CCO"]).shape == (2, 2048)


@pytest.mark.slow
def test_shares_of_atoms_are_those_of_a_property_that_is_a_sum_over_atoms():
    """The polar surface is one: rdkit says what each atom adds. A net that has learned it tells the same of molecules
    that it has not seen."""
    torch.manual_seed(0)
    polar = rdkit_module("Chem.rdMolDescriptors")
    contribution = polar._CalcTPSAContribs
    middles = ("CC", "CCC", "C(C)C", "CC(=O)C", "COC", "CNC")
    smiles = [f"{a}{b}{c}" for a in ("O", "N", "C", "N#C", "O=C") for b in middles
              for c in ("O", "N", "C", "OC", "C#N", "C=O", "CF")]  # fmt: skip
    rows = Table(("polar surface (Å²)",), [read_smiles(each) for each in smiles])
    rows.values = [[polar.CalcTPSA(molecule)] for molecule in rows.molecules]
    data = as_dataset(rows, smiles, "random")
    table, target = data.tensors["molecule"], data.tensors["target"]
    train, test = torch.arange(len(smiles)) % 5 > 0, torch.arange(len(smiles)) % 5 == 0
    mean, std = target[train].mean(), target[train].std()
    net = MoleculeNet(depth=3, width=32, drop_rate=0.0)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(250):
        rows_of_batch = torch.nonzero(train)[:, 0][torch.randint(int(train.sum()), (32,))]
        loss = (net(table[rows_of_batch]) - (target[rows_of_batch] - mean) / std).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    above, found, wanted = [], [], []
    for row in torch.nonzero(test)[:, 0].tolist():
        length = int(data.tensors["molecule_length"][row])
        shares = atom_shares(net, table[row, :length])[:, 0] * std
        true = torch.tensor(contribution(rows.molecules[row]))
        above += (shares[true > 0][:, None] > shares[true == 0]).flatten().tolist()
        found.append(shares)
        wanted.append(true)
    found, wanted = torch.cat(found), torch.cat(wanted)
    assert np.mean(above) > 0.75  # of pairs of a polar atom and another one; chance is one half
    assert found[wanted > 0].mean() > found[wanted == 0].mean() + 5
    assert float(found[wanted > 15].mean()) == pytest.approx(float(wanted[wanted > 15].mean()), rel=0.4)


def test_the_share_of_an_atom_is_what_is_lost_without_it():
    class Counting(nn.Module):
        def forward(self, table):
            bonds = (table[..., 7:15] > 0) & (table[..., :1] > 0)
            return torch.stack([(table[..., 0] == 8).sum(1), bonds.sum((1, 2))], 1).float()

    shares = atom_shares(Counting(), torch.from_numpy(molecule_table(read_smiles("OCC"))))
    assert shares[:, 0].tolist() == [1, 0, 0]
    assert shares[:, 1].tolist() == [1, 2, 1]


def test_hydrogens_stand_where_an_atom_was_cut_out():
    def features(smiles: str) -> list:
        return molecule_table(read_smiles(smiles))[:, :7].tolist()

    for whole, atom, left in (("CCO", 2, "CC"), ("CC=O", 2, "CC"), ("CC#N", 2, "CC"), ("CNC", 1, "C.C")):
        remains = cut(torch.from_numpy(molecule_table(read_smiles(whole))), atom)
        assert remains[atom].tolist() == [0] * 23
        assert remains[remains[:, 0] > 0, :7].tolist() == features(left)


# ------------------------------------------------------------------------------------------------------ commands


def test_a_run_is_scored_beside_methods_without_a_graph_and_says_how(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["rmse"] < result["rmse_mean"]
    for method in ("delaney", "morgan_ridge", "descriptors_ridge", "descriptors_forest", "descriptors_boosting"):
        assert result[f"rmse_{method}"] < result["rmse_mean"]
    assert "random split by the seed" in result["protocol"]
    assert "held out of training by the same rule" in result["protocol"]


def test_molecules_are_estimated_with_unit_and_nearest_and_drawn(trained, tmp_path, capsys):
    (tmp_path / "list.smi").write_text("CCCO propanol\n\nc1ccccc1CC\n")
    (tmp_path / "table.csv").write_text("name,smiles\nsalt,[Na+].[Cl-]\n")
    out = tmp_path / "atoms.png"
    assert run("estimate", trained, "CCO", tmp_path / "list.smi", tmp_path / "table.csv", "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["CCO", "CCCO", "c1ccccc1CC", "[Na+].[Cl-]", str(out)]
    assert lines[0].split()[1] == "size"
    assert lines[0].split()[3] == "atoms"
    assert abs(float(lines[2].split()[2]) - 8) < abs(float(lines[2].split()[2]) - 3)
    assert "a guess: unlike all of training" in lines[3]
    assert "a guess" not in lines[1]
    with Image.open(out) as drawn:
        pixels = torch.from_numpy(np.array(drawn.convert("RGB"))).flatten(0, 1)
        assert drawn.size == (4 * 280, 230)
    assert ((pixels.max(1).values - pixels.min(1).values) > 60).any()  # colors
    assert run("estimate", trained, "CCO", "--out", out) == 2
    assert "atoms.png exists already" in " ".join(capsys.readouterr().err.split())
    assert run("estimate", trained, "CCO", "--out", tmp_path / "atoms.svg") == 0
    assert (tmp_path / "atoms.svg").read_text().lstrip().startswith("<?xml")


def test_lines_of_the_standard_input_are_estimated(trained, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"CCO\nCC\n")))
    assert run("estimate", trained, "-") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["CCO", "CC"]


def test_what_cannot_be_read_is_named_once_the_others_are_done(trained, tmp_path, capfd):
    assert run("estimate", trained, "C1CC", "CCO", "CN(C)(C)(C)C") == 2
    out, err = capfd.readouterr()
    assert out.splitlines()[0].startswith("CCO")
    said = " ".join(err.split())
    assert "cannot be read: 2 ('C1CC' cannot be read: unclosed ring, 'CN(C)(C)(C)C'" in said
    assert "Parse Error" not in err  # rdkit's own lines
    assert run("estimate", trained) == 2
    assert run("estimate", trained, "CCO", "--out", tmp_path / "atoms.gif") == 2
    assert run("estimate", trained, tmp_path / "none.csv") == 2
    said = " ".join(capfd.readouterr().err.split())
    for part in ("Name a molecule by its SMILES", "must end in .png or .svg", "There is no file"):
        assert part in said


def test_evaluate_scores_again_and_draws_what_is_worst(trained, capsys):
    assert run("evaluate", trained) == 0
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    result = json.loads((trained / "result.json").read_text())
    assert found["rmse"] == pytest.approx(result["rmse"], rel=1e-4)
    assert found["molecules_like_training"] + found["molecules_unlike_training"] == 18
    assert found["protocol"] == result["protocol"]
    for name in ("measured.png", "worst.png"):
        with Image.open(trained / "evaluation" / name) as drawn:
            assert drawn.size[0] > 400
    assert run("evaluate", trained) == 2
    assert "exists already" in capsys.readouterr().err


def test_several_targets_are_learned_together_where_they_were_measured(data, tmp_path, capsys):
    words = ("--data", data, *SMALL, "--steps", 4, "--auxiliary", 0, "--out", tmp_path / "two")
    assert run("train", "molecules", *words) == 0
    result = json.loads((tmp_path / "two" / "result.json").read_text())
    assert {"size (atoms) rmse", "chlorine rmse", "relative_rmse", "relative_rmse_morgan_ridge"} <= result.keys()
    assert "none to select by" in result["protocol"]
    capsys.readouterr()
    assert run("estimate", tmp_path / "two", "CCO") == 0
    words = capsys.readouterr().out.split()
    assert (words[1], words[4]) == ("size", "chlorine")


def test_what_teaches_nothing_is_refused(data, tmp_path, capsys):
    rows = [f"{each},1" for each in SMILES]
    (tmp_path / "same.csv").write_text("\n".join(["smiles,y", *rows]))
    assert run("train", "molecules", "--data", f"molecules:{tmp_path / 'same.csv'}", "--dry-run") == 2
    assert run("train", "molecules", "--data", data, "--trainer.batch-size", 4, "--trainer.accumulate", 4) == 2
    assert run("train", "molecules", "--data", data, "--net.width", 18, "--dry-run") == 2
    said = " ".join(capsys.readouterr().err.split())
    for part in ("nothing to learn", "fewer than two molecules", "multiple of 4"):
        assert part in said


@pytest.mark.slow
def test_a_molecule_goes_in_and_a_number_comes_out_of_what_is_exported(trained):
    check_golden(trained)
    check_predictor(load_predictor(trained), lengths={"A": (1, 9, MOST_ATOMS)})


@pytest.mark.long
def test_molecules_killed_and_resumed_ends_with_the_very_same_weights(data, tmp_path):
    words = [
        "--trainer.steps",
        "40",
        "--trainer.checkpoint-every",
        "4",
        "--trainer.eval-every",
        "10",
        "--device",
        "cpu",
    ]
    train = ["-m", "torchworks.hybrid_multimodal", "train", "molecules", "--data", data, *map(str, SMALL), *words]
    killed_and_resumed([*train, "--trainer.log-every", "1"], tmp_path)
