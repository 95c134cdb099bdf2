"""What a bundle claims is checked before it is used, and what could run code is not opened without being asked to."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save_file

from torchworks.serving.bundle import BUNDLE, BundleManifest, open_bundle, read_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.formats import CODE_FORMATS, MODEL_FILES
from torchworks.shared.config import UserError, from_dict, to_dict
from torchworks.shared.models.manifest import GOLDEN, FileEntry
from torchworks.shared.models.signature import Signature, TensorSpec

NUMBERS = TensorSpec("numbers", "features", "float32", ("N", 3))
TWICE = TensorSpec("twice", "features", "float32", ("N", 3))


def manifest_of(form: str, **changes) -> BundleManifest:
    values = {
        "format": 1, "name": "doubler", "version": "1", "created": "", "form": form, "legacy": False,
        "package": "doublers", "recipe": "plain", "builder": "doubler", "quantize": "", "pruned": 0.0, "source": "",
        "direction": "", "defaults": {}, "max_rows": 32, "preprocessing": {}, "labels": (), "tolerance": 1e-4,
        "score": "", "scored": 0, "scores": {}, "parity": {}, "machine": "", "data": (), "versions": {},
        "instructions": (), "files": (),
    }  # fmt: skip
    return BundleManifest(signature=Signature((NUMBERS,), (TWICE,)), **values | changes)


def write(folder: Path, form: str, content: bytes, **changes) -> Path:
    """A bundle with `content` as its model."""
    folder.mkdir()
    (folder / MODEL_FILES[form]).write_bytes(content)
    numbers = np.ones((2, 3), np.float32)
    save_file({"input.numbers": numbers, "output.twice": 2 * numbers}, folder / GOLDEN)
    files = tuple(FileEntry.of(path) for path in sorted(folder.iterdir()))
    (folder / BUNDLE).write_text(json.dumps(to_dict(manifest_of(form, files=files, **changes))))
    return folder


def doubler(factor: float = 2.0) -> bytes:
    """An ONNX model that multiplies."""
    onnx = pytest.importorskip("onnx", reason="exporting needs serving[export]")
    kinds = [onnx.helper.make_tensor_value_info(name, 1, ["N", 3]) for name in ("numbers", "twice")]
    constant = onnx.helper.make_tensor("factor", 1, [], [factor])
    node = onnx.helper.make_node("Mul", ["numbers", "factor"], ["twice"])
    graph = onnx.helper.make_graph([node], "doubler", kinds[:1], kinds[1:], [constant])
    opset = onnx.helper.make_opsetid("", 20)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


def test_a_manifest_survives_being_written():
    manifest = manifest_of("onnx", defaults={"latent": "normal"}, instructions=("avx2",))
    assert from_dict(BundleManifest, json.loads(json.dumps(to_dict(manifest)))) == manifest


def test_a_whole_bundle_opens_and_replays_its_golden_example(tmp_path):
    bundle = open_bundle(write(tmp_path / "bundle", "onnx", doubler()))
    assert check_golden(bundle, open_engine(bundle)) == 0


def test_a_golden_example_that_is_not_replayed_is_refused(tmp_path):
    bundle = open_bundle(write(tmp_path / "bundle", "onnx", doubler(2.1)))
    with pytest.raises(UserError, match=r"does not replay its golden example: 'twice' differs by 0\.1"):
        check_golden(bundle, open_engine(bundle))


def test_a_model_that_answers_with_nan_is_refused(tmp_path):
    bundle = open_bundle(write(tmp_path / "bundle", "onnx", doubler(float("nan"))))
    with pytest.raises(UserError, match="does not replay"):
        check_golden(bundle, open_engine(bundle))


def test_a_file_that_onnx_runtime_cannot_read_is_refused_in_a_sentence(tmp_path):
    bundle = open_bundle(write(tmp_path / "bundle", "onnx", b"no model"))
    with pytest.raises(UserError, match=r"ONNX Runtime cannot open .*model\.onnx"):
        open_engine(bundle)


def test_a_device_that_onnx_runtime_is_not_built_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    bundle = open_bundle(write(tmp_path / "bundle", "onnx", doubler()))
    with pytest.raises(UserError, match=r"built without CUDA\. Install onnxruntime-gpu in the place of onnxruntime"):
        open_engine(bundle, device="cuda")


def test_a_device_that_onnx_runtime_cannot_start_is_not_replaced_by_the_processor(tmp_path, monkeypatch):
    """ONNX Runtime itself opens the model on the processor then, and only prints that it did."""
    opened = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, **_: opened(path, options, providers=["CPUExecutionProvider"]),
    )
    bundle = open_bundle(write(tmp_path / "bundle", "onnx", doubler()))
    with pytest.raises(UserError, match="could not start it"):
        open_engine(bundle, device="cuda")


@pytest.mark.parametrize("form", ["safetensors", *CODE_FORMATS])
def test_a_device_that_pytorch_does_not_find_is_refused(tmp_path, monkeypatch, form):
    torch_engine = pytest.importorskip("torchworks.serving.torch_engine")
    monkeypatch.setattr(torch_engine, "without_cuda", lambda: "there is none")
    bundle = open_bundle(write(tmp_path / "bundle", form, b"whatever"))
    with pytest.raises(UserError, match=r"cannot be used: there is none\. Use --device cpu"):
        open_engine(bundle, device="cuda", trust_code=True)


@pytest.mark.parametrize("name", ["model.onnx", GOLDEN])
def test_a_changed_byte_is_noticed_before_anything_is_opened(tmp_path, monkeypatch, name):
    folder = write(tmp_path / "bundle", "onnx", doubler())
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_: pytest.fail("opened"))
    with pytest.raises(UserError, match="is not the file that was saved"):
        open_bundle(folder)


def test_a_bundle_that_does_not_name_its_model_is_refused(tmp_path):
    folder = write(tmp_path / "bundle", "onnx", doubler())
    values = json.loads((folder / BUNDLE).read_text())
    values["files"] = [entry for entry in values["files"] if entry["name"] != "model.onnx"]
    (folder / BUNDLE).write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"does not name model\.onnx"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "sub/model.onnx"])
def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path, name):
    folder = write(tmp_path / "bundle", "onnx", doubler())
    values = json.loads((folder / BUNDLE).read_text())
    values["files"][0]["name"] = name
    (folder / BUNDLE).write_text(json.dumps(values))
    with pytest.raises(UserError, match="must be lower-case letters"):
        read_bundle(folder)


def test_a_folder_without_a_bundle_and_a_newer_format_are_told_apart(tmp_path):
    with pytest.raises(UserError, match=r"There is no bundle in .*`serving export RUN`"):
        read_bundle(tmp_path)
    (tmp_path / BUNDLE).write_text(json.dumps({"format": 2}))
    with pytest.raises(UserError, match="has format 2, but this version reads format 1"):
        read_bundle(tmp_path)
    (tmp_path / BUNDLE).write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("name", ["", "Name", "../x", "a" * 65])
def test_a_models_name_can_stand_in_an_address(name):
    with pytest.raises(UserError, match="name"):
        manifest_of("onnx", name=name)


# ---- forms that can run code -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", CODE_FORMATS)
def test_a_form_that_can_run_code_is_opened_only_when_asked_to(tmp_path, form):
    bundle = open_bundle(write(tmp_path / "bundle", form, b"whatever"))
    with pytest.raises(UserError, match=f"has the format {form}, .* add --trust-code"):
        open_engine(bundle)


@pytest.mark.parametrize("form", CODE_FORMATS)
def test_a_program_that_was_changed_is_refused_before_it_is_opened(tmp_path, monkeypatch, form):
    """Even when it was changed after the bundle was verified."""
    torch_engine = pytest.importorskip("torchworks.serving.torch_engine")
    bundle = open_bundle(write(tmp_path / "bundle", form, b"whatever"))
    bundle.model.write_bytes(b"whatevEr")
    monkeypatch.setitem(torch_engine.OPENERS, form, lambda *_: pytest.fail("opened"))
    with pytest.raises(UserError, match="its SHA-256 differs, so it was not opened"):
        open_engine(bundle, trust_code=True)


@pytest.mark.parametrize("form", CODE_FORMATS)
def test_a_program_that_does_not_open_is_one_paragraph(tmp_path, form):
    pytest.importorskip("torch")
    bundle = open_bundle(write(tmp_path / "bundle", form, b"whatever", versions={"torch": "2.11.0"}))
    with pytest.raises(UserError, match=r"cannot open .* which torch 2\.11\.0 made"):
        open_engine(bundle, trust_code=True)


def test_compiled_code_is_not_opened_on_a_processor_that_cannot_run_it(tmp_path):
    pytest.importorskip("torch")
    bundle = open_bundle(write(tmp_path / "bundle", "aoti", b"whatever", instructions=("avx1024",)))
    with pytest.raises(UserError, match="instructions that this one lacks: avx1024"):
        open_engine(bundle, trust_code=True)
