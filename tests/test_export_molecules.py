"""Properties of molecules as they are served: exports by torch.export and to ONNX answer as the trained model for any
number of molecules and atoms, and a SMILES goes in where a number with its unit comes out."""

import pytest
import torch
from fastapi.testclient import TestClient

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that trains these nets")
pytest.importorskip("rdkit", reason="molecules are read by rdkit")

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main
from torchworks.shared.data.ragged import pad_to_longest
from torchworks.shared.data.smiles import MOST_ATOMS, molecule_table, read_smiles
from torchworks.shared.models.predictor import load_predictor

pytestmark = [
    pytest.mark.slow,
    # the exporters warn of what they do themselves
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]
SMILES = [f"{head}{'C' * length}{tail}" for head in ("", "O", "N") for length in (1, 2, 3) for tail in ("", "O", "Cl")]


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    """Of few steps."""
    folder = tmp_path_factory.mktemp("runs")
    rows = [f"{each},{len(each)}" for each in SMILES]
    (folder / "mine.csv").write_text("\n".join(["smiles,size (letters)", *rows]))
    words = (
        "train", "molecules", "--data", f"molecules:{folder / 'mine.csv'}", "--net.layer", request.param, "--steps", 4,
        "--net.width", 16, "--net.depth", 2, "--trainer.batch-size", 8, "--loader.test-fraction", 0.3, "--out",
        folder / "run",
    )  # fmt: skip
    assert main("hybrid-multimodal", "recommend", COMMANDS, [str(word) for word in words]) == 0
    return folder / "run"


@torch.no_grad()
@pytest.mark.parametrize(("run", "form"), [("gine", "onnx"), ("gine", "pt2"), ("gat", "onnx")], indirect=["run"])
def test_exports_answer_as_trained_for_any_number_of_molecules_and_atoms(run, form):
    settings = Export(run, seconds=0, name="m", format=form)
    export(settings)
    predictor = load_predictor(run)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    for smiles in (["C"], ["C" * 7, "CC"], ["C" * MOST_ATOMS], ["C", "CCO", "c1ccccc1"], ["C"] * 3):
        table, _ = pad_to_longest([torch.from_numpy(molecule_table(read_smiles(each))) for each in smiles])
        (found,) = engine.run({"molecule": table.numpy()}).values()
        torch.testing.assert_close(torch.from_numpy(found), predictor(table), rtol=1e-5, atol=1e-5)
    if form == "onnx":
        check_served(bundle, predictor)


def check_served(bundle, predictor) -> None:
    registry = Registry(Settings())
    registry.add(ServedModel.load(bundle, Settings()))
    with TestClient(create_app(registry, Settings())) as client:
        answer = client.post("/v1/models/m/predict", json={"molecule": ["CCO", "C"]}).json()["outputs"]["value"]
        refused = client.post("/v1/models/m/predict", json={"molecule": "C1CC"})
    wanted = predictor(torch.from_numpy(molecule_table(read_smiles("CCO")))[None])
    assert answer[0] == {"size (letters)": pytest.approx(float(wanted), rel=1e-4)}
    assert refused.status_code == 422
    assert "unclosed ring" in refused.json()["error"]["message"]
