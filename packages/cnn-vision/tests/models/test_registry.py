"""Architectures by name, and weights that exist already: fetched (from a server in this process) or read from files."""

import argparse
import hashlib
import http.server
import io
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from torchworks.cnn_vision.models import create_model, list_models, pretrained
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.registry import FAMILIES, family_of
from torchworks.shared.config import UserError

SMALL = "mobilenet_v3_small"  # quick to build
FIRST, LAST = "features.0.0.weight", "classifier.3.weight"


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """What a file of published weights holds: 1000 classes, 3 channels, torchvision's keys."""
    torch.manual_seed(0)
    return torchvision.models.get_model(SMALL, weights=None).state_dict()


@pytest.fixture
def file(tmp_path: Path, published: dict[str, Tensor]) -> Path:
    torch.save(published, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def assert_loaded(net: nn.Module, state: dict[str, Tensor], apart_from: str = "nothing") -> None:
    for key, value in net.state_dict().items():
        assert key.startswith(apart_from) or torch.equal(value, state[key]), key


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text, "an error is one paragraph"
    return text


# --------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", [names[-1] for names in FAMILIES.values()])
def test_a_name_of_each_family_builds_a_backbone(name: str):
    with torch.device("meta"):
        net = create_model(name, num_classes=7, in_channels=1)
    assert isinstance(net, Backbone)
    assert (net.num_classes, net.in_channels) == (7, 1)


def test_torchvision_publishes_weights_of_every_listed_name_that_it_has():
    for name in set(list_models()) & set(torchvision.models.list_models(module=torchvision.models)):
        assert torchvision.models.get_model_weights(name)["DEFAULT"].url.endswith(".pth")


@pytest.mark.parametrize("name", list_models())
def test_an_unknown_option_is_named_with_the_nearest_and_all_that_the_net_has(name: str):
    text = refusal(lambda: create_model(name, in_chanels=1))
    assert f"{name} has no option 'in_chanels'. Did you mean 'in_channels'? It has: " in text
    assert "num_classes, in_channels, small_images" in text


def test_what_makes_an_architecture_is_no_option():
    assert "resnext50_32x4d has no option 'groups'" in refusal(lambda: create_model("resnext50_32x4d", groups=8))
    assert "vgg11_bn has no option 'batch_norm'" in refusal(lambda: create_model("vgg11_bn", batch_norm=False))


def test_names_are_listed_once_and_family_by_family():
    assert list_models() == [name for names in FAMILIES.values() for name in names]
    assert len(list_models()) == len(set(list_models()))


def test_options_reach_the_net():
    net = create_model("vit_b_16", small_images=True, num_classes=3, image_size=16, pool="mean")
    assert net(torch.randn(2, 3, 16, 16)).shape == (2, 3)
    assert net.forward_head(net.forward_features(torch.randn(2, 3, 16, 16))).shape == (2, 3)


def test_an_unknown_name_suggests_the_nearest_one():
    text = refusal(lambda: create_model("resnet_18"))
    assert "no model 'resnet_18'" in text
    assert "Did you mean 'resnet18'?" in text
    assert "timm:NAME" in text


def test_names_can_be_listed_without_torch():
    code = (
        "import sys; from torchworks.cnn_vision import list_models; "
        "assert list_models(); assert 'torch' not in sys.modules and 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --------------------------------------------------------------------------------------------------------- files


def test_a_file_of_torchvisions_keys_loads_whole(file: Path, published: dict[str, Tensor]):
    assert_loaded(create_model(SMALL, pretrained=file), published)
    assert_loaded(create_model(SMALL, pretrained=str(file)), published)


def as_namespace(state: dict[str, Tensor]) -> dict:
    return {"model": state, "epoch": 3, "args": argparse.Namespace(lr=0.1, name="x")}


def as_average(state: dict[str, Tensor]) -> dict:
    average = {f"module.{key}": value for key, value in state.items()} | {"n_averaged": torch.tensor(5)}
    return {"model": {key: torch.zeros_like(value) for key, value in state.items()}, "model_ema": average}


def as_lightning(state: dict[str, Tensor]) -> dict:
    return {"state_dict": {f"model.{key}": value for key, value in state.items()} | {"loss.weight": torch.ones(3)}}


def as_compiled(state: dict[str, Tensor]) -> dict:
    return {f"module._orig_mod.{key}": value for key, value in state.items()}


@pytest.mark.parametrize("wrap", [as_namespace, as_average, as_lightning, as_compiled])
def test_files_of_training_scripts_load(tmp_path: Path, published: dict[str, Tensor], wrap: Callable):
    torch.save(wrap(published), tmp_path / "checkpoint.pth")
    assert_loaded(create_model(SMALL, pretrained=tmp_path / "checkpoint.pth"), published)


def test_files_in_torchs_old_format_load(tmp_path: Path, published: dict[str, Tensor]):
    torch.save(published, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_loaded(create_model(SMALL, pretrained=tmp_path / "old.pth"), published)


def test_a_run_of_ours_loads_from_its_directory_or_its_file(tmp_path: Path):
    trained = create_model(SMALL, num_classes=4, in_channels=1, small_images=True)
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "model.safetensors"):
        net = create_model(SMALL, num_classes=4, in_channels=1, small_images=True, pretrained=path)
        assert_loaded(net, trained.state_dict())


def test_half_precision_files_load_as_float32(tmp_path: Path, published: dict[str, Tensor]):
    torch.save({key: value.half() for key, value in published.items()}, tmp_path / "half.pth")
    net = create_model(SMALL, pretrained=tmp_path / "half.pth")
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}


def test_files_from_before_batch_norm_counted_load(tmp_path: Path, published: dict[str, Tensor]):
    old = {key: value for key, value in published.items() if "num_batches_tracked" not in key}
    torch.save(old, tmp_path / "old.pth")
    assert_loaded(create_model(SMALL, pretrained=tmp_path / "old.pth"), published)


def test_the_old_keys_of_densenets_published_files_load(tmp_path: Path):
    state = create_model("densenet121", num_classes=3).state_dict()
    old = {}
    for key, value in state.items():
        for part in ("norm1", "conv1", "norm2", "conv2") if ".denselayer" in key else ():
            key = key.replace(f".{part}.", f".{part[:4]}.{part[4]}.")
        old[key] = value
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "densenet121.pth")
    assert_loaded(create_model("densenet121", num_classes=3, pretrained=tmp_path / "densenet121.pth"), state)


def test_a_vit_file_fits_another_image_size_and_has_old_keys(tmp_path: Path):
    trained = create_model("vit_b_16", small_images=True, num_classes=3).eval()
    old = {key.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): value
           for key, value in trained.state_dict().items()}  # fmt: skip
    torch.save(old, tmp_path / "vit.pth")
    net = create_model("vit_b_16", small_images=True, num_classes=3, image_size=48, pretrained=tmp_path / "vit.pth")
    x = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(net.eval()(x), trained(x))


@pytest.mark.parametrize("num_classes", [0, 10])
def test_another_number_of_classes_keeps_all_but_the_last_layer(file: Path, published: dict, num_classes: int):
    net = create_model(SMALL, num_classes=num_classes, pretrained=file)
    assert net.num_classes == num_classes
    assert_loaded(net, published, apart_from="classifier.3")


def test_a_file_without_a_classifier_leaves_a_new_one(tmp_path: Path, published: dict[str, Tensor]):
    trunk = {key: value for key, value in published.items() if not key.startswith("classifier.3")}
    torch.save(trunk, tmp_path / "trunk.pth")
    net = create_model(SMALL, pretrained=tmp_path / "trunk.pth")
    assert_loaded(net, published, apart_from="classifier.3")


def test_grey_images_get_the_answers_of_the_same_images_in_colour(file: Path):
    colour, grey = (
        create_model(SMALL, pretrained=file).eval(),
        create_model(SMALL, in_channels=1, pretrained=file).eval(),
    )
    x = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(grey(x), colour(x.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("in_channels", [2, 4, 6, 7])
def test_more_channels_repeat_the_kernels_and_keep_the_size_of_outputs(file: Path, published: dict, in_channels: int):
    net = create_model(SMALL, in_channels=in_channels, pretrained=file)
    kernels, given = net.state_dict()[FIRST], published[FIRST]
    assert_loaded(net, published, apart_from=FIRST)
    for channel in range(in_channels):
        torch.testing.assert_close(kernels[:, channel], given[:, channel % 3] * 3 / in_channels)


# -------------------------------------------------------------------------------------------- files that do not fit


def test_another_architectures_file_is_named(tmp_path: Path):
    torch.save(torchvision.models.resnet18(weights=None, num_classes=7).state_dict(), tmp_path / "mine.pth")
    text = refusal(lambda: create_model("resnet50", pretrained=tmp_path / "mine.pth"))
    assert "mine.pth does not fit resnet50" in text
    assert "165 tensors are missing (layer1.0.conv3.weight, layer1.0.bn3.weight, layer1.0.bn3.bias, …)" in text
    assert "tensors are of another shape (layer1.0.conv1.weight: 64×64×3×3 instead of 64×64×1×1, " in text
    assert "It looks like resnet18: ask for that" in text


def test_a_file_for_the_other_stem_says_which_option_to_change(tmp_path: Path):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "full.pth")
    text = refusal(lambda: create_model("resnet18", small_images=True, pretrained=tmp_path / "full.pth"))
    assert "1 tensor is of another shape (conv1.weight: 64×3×7×7 instead of 64×3×3×3)" in text
    assert "It looks like resnet18 built with small_images=False" in text


def test_a_file_of_no_architecture_of_ours_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pretrained, "list_models", lambda: [SMALL])
    torch.save({"encoder.weight": torch.ones(3, 3)}, tmp_path / "foreign.pth")
    text = refusal(lambda: create_model(SMALL, pretrained=tmp_path / "foreign.pth"))
    assert "1 tensor is unexpected (encoder.weight)" in text
    assert "like no architecture of this package" in text


def test_a_refused_file_leaves_the_net_as_it_was(tmp_path: Path, published: dict, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pretrained, "list_models", lambda: [SMALL])
    damaged = dict(published) | {"features.5.block.0.0.weight": torch.ones(2)}
    torch.save(damaged, tmp_path / "damaged.pth")
    net = create_model(SMALL)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    build = getattr(family_of(SMALL), SMALL)
    refusal(lambda: pretrained.load_pretrained(net, SMALL, tmp_path / "damaged.pth", build))
    assert_loaded(net, before)


def test_a_missing_file_says_what_to_pass(tmp_path: Path):
    text = refusal(lambda: create_model(SMALL, pretrained=tmp_path / "none.pth"))
    assert f"There is no file {tmp_path / 'none.pth'}" in text
    assert "True for torchvision's weights" in text
    assert "model.safetensors" in refusal(lambda: create_model(SMALL, pretrained=tmp_path))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.9999])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str, share: float):
    path = tmp_path / f"cut{suffix}"
    state = {"weight": torch.randn(200, 200), "bias": torch.randn(200)}
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cut short" in refusal(lambda: create_model(SMALL, pretrained=path))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"<html>Not found</html>", b"\x80\x02}q\x00.", bytes(range(256)) * 9, b"PK\x03\x04"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, suffix: str, content: bytes):
    path = tmp_path / f"page{suffix}"
    path.write_bytes(content)
    assert str(path) in refusal(lambda: create_model(SMALL, pretrained=path))


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_file_is_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable):
    monkeypatch.chdir(tmp_path)
    save({"weight": torch.ones(1), "bomb": Bomb()}, tmp_path / "bomb.pth")
    text = refusal(lambda: create_model(SMALL, pretrained=tmp_path / "bomb.pth"))
    assert "bomb.pth" in text
    assert not (tmp_path / "exploded").exists()


def test_a_whole_pickled_net_is_refused_with_the_remedy(tmp_path: Path):
    torch.save(nn.Linear(2, 2), tmp_path / "net.pth")
    text = refusal(lambda: create_model(SMALL, pretrained=tmp_path / "net.pth"))
    assert "holds more than tensors" in text
    assert "save the net's `state_dict()` alone" in text


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}, torch.ones(2)], ids=str)
def test_a_file_without_a_table_of_tensors_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "other.pth")
    assert "holds no weights" in refusal(lambda: create_model(SMALL, pretrained=tmp_path / "other.pth"))


# ------------------------------------------------------------------------------------------------------ fetching


class Server(http.server.ThreadingHTTPServer):
    """Answers every GET with `content`, or with an error `status`, after `delay` seconds."""

    content, status, delay, claimed = b"", 200, 0.0, None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.paths: list[str] = []


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        time.sleep(self.server.delay)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.claimed or len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(published: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that torchvision's weights of SMALL are fetched from, into an empty cache."""
    buffer = io.BytesIO()
    torch.save(published, buffer)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with Server() as server:
        server.content = buffer.getvalue()
        mark = hashlib.sha256(server.content).hexdigest()[:8]
        url = f"http://127.0.0.1:{server.server_port}/{SMALL}-{mark}.pth"
        monkeypatch.setattr(torchvision.models.get_model_weights(SMALL)["DEFAULT"].value, "url", url)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_published_weights_are_fetched_once(server: Server, published: dict[str, Tensor]):
    assert_loaded(create_model(SMALL, pretrained=True), published)
    net = create_model(SMALL, num_classes=10, pretrained=True)
    assert_loaded(net, published, apart_from="classifier.3")
    assert len(server.paths) == 1


def test_nothing_is_fetched_unless_asked_for(server: Server):
    create_model(SMALL)
    create_model(SMALL, pretrained=False)
    assert not server.paths


def test_without_a_network_the_remedies_are_named(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/weights-01234567.pth"
    monkeypatch.setattr(torchvision.models.get_model_weights(SMALL)["DEFAULT"].value, "url", url)
    text = refusal(lambda: create_model(SMALL, pretrained=True))
    assert f"The weights of {SMALL} could not be fetched" in text
    assert "refused" in text
    assert f"fetch {url} elsewhere and pass the file's path as `pretrained`" in text
    assert str(tmp_path / "home" / "hub" / "checkpoints") in text


def test_a_server_that_says_no_is_quoted(server: Server):
    server.status = 404
    assert "HTTP Error 404" in refusal(lambda: create_model(SMALL, pretrained=True))


def test_a_server_that_never_answers_is_not_waited_for_forever(server: Server, monkeypatch: pytest.MonkeyPatch):
    server.delay = 1.0
    monkeypatch.setattr(pretrained, "_PATIENCE", 0.2)
    assert "timed out" in refusal(lambda: create_model(SMALL, pretrained=True))
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("cut", [False, True])
def test_content_with_another_hash_is_refused_and_not_kept(server: Server, tmp_path: Path, cut: bool):
    if cut:
        server.claimed = len(server.content)
        server.content = server.content[: len(server.content) // 2]
    else:
        server.content = b"x" + server.content
    assert "came damaged" in refusal(lambda: create_model(SMALL, pretrained=True))
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_a_damaged_file_in_the_cache_is_named(server: Server, tmp_path: Path):
    create_model(SMALL, pretrained=True)
    [cached] = (path for path in (tmp_path / "home").rglob("*.pth"))
    cached.write_bytes(cached.read_bytes()[:1000])
    text = refusal(lambda: create_model(SMALL, pretrained=True))
    assert f"{cached} is damaged" in text
    assert "Delete it" in text


def test_fetched_files_are_never_unpickled(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save({"bomb": Bomb()}, buffer)
    server.content = buffer.getvalue()
    name = f"bomb-{hashlib.sha256(server.content).hexdigest()[:8]}.pth"
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    monkeypatch.setattr(torchvision.models.get_model_weights(SMALL)["DEFAULT"].value, "url", url)
    refusal(lambda: create_model(SMALL, pretrained=True))
    assert not (tmp_path / "exploded").exists()


# ---------------------------------------------------------------------------------------------------------- timm


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    assert "install the extra cnn-vision[timm]" in refusal(lambda: create_model("timm:resnet18"))


TIMM_NETS = [("resnet18", True), ("mobilenetv3_small_050", True), ("convnext_atto", True)]
TIMM_NETS += [("vit_tiny_patch16_224", False), ("swin_tiny_patch4_window7_224", True), ("regnetx_002", True)]


@pytest.mark.parametrize(("name", "head_reads_the_map"), TIMM_NETS)
def test_nets_of_timm_keep_the_interface(name: str, head_reads_the_map: bool):
    pytest.importorskip("timm")
    net = create_model(f"timm:{name}", num_classes=7, in_channels=1).eval()
    x = torch.randn(2, 1, 224, 224)
    with torch.no_grad():
        maps, features, logits = net.forward_pyramid(x), net.forward_features(x), net(x)
    assert [(m.shape[1], 224 // m.shape[2]) for m in maps] == [(level.channels, level.stride) for level in net.pyramid]
    assert torch.equal(maps[-1], features)
    assert features.shape[1] == net.num_features
    assert logits.shape == (2, 7)
    if head_reads_the_map:
        torch.testing.assert_close(net.forward_head(features), logits)
    else:
        with pytest.raises(ValueError, match="reads tokens"):
            net.forward_head(features)
    net.reset_classifier(3)
    assert net(x).shape == (2, 3)
    net.reset_classifier(0)
    assert net(x).ndim == 2


def test_a_net_of_timm_reads_its_own_files_and_our_runs(tmp_path: Path):
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("resnet18").state_dict()
    torch.save(theirs, tmp_path / "theirs.pth")
    net = create_model("timm:resnet18", num_classes=4, in_channels=1, pretrained=tmp_path / "theirs.pth")
    assert torch.equal(net.model.layer4[1].conv2.weight, theirs["layer4.1.conv2.weight"])
    torch.testing.assert_close(net.model.conv1.weight, theirs["conv1.weight"].sum(1, keepdim=True))
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    again = create_model("timm:resnet18", num_classes=4, in_channels=1, pretrained=tmp_path)
    assert_loaded(again, net.state_dict())


def test_an_unknown_name_of_timm_suggests_the_nearest_one():
    pytest.importorskip("timm")
    assert "Did you mean 'resnet50d'?" in refusal(lambda: create_model("timm:resnet50_d"))
    assert "no model 'hf_hub:timm/resnet18'" in refusal(lambda: create_model("timm:hf_hub:timm/resnet18"))


def test_an_unknown_option_of_timm_is_named():
    pytest.importorskip("timm")
    assert "timm:resnet18 does not take one of the options bogus" in refusal(
        lambda: create_model("timm:resnet18", bogus=1)
    )


def test_timm_has_no_stem_for_small_images():
    pytest.importorskip("timm")
    assert "no stem for small images" in refusal(lambda: create_model("timm:resnet18", small_images=True))


def test_timms_weights_that_cannot_be_fetched_are_one_error(monkeypatch: pytest.MonkeyPatch):
    timm = pytest.importorskip("timm")

    def unreachable(name: str, **options: object) -> None:
        raise OSError("We couldn't connect to the hub.\nCheck your connection.")

    monkeypatch.setattr(timm, "create_model", unreachable)
    text = refusal(lambda: create_model("timm:resnet18", pretrained=True))
    assert "timm's weights of resnet18 could not be fetched: We couldn't connect to the hub. Check" in text


def test_a_net_of_timm_without_maps_in_between_gives_the_last_one():
    pytest.importorskip("timm")
    from torchworks.cnn_vision.models.timm_model import TimmBackbone

    info = [{"num_chs": 4, "reduction": 2}, {"num_chs": 8, "reduction": 4}]
    conv = nn.Conv2d(3, 8, 4, 4)
    plain = SimpleNamespace(num_classes=0, num_features=8, feature_info=info, forward_features=conv)
    net = TimmBackbone(plain, 3)
    assert [(level.channels, level.stride) for level in net.pyramid] == [(8, 4)]
    assert [m.shape for m in net.forward_pyramid(torch.randn(1, 3, 16, 16))] == [(1, 8, 4, 4)]
