"""Molecules: the packaged sets, a user's own table, and how both are divided."""

import pytest
import torch

from torchworks.hybrid_multimodal.data.molecule_config import MoleculesConfig
from torchworks.hybrid_multimodal.data.molecules import molecules_of
from torchworks.hybrid_multimodal.data.scaffolds import scaffold_of, scaffold_split
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import check, open_source
from torchworks.shared.data.smiles import read_smiles

SMILES = ("CCO", "CCCO", "c1ccccc1", "Cc1ccccc1", "CCN", "CCCl", "C1CCCCC1", "OC1CCCCC1", "c1ccncc1", "CC(=O)O", "CCCC",
          "CCCCC", "c1ccc2ccccc2c1", "CC(C)O", "CCOC")  # fmt: skip


@pytest.fixture
def table(tmp_path):
    """Writes a table of 15 molecules, and further lines; gives its name as a source."""

    def write(*more: str, header: str = "smiles,logS"):
        lines = [f"{smiles},{place / 2}" for place, smiles in enumerate(SMILES)]
        file = tmp_path / "mine.csv"
        file.write_text("\n".join([header, *lines, *more]) + "\n")
        return f"molecules:{file}"

    return write


@pytest.fixture(scope="module")
def solubility():
    return open_source("solubility", MoleculesConfig())


def scaffolds(part) -> set[str]:
    return {scaffold_of(read_smiles(each)) for each in part.smiles}


def test_the_published_split_of_solubility_shares_no_molecule(solubility):
    train, test = molecules_of(solubility)
    assert (len(train), len(test)) == (1021, 257)
    assert not {*train.smiles} & {*test.smiles}
    assert train.targets == ("solubility (log10 mol/l)",)
    assert float(train.tensors["target"].mean()) == pytest.approx(-2.7032, abs=1e-4)


def test_freesolv_has_the_answers_of_a_simulation_beside_the_measured_ones():
    train, test = molecules_of(open_source("freesolv", MoleculesConfig()))
    assert len(train) + len(test) == 642
    error = test.beside["calc"] - test.tensors["target"][:, 0]
    assert 1 < float(error.square().mean().sqrt()) < 2


def test_a_random_split_follows_the_seed_and_keeps_copies_together(table):
    name = table("OCC,9", "C(O)C,9.5")
    parts = [molecules_of(open_source(name, MoleculesConfig(test_fraction=0.4), seed))[1] for seed in (0, 1, 0)]
    assert parts[0].smiles == parts[2].smiles
    assert parts[0].smiles != parts[1].smiles
    assert all(part.smiles.count("CCO") in (0, 3) for part in parts)


def test_groups_of_scaffolds_go_to_training_from_the_largest_on_while_they_fit():
    letters = ["a", "b", "b", "c", "c", "c", "d", "e", "b", "a"]
    train, test = scaffold_split(letters, 0.4)
    assert train == [1, 2, 3, 4, 5, 8]  # b and c are as large, and b appears first; of the rest nothing fits
    assert test == [0, 6, 7, 9]
    assert scaffold_split(["a"] * 4, 0.25) == ([], [0, 1, 2, 3])


def test_a_scaffold_is_of_rings_and_what_joins_them_without_chirality():
    for smiles, wanted in (
        ("CCO", ""),
        ("Cc1ccccc1CC", "c1ccccc1"),
        ("O=C1CCCCC1C", "O=C1CCCCC1"),
        ("C[C@H]1CC[C@@H](c2ccccc2)CC1", "c1ccc(C2CCCCC2)cc1"),
    ):
        assert scaffold_of(read_smiles(smiles)) == wanted


@pytest.mark.parametrize("seed", [0, 1])
def test_no_scaffold_is_on_both_sides_nor_in_what_is_held_out_to_choose_by(table, seed):
    train, test = molecules_of(open_source(table(), MoleculesConfig(partition="scaffold", test_fraction=0.35), seed))
    rest, held = train.held_out(0.1, seed)
    assert held is not None
    assert not scaffolds(test) & scaffolds(train)
    assert not scaffolds(rest) & scaffolds(held)
    assert len(rest) + len(held) == len(train)


def test_a_column_split_is_kept_and_molecules_of_both_parts_are_only_tested(table, tmp_path):
    rows = [f"{smiles},{i},{'test' if i % 3 == 0 else 'train'}" for i, smiles in enumerate(SMILES)]
    (tmp_path / "split.csv").write_text("\n".join(["smiles,y,split", *rows, "OCC,3,train"]) + "\n")
    source = open_source(f"molecules:{tmp_path / 'split.csv'}", MoleculesConfig())
    train, test = molecules_of(source)
    assert (len(train), len(test)) == (10, 5)
    assert "left out because testing has the same: 1." in source.notes[0]


def test_several_targets_may_have_empty_cells(tmp_path):
    rows = [f"{smiles};{i if i % 2 else ''};{i * 3};{'soluble' if i % 2 else 'no'}" for i, smiles in enumerate(SMILES)]
    (tmp_path / "two.csv").write_text("\n".join(["smiles;logS;melts (K);class", *rows]) + "\n")
    source = open_source(f"molecules:{tmp_path / 'two.csv'}", MoleculesConfig(test_fraction=0.4))
    train, _ = molecules_of(source)
    assert train.targets == ("logS", "melts (K)")
    assert train.tensors["target"].isnan().any(0).tolist() == [True, False]
    assert "no numbers and are not read: class" in " ".join(source.notes)
    chosen = MoleculesConfig(test_fraction=0.4, targets=("melts (K)",))
    assert molecules_of(open_source(source_name(tmp_path), chosen))[0].targets == ("melts (K)",)
    with pytest.raises(UserError, match=r"no column 'melt'. Did you mean 'melts \(k\)'"):
        open_source(source_name(tmp_path), MoleculesConfig(targets=("melt",)))


def source_name(folder) -> str:
    return f"molecules:{folder / 'two.csv'}"


BAD = ("C1CC,1", "CCO,", "CCO,many", "CN(C)(C)(C)C,2", "C" * 80 + ",3", ",4")


def test_bad_rows_are_named_by_their_line_with_rdkits_reason(table):
    wanted = r"6 rows that cannot be used: line 17: 'C1CC' cannot be read: unclosed ring"
    with pytest.raises(UserError, match=wanted) as raised:
        open_source(table(*BAD), MoleculesConfig())
    for said in ("line 18 has no logs", "line 19 has 'many'", "greater than permitted", "80 atoms", "'' is empty"):
        assert said in str(raised.value)
    source = open_source(table(*BAD), MoleculesConfig(skip_bad=True, test_fraction=0.4))
    assert len(source.train) + len(source.test) == len(SMILES)
    assert "cannot be used: 6." in source.notes[0]


def test_check_names_repeated_molecules_and_salts(table, capfd):
    report = check(table("OCC,9", "[Na+].CC(=O)[O-],1", "C1CC,1"), MoleculesConfig(test_fraction=0.4))
    said = " ".join(map(str, report.findings))
    assert "problem: Rows that cannot be used: 1 (line 19: 'C1CC' cannot be read: unclosed ring)" in said
    assert "more than once: 1 ('CCO' in lines 2, 17)" in said
    assert "several fragments, such as salts: 1 (line 18: 'CC(=O)[O-].[Na+]')" in said
    assert "Training, logS:" in said
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,logS\nCCO,1\n", "lacks the column smiles"),
        ("smiles,class\nCCO,good\n", "no column of numbers"),
        ("smiles,logS\nC1CC,1\n", "rows that cannot be used"),
        ("smiles,logS\nCCO,1\nCC,2\n", "5 are the fewest"),
        ("smiles,logS,split\nCCO,1,maybe\n", "must say train or test"),
    ],
)
def test_tables_that_cannot_be_learned_are_refused(tmp_path, content, said):
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(UserError, match=said):
        open_source(f"molecules:{tmp_path / 'bad.csv'}", MoleculesConfig())


def test_recipes_that_read_something_else_are_told(table):
    with pytest.raises(UserError, match="Choose the recipe `molecules`"):
        open_source(table(), ImageConfig())


def test_padding_is_zero_and_lengths_are_numbers_of_atoms(solubility):
    train, _ = molecules_of(solubility)
    table, length = train.tensors["molecule"], train.tensors["molecule_length"]
    assert torch.equal((table[..., 0] > 0).sum(1), length)
    assert train[0]["molecule"].shape[0] == int(length[0])
