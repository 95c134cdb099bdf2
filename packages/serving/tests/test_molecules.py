"""Molecules are sent as SMILES and answered with numbers by their names; others are refused with rdkit's reason."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

pytest.importorskip("rdkit", reason="molecules are read by rdkit")
sys.path.insert(0, str(Path(__file__).parent))

import molecule_bundles
import tiny_bundles

from torchworks.serving.app import create_app
from torchworks.serving.client import Client
from torchworks.serving.limits import Settings
from torchworks.serving.monitoring.drift import features
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError

PREDICT = "/v1/models/counter/predict"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return molecule_bundles.write("counter", tmp_path_factory.mktemp("molecules") / "counter", most_atoms=20)


@pytest.fixture(scope="module")
def service(bundle) -> Iterator[TestClient]:
    settings = Settings()
    registry = Registry(settings)
    registry.add(ServedModel.load(bundle, settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


@pytest.fixture
def ask(service) -> Callable:
    """The rows of numbers for molecules, or the status and sentence of the refusal."""

    def send(molecule: object, **options):
        answer = service.post(PREDICT, json={"inputs": {"molecule": molecule}}, **options)
        if not answer.is_success:
            return answer.status_code, answer.json()["error"]["message"]
        return [[row[name] for name in molecule_bundles.COUNTED] for row in answer.json()["outputs"]["value"]]

    return send


def test_a_smiles_or_a_list_of_them_is_answered_by_name(service, ask):
    answer = service.post(PREDICT, json={"molecule": "CC(=O)O"}).json()["outputs"]["value"]
    assert answer == [{"atoms (number)": 4, "oxygen (number)": 2}]
    assert ask(["CCO", "c1ccccc1", "[Na+].[Cl-]"]) == [[3, 1], [6, 0], [2, 0]]


def test_a_form_takes_smiles_whatever_they_look_like(service):
    for part in ("[O-][Na]", '["O[Na]"]'):
        answer = service.post(PREDICT, files=[("molecule", (None, part))])
        assert answer.json()["outputs"]["value"] == [{"atoms (number)": 2, "oxygen (number)": 1}]
    rows = service.post(PREDICT, files=[("molecule", (None, "C")), ("molecule", (None, "CCC"))])
    assert len(rows.json()["outputs"]["value"]) == 2


def test_tables_of_numbers_are_taken_as_they_are(ask):
    table = [[8] + [0] * 22, [0] * 23]
    assert ask([table, table]) == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("molecule", "said"),
    [
        ("C1CC", "'molecule', 'C1CC', cannot be read: unclosed ring."),
        (["CCO", "CN(C)(C)(C)C"], "Row 2 of 'molecule', 'CN(C)(C)(C)C', cannot be read: Explicit valence"),
        ("", "'molecule', '', is empty"),
        ("C" * 21, "has 21 atoms without its hydrogens, but 20 are the most"),
        ("C" * 301, "has 301 characters, but 300 are the most"),
        ("C\x00", "has a space or a control character"),
        ("C*", "placeholder"),
        ("\ud83d", ""),
        ([], "is an empty list"),
        ([["CCO"]], "must be a SMILES"),
        (["CCO", None], "Row 2 of 'molecule' must be a SMILES"),
        (6, "must be a SMILES"),
        ({"a": 1}, "must be a SMILES"),
        ([[[6] * 22]], "shape (N, A, 23)"),
        ([[[-1] * 23]], "at least 0"),
        ([[["C"] * 23]], "int64"),
        ([[[6] * 23] * 21], "A may be 20 at most"),
    ],
)
def test_what_is_no_molecule_is_refused_with_the_reason(service, molecule, said):
    content = json.dumps({"inputs": {"molecule": molecule}})
    answer = service.post(PREDICT, content=content, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["error"]["message"]


def test_too_many_molecules_are_refused(ask):
    assert ask(["C"] * 65)[0] == 413


def test_the_card_has_an_example_that_is_answered(service, ask):
    card = service.get("/v1/models/counter").json()
    assert card["examples"] == [{"inputs": {"molecule": ["CCO"]}}]
    assert ask(card["examples"][0]["inputs"]["molecule"]) == [[3, 1]]


def test_the_schema_describes_what_is_taken_and_given(service):
    document = service.get("/openapi.json").json()
    path = next(path for path in document["paths"] if path.endswith("/models/counter/predict"))
    post = document["paths"][path]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document.get("components", {})})
    for body in ({"molecule": "CCO"}, {"inputs": {"molecule": ["CCO", "C"]}}, {"inputs": {"molecule": [[[6] * 23]]}}):
        assert validator.is_valid(body), body
    assert not validator.is_valid({"molecule": "C" * 301})
    assert not validator.is_valid({"molecule": 6})
    assert "oxygen (number)" in str(post["responses"]["200"])


def test_the_open_inference_protocol_takes_smiles_as_bytes(service):
    tensor = {"name": "molecule", "shape": [2], "datatype": "BYTES", "data": ["CCO", "C"]}
    answer = service.post("/v2/models/counter/infer", json={"inputs": [tensor]}).json()
    assert answer["outputs"][0]["data"] == [3, 1, 1, 0]


def test_the_client_sends_smiles_and_gives_numbers_by_name(service):
    client = Client("http://testserver", transport=service._transport)
    (row,) = client.model("counter").predict(molecule="OCCO")
    assert row == {"atoms (number)": 4, "oxygen (number)": 2}
    assert len(client.model("counter").predict(molecule=["C", "CC"])) == 2


def test_drift_is_judged_by_what_molecules_are_made_of(bundle):
    tiny = molecule_bundles.counter("CCO")
    columns = features(tiny.signature, tiny.golden, {"value": np.array([[3.0, 1.0]], np.float32)})
    found = {name: float(values[0]) for name, (values, _) in columns.items()}
    assert found["input.molecule.atoms"] == 3
    assert found["input.molecule.no_carbon"] == pytest.approx(1 / 3, abs=0.01)
    assert found["input.molecule.aromatic"] == 0


def test_without_rdkit_the_service_says_so_at_its_start(bundle, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "rdkit" else find(name, *rest))
    with pytest.raises(UserError, match=r"'molecule' is a molecule, which is read by rdkit.*pip install rdkit"):
        ServedModel.load(bundle, Settings())


def test_other_models_are_served_without_importing_rdkit(tmp_path):
    folder = tiny_bundles.write("classifier", tmp_path / "classifier")
    code = (
        "import sys; from pathlib import Path\n"
        "from torchworks.serving.limits import Settings; from torchworks.serving.served import ServedModel\n"
        f"ServedModel.load(Path({str(folder)!r}), Settings())\n"
        "print('rdkit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
