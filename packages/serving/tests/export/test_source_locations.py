"""A bundle says nothing of its maker's machine: no folder, no line of code; and it is the same wherever it is made."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")

import onnx
from onnx import TensorProto, helper

from torchworks.serving.bundle import BUNDLE, PARITY
from torchworks.serving.export.source_locations import strip_onnx

ABSOLUTE = re.compile(rb"(?<![\w.:/+-])/[\w.+-]{3,}/[\w.+-]{3,}|[A-Z]:\\\\?\w{3,}")
NETS = """
import torch
from torch import nn
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

class Reader(Predictor):
    def __init__(self, config):
        layers = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.Flatten()]
        image = TensorSpec("image", "image", "uint8", ("N", 1, 8, 8))
        answer = TensorSpec("probability", "label", "float32", ("N", 10), 0, 1, tuple("0123456789"))
        super().__init__(nn.Sequential(*layers, nn.Linear(576, 10)), Signature((image,), (answer,)))
    def forward(self, image):
        return self.net(image.float() / 255).softmax(1)
"""
SAVE = """
import sys, torch
from pathlib import Path
from strangers_nets import Reader
from torchworks.shared.models.predictor import save_model
torch.manual_seed(0)
images = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8)
save_model(Path("run"), Reader({}), package="strangers", recipe="plain", builder="reader", config={},
           golden={"image": images[:2]}, samples={"image": images})
"""
EXPORT = """
import sys
from pathlib import Path
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export
for words in sys.argv[1:]:
    form, _, quantize = words.partition("-")
    export(Export(Path("run"), format=form, quantize=quantize or None, max_loss=1, seconds=SECONDS))
"""
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
FORMS = ("onnx", "onnx-int8", "pt2", "torchscript", "safetensors")


def place(folder: Path) -> Path:
    """A folder with an installed package that offers a builder."""
    info = folder / "strangers-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "strangers_nets.py").write_text(NETS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[torchworks.builders]\nreader = strangers_nets:Reader\n")
    return folder


def python(code: str, *words: str, folder: Path, **variables: str) -> None:
    surroundings = os.environ | {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "ignore", **variables}
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=surroundings, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def exported(folder: Path, run: Path, *forms: str, seconds: float, **variables: str) -> Path:
    """The run with bundles of these forms, made in `folder` by code that lies there."""
    place(folder)
    (folder / "run").mkdir()
    for file in run.iterdir():
        (folder / "run" / file.name).write_bytes(file.read_bytes())
    python(EXPORT.replace("SECONDS", repr(seconds)), *forms, folder=folder, **variables)
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run."""
    folder = place(tmp_path_factory.mktemp("first"))
    python(SAVE, folder=folder)
    return folder / "run"


def contents(bundle: Path) -> dict[str, bytes]:
    """All files of a bundle, and all entries of those that are archives."""
    found = {path.name: path.read_bytes() for path in sorted(bundle.iterdir())}
    for path in filter(zipfile.is_zipfile, sorted(bundle.iterdir())):
        with zipfile.ZipFile(path) as archive:
            found |= {f"{path.name}:{name}": archive.read(name) for name in archive.namelist()}
    return found


def check_silent(bundle: Path) -> None:
    places = [str(place).encode() for place in (bundle.parents[1], Path.home(), sys.prefix)]
    for name, content in contents(bundle).items():
        assert ABSOLUTE.findall(content) == [], name
        assert [place for place in places if place + b"/" in content] == [], name
        assert b"image.float()" not in content, name


def bundles(run: Path) -> list[Path]:
    return sorted(run.glob("bundle-*"))


@pytest.fixture(scope="module")
def here(run, tmp_path_factory) -> list[Path]:
    """Its bundles in all forms, with a date that is given and no measured times."""
    made = exported(tmp_path_factory.mktemp("exports") / "here", run, *FORMS, seconds=0, **EPOCH)
    assert [path.name for path in bundles(made)] == sorted(f"bundle-{form}" for form in FORMS)
    return bundles(made)


@pytest.mark.slow
def test_bundles_of_one_run_made_by_code_in_two_folders_are_byte_for_byte_the_same_and_name_no_path(
    run, here, tmp_path
):
    there = exported(tmp_path / "else" / "where", run, *FORMS, seconds=0, **EPOCH)
    for one, other in zip(here, bundles(there), strict=True):
        check_silent(one)
        assert contents(one) == contents(other)


@pytest.mark.slow
def test_only_date_and_measured_times_tell_two_exports_apart(run, here, tmp_path):
    one = exported(tmp_path / "a", run, "onnx", seconds=0.001) / "bundle-onnx"
    other = next(path for path in here if path.name == "bundle-onnx")
    check_silent(one)
    differ = {name for name, content in contents(one).items() if contents(other)[name] != content}
    assert differ == {BUNDLE, PARITY}


@pytest.mark.slow
@pytest.mark.long
def test_a_compiled_bundle_names_no_path(run, tmp_path):
    check_silent(exported(tmp_path / "here", run, "aoti", seconds=0) / "bundle-aoti")


def test_notes_are_taken_from_nodes_graphs_within_and_values_and_older_runtimes_can_read_the_file():
    note = {"pkg.torch.onnx.stack_trace": 'File "/srv/ann/thesis/net.py", line 3'}
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])
    branches = []
    for name in ("then", "else"):
        inner = helper.make_node("Neg", ["x"], [name], doc_string="/srv/ann/thesis/net.py")
        helper.set_metadata_props(inner, note)
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"])
        branches.append(helper.make_graph([inner], name, [], [out]))
    choose = helper.make_node("If", ["flag"], ["y"], then_branch=branches[0], else_branch=branches[1])
    helper.set_metadata_props(choose, note)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"], doc_string="/home/ann")
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    helper.set_metadata_props(weight, note)
    graph = helper.make_graph([choose], "g", [flag, value], [out], [weight], doc_string="/home/ann")
    imports = [helper.make_opsetid(*each) for each in (("", 20), ("ai.onnx.ml", 5), ("com.microsoft", 1))]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    strip_onnx(model)
    onnx.checker.check_model(model, full_check=True)
    assert b"ann" not in model.SerializeToString()
    assert model.ir_version == 9
    assert [each.domain for each in model.opset_import] == [""]
