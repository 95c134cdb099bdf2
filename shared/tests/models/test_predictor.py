"""A saved model is whole, verified and replays its golden example, or it is refused with the reason."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import nn

from torchworks.shared.config import UserError, from_dict, to_dict
from torchworks.shared.data import TensorDataset
from torchworks.shared.models import predictor as predict
from torchworks.shared.models.manifest import sha256
from torchworks.shared.models.predictor import (
    Predictor,
    Signature,
    TensorSpec,
    check_golden,
    load_predictor,
    read_files,
    read_manifest,
    samples_of,
    save_model,
)
from torchworks.shared.training.guard import TrainingFailed

STRANGER = """
import torch
from torch import nn
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

LABELS = tuple("0123456789")

class Reader(Predictor):
    "Reads a digit: grey values to probabilities, and the likeliest label."

    def __init__(self, width):
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 10))
        image = TensorSpec("image", "image", "uint8", ("N", 1, 8, 8), low=0, high=255)
        outputs = (
            TensorSpec("probabilities", "probabilities", "float32", ("N", 10), 0, 1, LABELS),
            TensorSpec("label", "label", "int64", ("N",), 0, 9),
        )
        super().__init__(net, Signature((image,), outputs))

    def forward(self, image):
        probabilities = self.net(image.float() / 255).softmax(1)
        return probabilities, probabilities.argmax(1)

def build(config):
    return Reader(config["width"])

def build_with_files(config, files):
    reader = Reader(config["width"])
    assert files["words.txt"] == b"zero one"
    reader.words = files["words.txt"].split()
    return reader

def build_forgetful(config):
    "Ignores part of what was saved: its activation is another one."
    reader = Reader(config["width"])
    reader.net[3] = nn.Tanh()
    return reader

def build_other(config):
    reader = Reader(config["width"])
    reader.signature = Signature(reader.signature.inputs, ())
    return reader
"""


@pytest.fixture(autouse=True)
def stranger(tmp_path, monkeypatch):
    """An installed package that offers builders, as a stranger's would."""
    place = tmp_path / "site"
    info = place / "reader-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "reader_of_a_stranger.py").write_text(STRANGER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reader\nVersion: 1.0\n")
    names = {"reader": "build", "forgetful": "build_forgetful", "other": "build_other", "filed": "build_with_files"}
    points = [f"{name} = reader_of_a_stranger:{function}" for name, function in names.items()]
    (info / "entry_points.txt").write_text("\n".join(["[torchworks.builders]", *points]))
    monkeypatch.syspath_prepend(place)


def digits(n: int = 4) -> dict[str, torch.Tensor]:
    images = torch.from_numpy(load_digits().images[:n] * 255 / 16).to(torch.uint8)
    return {"image": images[:, None]}


def reader(width: int = 12) -> Predictor:
    from reader_of_a_stranger import Reader  # ty: ignore[import-not-found]

    torch.manual_seed(0)
    return Reader(width)


def save(folder: Path, predictor: Predictor | None = None, **changes) -> Path:
    folder.mkdir(exist_ok=True)
    options = {
        "package": "readers",
        "recipe": "plain",
        "builder": "reader",
        "config": {"width": 12},
        "golden": digits(),
    }
    preprocessing = {"scale": 255, "order": ["image"]}
    options |= {"preprocessing": preprocessing, "labels": tuple("0123456789")} | changes
    save_model(folder, predictor or reader(), **options)
    return folder


@pytest.fixture
def saved(tmp_path) -> Path:
    return save(tmp_path / "run")


def change(folder: Path, edit) -> None:
    path = folder / "model.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


# -------------------------------------------------------------------------------------------- round trip


def test_a_saved_model_answers_as_the_one_that_was_saved(tmp_path):
    ours = reader()
    ours.net.train()(torch.rand(32, 1, 8, 8))  # running statistics belong to it too
    folder = save(tmp_path / "run", ours)
    loaded = load_predictor(folder)
    assert not loaded.training
    inputs = digits(20)
    for name, value in ours.predict(inputs).items():
        assert torch.equal(loaded.predict(inputs)[name], value)
    assert check_golden(folder) == 0.0


def test_the_manifest_says_all_that_a_service_needs(saved):
    manifest = read_manifest(saved)
    assert (manifest.package, manifest.recipe, manifest.builder) == ("readers", "plain", "reader")
    assert manifest.config == {"width": 12}
    assert manifest.preprocessing == {"scale": 255, "order": ["image"]}
    assert manifest.labels == tuple("0123456789")
    assert manifest.signature == reader().signature
    assert {entry.name: entry.sha256 for entry in manifest.files} == {
        name: sha256(saved / name) for name in ("model.safetensors", "golden.safetensors")
    }


def test_the_weights_have_the_net_s_plain_keys(saved):
    assert load_file(saved / "model.safetensors").keys() == reader().net.state_dict().keys()


def test_saving_leaves_only_the_three_files_and_the_model_as_it_was(tmp_path):
    ours = reader().train()
    folder = save(tmp_path / "run", ours)
    assert sorted(path.name for path in folder.iterdir()) == ["golden.safetensors", "model.json", "model.safetensors"]
    assert ours.training


def test_further_files_are_kept_with_their_hash_and_given_to_a_builder_that_takes_them(tmp_path):
    folder = save(tmp_path / "run", builder="filed", files={"words.txt": b"zero one"})
    assert load_predictor(folder).words == [b"zero", b"one"]
    assert read_files(folder) == {"words.txt": b"zero one"}
    assert [entry.name for entry in read_manifest(folder).extra] == ["words.txt"]
    (folder / "words.txt").write_bytes(b"zero two")
    with pytest.raises(UserError, match=r"words\.txt is not the file that was saved"):
        load_predictor(folder)


@pytest.mark.parametrize("name", ["model.json", "CONFIG.json", "serving.json", "../words.txt", "a/b"])
def test_further_files_take_no_name_of_another_file(tmp_path, name):
    with pytest.raises(UserError, match=r"file name|a file called"):
        save(tmp_path / "run", files={name: b""})
    assert not list((tmp_path / "run").iterdir())


def test_tied_and_transposed_weights_are_saved_too(tmp_path):
    ours = reader(64)
    ours.net[1].weight = nn.Parameter(torch.randn(64, 64).T)
    folder = save(tmp_path / "run", ours, config={"width": 64})
    assert torch.equal(load_predictor(folder).net[1].weight, ours.net[1].weight)


def test_a_loaded_predictor_exports_whole(saved):
    program = torch.export.export(load_predictor(saved), (digits()["image"],))
    assert torch.equal(program.module()(digits()["image"])[1], load_predictor(saved).predict(digits())["label"])


# ----------------------------------------------------------------------------------- refused when saving


def test_a_model_whose_builder_does_not_rebuild_it_is_not_written(tmp_path):
    with pytest.raises(UserError, match=r"does not replay its golden example: 'probabilities' differs by .*0\.0001"):
        save(tmp_path / "run", builder="forgetful")
    assert not list((tmp_path / "run").iterdir())


def test_a_failed_save_keeps_the_model_that_was_there(saved):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with pytest.raises(UserError, match="golden"):
        save(saved, builder="forgetful")
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"builder": "Reader!"}, r"builder 'Reader!' must be"),
        ({"builder": "../reader"}, r"builder '\.\./reader' must be"),
        ({"package": "a/b"}, "package 'a/b' must be"),
        ({"recipe": "plain\n"}, "recipe 'plain\n' must be"),
        ({"builder": "raeder"}, r"offers the builder 'raeder'\. Did you mean 'reader'\?.*package 'readers'"),
        ({"builder": "other"}, "another signature"),
        ({"config": {"wide": 12}}, r"cannot use the configuration.*KeyError\('width'\)"),
        ({"config": {"width": 13}}, "weights .*do not fit"),
        ({"golden": {}}, r"'image' \(image\) is missing"),
        ({"golden": {"image": torch.zeros(1, 1, 8, 8)}}, "must be uint8, but it is float32"),
    ],
)
def test_a_model_that_could_not_be_loaded_is_not_written(tmp_path, changes, named):
    with pytest.raises(UserError, match=named):
        save(tmp_path / "run", **changes)
    assert not list((tmp_path / "run").iterdir())


def test_outputs_outside_the_signature_are_found_when_saving(tmp_path):
    class Wild(type(reader())):
        def forward(self, image):
            probabilities, label = super().forward(image)
            return probabilities * 30, label

    with pytest.raises(UserError, match=r"'probabilities' must be at most 1, but it holds"):
        save(tmp_path / "run", Wild(12))


def test_a_full_disk_is_a_failure_that_harms_nothing(saved, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = (saved / "model.json").read_bytes()
    monkeypatch.setattr("torchworks.shared.models.predictor.write_tensors", full)
    with pytest.raises(TrainingFailed, match="No space left on device"):
        save(saved)
    assert (saved / "model.json").read_bytes() == before
    check_golden(saved)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_model_can_be_read_by_whom_the_umask_lets_read(tmp_path, umask):
    before = os.umask(umask)
    try:
        folder = save(tmp_path / "run")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o666 & ~umask}


# ---------------------------------------------------------------------------------- refused when loading


def set_key(*path):
    *way, last, value = path

    def edit(values):
        for key in way:
            values = values[key]
        values[last] = value

    return edit


def without(key):
    return lambda values: values.pop(key)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (set_key("format", 99), "has format 99, but this version reads format 1: update"),
        (set_key("format", "1"), "format should be int"),
        (without("format"), "lacks the field 'format'"),
        (without("signature"), "lacks the field 'signature'"),
        (without("files"), "lacks the field 'files'"),
        (set_key("files", []), r"does not name model\.safetensors"),
        (set_key("signature", "inputs", 0, "shape", 1, 3.5), r"inputs\[0\]\.shape\[1\] should be int"),
        (set_key("signature", "inputs", 0, "shape", 1, 0), "sizes are names or numbers from 1 on"),
        (set_key("signature", "inputs", 0, "shape", 1, 3), "another signature"),
        (set_key("signature", "inputs", 0, "dtype", "float8"), "dtype should be 'float32'"),
        (set_key("builder", "os.system"), r"offers the builder 'os\.system'"),
        (set_key("builder", "a:b"), "builder 'a:b' must be"),
        (set_key("files", 0, "name", "../model.safetensors"), "file name .* must be"),
        (set_key("files", 0, "name", "/etc/passwd"), "file name .* must be"),
        (set_key("files", 0, "name", "a\\b"), "file name .* must be"),
        (set_key("files", 0, "name", ".."), "file name .* must be"),
        (set_key("files", 0, "sha256", "0" * 64), "is not the file that was saved"),
        (set_key("config", "width", 13), "do not fit"),
        (set_key("config", "width", "wide"), "cannot use the configuration"),
        (set_key("config", "width", -1), "cannot use the configuration"),
        (set_key("surprise", 1), "unknown field 'surprise'"),
    ],
)
def test_a_damaged_or_forged_manifest_is_refused_with_the_reason(saved, edit, named):
    change(saved, edit)
    with pytest.raises(UserError, match=named):
        load_predictor(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"format": 1'])
def test_a_manifest_cut_short_is_refused(saved, text):
    (saved / "model.json").write_text(text)
    with pytest.raises(UserError, match=r"model\.json"):
        load_predictor(saved)


def test_a_manifest_cut_at_any_byte_is_refused(saved):
    whole = (saved / "model.json").read_bytes().rstrip()
    for end in range(0, len(whole), 37):
        (saved / "model.json").write_bytes(whole[:end])
        with pytest.raises(UserError):
            load_predictor(saved)


def test_a_folder_without_a_model_says_what_to_name_instead(tmp_path):
    with pytest.raises(UserError, match="Name the directory of a finished run"):
        load_predictor(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.safetensors", "golden.safetensors"])
def test_a_file_missing_cut_or_changed_is_refused(saved, name):
    content = (saved / name).read_bytes()
    for damaged in (content[:-7], content[:-1] + bytes([content[-1] ^ 1]), b""):
        (saved / name).write_bytes(damaged)
        with pytest.raises(UserError, match=f"{name} is not the file that was saved"):
            load_predictor(saved)
    (saved / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        load_predictor(saved)


def resign(folder: Path) -> None:
    """Make the manifest vouch for the files as they are now."""

    def edit(values):
        for entry in values["files"]:
            path = folder / entry["name"]
            entry.update(bytes=path.stat().st_size, sha256=sha256(path))

    change(folder, edit)


@pytest.mark.parametrize("key", ["1.weight", "2.running_mean"])
def test_weights_are_loaded_strictly(saved, key):
    weights = load_file(saved / "model.safetensors")
    for changed in (
        {name: value for name, value in weights.items() if name != key},
        {**weights, "extra": torch.zeros(1)},
        {**weights, key: torch.zeros(3, 3)},
    ):
        save_file(changed, saved / "model.safetensors")
        resign(saved)
        with pytest.raises(UserError, match="do not fit the model"):
            load_predictor(saved)


def test_a_weights_file_of_another_kind_is_refused(saved):
    (saved / "model.safetensors").write_bytes(b"not a tensor in sight")
    resign(saved)
    with pytest.raises(UserError, match="is not a safetensors file"):
        load_predictor(saved)


def test_weights_that_changed_do_not_replay_the_golden_example(saved):
    weights = load_file(saved / "model.safetensors")
    save_file({**weights, "4.bias": weights["4.bias"] + torch.arange(10) / 100}, saved / "model.safetensors")
    resign(saved)
    load_predictor(saved)
    with pytest.raises(UserError, match="'probabilities' differs by"):
        check_golden(saved)


@pytest.mark.parametrize("key", ["input.image", "output.label", "output.probabilities"])
def test_an_incomplete_golden_example_is_refused(saved, key):
    golden = load_file(saved / "golden.safetensors")
    save_file({name: value for name, value in golden.items() if name != key}, saved / "golden.safetensors")
    resign(saved)
    with pytest.raises(UserError, match=key.partition(".")[2]):
        check_golden(saved)


def test_a_package_that_is_not_installed_is_named(saved, monkeypatch):
    monkeypatch.setattr("torchworks.shared.models.predictor.entry_points", lambda group: [])
    with pytest.raises(UserError, match=r"Install the package 'readers'.*installed builders: none"):
        load_predictor(saved)


# -------------------------------------------------------------------------------------------- signatures

MIX = Signature(
    inputs=(
        TensorSpec("latent", "latent", "float32", ("N", 4), low=-3, high=3),
        TensorSpec("label", "label", "int64", ("N",), low=0, high=9),
        TensorSpec("square", "image", "float32", ("N", 1, "S", "S")),
    ),
    outputs=(TensorSpec("image", "image", "float32", ("N", 1, "S", "S"), low=0, high=1),),
)


def tensors(**changes) -> dict[str, torch.Tensor]:
    good = {"latent": torch.zeros(2, 4), "label": torch.tensor([0, 9]), "square": torch.zeros(2, 1, 5, 5)}
    return good | changes


def test_fitting_tensors_give_their_named_sizes():
    assert MIX.check(tensors()) == {"N": 2, "S": 5}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"latent": torch.zeros(2, 4).double()}, "'latent' must be float32, but it is float64"),
        ({"latent": torch.zeros(2, 5)}, r"'latent' must have the shape \(N, 4\), but it has \(2, 5\)"),
        ({"latent": torch.zeros(2)}, r"'latent' must have the shape \(N, 4\), but it has \(2\)"),
        ({"label": torch.tensor([1, 2, 3])}, r"'label' must have the shape \(N\) with N = 2, but it has \(3\)"),
        ({"label": torch.tensor([0, 10])}, "'label' must be at most 9, but it holds 10"),
        ({"label": torch.tensor([-1, 0])}, "'label' must be at least 0, but it holds -1"),
        ({"latent": torch.full((2, 4), 3.01)}, "at most 3, but it holds 3.01"),
        ({"latent": torch.full((2, 4), float("nan"))}, "not finite"),
        ({"latent": torch.full((2, 4), float("-inf"))}, "not finite"),
        ({"square": torch.zeros(2, 1, 5, 6)}, r"\(N, 1, S, S\) with S = 5, but it has \(2, 1, 5, 6\)"),
        ({"square": torch.zeros(2, 1, 0, 0)}, "holds nothing"),
        ({"latnet": torch.zeros(2, 4)}, r"no tensor 'latnet' in the signature\. Did you mean 'latent'"),
    ],
)
def test_each_misfit_is_named_with_value_and_limit(changes, named):
    with pytest.raises(UserError, match=named):
        MIX.check(tensors(**changes))


def test_a_missing_tensor_is_named():
    given = tensors()
    del given["label"]
    with pytest.raises(UserError, match=r"'label' \(label\) is missing; given are \['latent', 'square'\]"):
        MIX.check(given)


def test_outputs_share_the_inputs_sizes():
    sizes = MIX.check(tensors())
    MIX.check_outputs({"image": torch.zeros(2, 1, 5, 5)}, sizes)
    with pytest.raises(UserError, match="with N = 2"):
        MIX.check_outputs({"image": torch.zeros(3, 1, 5, 5)}, sizes)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"])
def test_every_dtype_can_be_checked(dtype):
    spec = TensorSpec("x", "features", dtype, ("N",), low=0, high=1)
    spec.check(torch.ones(3).to(getattr(torch, dtype)), {})


def test_a_signature_survives_json():
    for signature in (MIX, TEXT):
        assert from_dict(Signature, json.loads(json.dumps(to_dict(signature)))) == signature


def test_a_manifest_from_before_largest_sizes_defaults_and_padding_is_read():
    saved = to_dict(MIX)
    del saved["most"]
    for spec in (*saved["inputs"], *saved["outputs"]):
        del spec["default"], spec["pad"]
    assert from_dict(Signature, saved) == MIX


TEXT = Signature(
    inputs=(
        TensorSpec("tokens", "tokens", "int64", ("N", "T"), low=0, pad=0),
        TensorSpec("temperature", "features", "float32", ("N",), low=0, default=1),
    ),
    outputs=(TensorSpec("score", "features", "float32", ("N", "T")),),
    most={"T": 64},
)


def test_a_size_beyond_its_largest_value_is_named_with_both():
    ones = torch.ones(2)
    assert TEXT.check({"tokens": torch.ones(2, 64).long(), "temperature": ones}) == {"N": 2, "T": 64}
    with pytest.raises(UserError, match=r"'tokens' \(N, T\) has T = 65, but T may be 64 at most"):
        TEXT.check({"tokens": torch.ones(2, 65).long(), "temperature": ones})


@pytest.mark.parametrize(
    ("most", "named"), [({"L": 3}, "names 'L', which is no size"), ({"T": 0}, "largest T"), ({"T": True}, "largest T")]
)
def test_a_largest_value_must_be_of_a_size_and_a_number(most, named):
    with pytest.raises(UserError, match=named):
        Signature(TEXT.inputs, TEXT.outputs, most)


def spec(name: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name, "features", "float32", shape)


@pytest.mark.parametrize(
    ("inputs", "outputs", "rows", "parts"),
    [
        ([spec("a", "N", 3)], [spec("y", "N")], "N", "N"),
        ([spec("a", "N", 3), spec("b", "M", 3)], [spec("y", "N"), spec("z", "M")], None, None),
        ([spec("a", "N", 3), spec("b", "M", 3)], [spec("y", "N", "M")], None, None),
        ([spec("a", "N", 3), spec("b", "N", 3)], [spec("y", "N", "N")], None, None),
        ([spec("a", "N", 3), spec("b", 5, 3)], [spec("y", "N", 5)], None, "N"),
        ([spec("a", "N", 3), spec("b")], [spec("y", "N")], None, "N"),
        ([spec("a", 4)], [spec("y", 4)], None, None),
    ],
)
def test_rows_are_the_first_size_that_all_have_and_none_has_twice(inputs, outputs, rows, parts):
    signature = Signature(tuple(inputs), tuple(outputs))
    assert (signature.rows_name, signature.parts_name) == (rows, parts)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"shape": ("N", 3), "pad": 0}, r"second size must be a name.*\(N, 3\)"),
        ({"shape": ("N", "T", 3), "pad": 0}, "second size must be a name"),
        ({"shape": ("N", "T"), "default": 0}, "all its sizes but the rows must be numbers"),
        ({"shape": ("N",), "default": 2, "high": 1}, "must be at most 1, but it holds 2"),
        ({"shape": ("N", "T"), "kind": "text", "dtype": "float32"}, "is a text"),
        ({"shape": ("N",), "kind": "text"}, "is a text"),
    ],
)
def test_padding_defaults_and_texts_ask_for_shapes_that_fit(options, named):
    with pytest.raises(UserError, match=named):
        TensorSpec(**{"name": "x", "kind": "tokens", "dtype": "int64"} | options)


@pytest.mark.parametrize(("name", "shape"), [("Latent", ("N",)), ("", ("N",)), ("x", (0,)), ("x", ("N M",))])
def test_an_impossible_spec_cannot_be_made(name, shape):
    with pytest.raises(UserError):
        TensorSpec(name, "features", "float32", shape)


def test_test_data_are_kept_with_a_model_evenly_spread_and_only_so_many(tmp_path, monkeypatch):
    images = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 1, 8, 8)
    dataset = TensorDataset({"image": images.clone(), "label": torch.arange(10)})
    assert samples_of(dataset)["label"].tolist() == list(range(10))
    monkeypatch.setattr(predict, "SAMPLE_BYTES", 5 * (64 + 8))
    samples = samples_of(dataset)
    assert samples["label"].tolist() == [0, 2, 4, 6, 8]

    folder = save(tmp_path / "run", samples={"image": samples["image"]}, targets={"probabilities": samples["label"]})
    kept = load_file(folder / "samples.safetensors")
    assert kept["target.probabilities"].tolist() == [0, 2, 4, 6, 8]
    assert kept["input.image"].shape == (5, 1, 8, 8)
    assert "samples.safetensors" in {entry.name for entry in read_manifest(folder).files}
