"""Detectors and segmenters by name, and weights that exist already: fetched (from a server in this process) or from
files."""

import hashlib
import http.server
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from torchworks.cnn_vision.models.dense import (
    PUBLISHED,
    create_detector,
    create_segmenter,
    list_detectors,
    list_segmenters,
)
from torchworks.shared.config import UserError
from torchworks.shared.testing import randomize

DEEPLAB = "deeplabv3_mobilenet_v3_large"  # the smallest file
NAMES = [*list_detectors(), *list_segmenters()]


def create(name: str, **options: object) -> nn.Module:
    return (create_detector if name in list_detectors() else create_segmenter)(name, **options)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text, "an error is one paragraph"
    return text


def in_torchvision(name: str) -> nn.Module:
    """As torchvision builds it for its published weights, with random ones."""
    options = {"aux_loss": True} if name.startswith("deeplab") else {}
    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None, weights_backbone=None, **options)


# --------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", NAMES)
def test_a_name_builds_a_net_of_so_many_classes_and_channels(name: str):
    with torch.device("meta"):
        net = create(name, num_classes=7, in_channels=1)
    assert (net.num_classes, net.in_channels) == (7, 1)


def test_names_can_be_listed_without_torch():
    code = (
        "import sys; from torchworks.cnn_vision.models.dense import list_detectors, list_segmenters; "
        "assert list_detectors() and list_segmenters(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_or_option_is_told_the_nearest():
    assert "Did you mean 'ssd300_vgg16'?" in refusal(lambda: create_detector("ssd300_vgg"))
    assert "There is no segmenter 'ssd300_vgg16'" in refusal(lambda: create_segmenter("ssd300_vgg16"))
    assert "Did you mean 'frozen_bn'?" in refusal(lambda: create_detector("fasterrcnn_resnet50_fpn", frozen=True))


def test_torchvision_publishes_weights_of_the_nets_that_are_said_to_have_them():
    for name in PUBLISHED:
        assert name in NAMES
        assert torchvision.models.get_model_weights(name)["DEFAULT"].url.endswith(".pth")
    text = refusal(lambda: create_detector("ssd_resnet20", pretrained=True))
    assert "There are no published weights of ssd_resnet20" in text


# ------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_options_for_published_weights_give_the_names_of_the_published_file(name: str):
    """Published files of R-CNNs have no counters of batch norm, as theirs is frozen."""
    with torch.device("meta"):
        ours = create(name, **PUBLISHED[name])
        theirs = in_torchvision(name).state_dict()
    frozen = any(isinstance(module, FrozenBatchNorm2d) for module in ours.modules())
    expected = [key for key in theirs if not (frozen and key.endswith("num_batches_tracked"))]
    assert list(ours.state_dict()) == expected
    assert frozen == ("rcnn" in name)
    assert all(module.eps == 0 for module in ours.modules() if isinstance(module, FrozenBatchNorm2d))


OLD = {
    "rpn.head.conv.0.0.": "rpn.head.conv.",
    "inner_blocks.0.0.": "inner_blocks.0.",
    "layer_blocks.2.0.": "layer_blocks.2.",
    "mask_head.0.0.": "mask_head.mask_fcn1.",
    "mask_head.3.0.": "mask_head.mask_fcn4.",
}
"""torchvision's present names, and those that its published files still have."""


def test_the_names_of_published_files_are_understood(tmp_path: Path):
    torch.manual_seed(0)
    net = create_detector("maskrcnn_resnet20_fpn", num_classes=4)
    state = {}
    for key, value in net.state_dict().items():
        new, old = next(((new, old) for new, old in OLD.items() if new in key), ("", ""))
        state[key.replace(new, old) if new else key] = value
    assert sum(key not in net.state_dict() for key in state) == 2 * len(OLD)
    torch.save(state, tmp_path / "old.pth")
    loaded = create_detector("maskrcnn_resnet20_fpn", num_classes=4, pretrained=tmp_path / "old.pth")
    assert_loaded(loaded, net.state_dict())


def test_weights_of_other_classes_are_taken_but_for_the_last_layers(tmp_path: Path):
    torch.manual_seed(0)
    state = create_detector("maskrcnn_resnet20_fpn", num_classes=4).state_dict()
    torch.save(state, tmp_path / "net.pth")
    net = create_detector("maskrcnn_resnet20_fpn", num_classes=7, pretrained=tmp_path / "net.pth")
    changed = frozenset(key for key, value in net.state_dict().items() if value.shape != state[key].shape)
    assert {key.rsplit(".", 1)[0] for key in changed} == {
        "roi_heads.box_predictor.cls_score",
        "roi_heads.box_predictor.bbox_pred",
        "roi_heads.mask_predictor.mask_fcn_logits",
    }
    assert_loaded(net, state, apart_from=changed)


def assert_loaded(net: nn.Module, state: dict[str, Tensor], apart_from: frozenset[str] = frozenset()) -> None:
    for key, value in net.state_dict().items():
        assert key in apart_from or torch.equal(value, state[key]), key


# ------------------------------------------------------------------------------------------------------ fetching


class Server(http.server.ThreadingHTTPServer):
    """Answers every GET with `content`."""

    content = b""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.paths: list[str] = []


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that torchvision's weights of DEEPLAB are fetched from, into an empty cache."""
    buffer = io.BytesIO()
    torch.save(randomize(in_torchvision(DEEPLAB).to_empty(device="cpu")).state_dict(), buffer)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with Server() as server:
        server.content = buffer.getvalue()
        mark = hashlib.sha256(server.content).hexdigest()[:8]
        url = f"http://127.0.0.1:{server.server_port}/{DEEPLAB}-{mark}.pth"
        monkeypatch.setattr(torchvision.models.get_model_weights(DEEPLAB)["DEFAULT"].value, "url", url)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_published_weights_are_fetched_once_and_bring_their_auxiliary_head(server: Server):
    published = torch.load(io.BytesIO(server.content), weights_only=True)
    net = create_segmenter(DEEPLAB, pretrained=True)
    assert net.aux_classifier is not None
    assert_loaded(net, published)
    assert create_segmenter(DEEPLAB, num_classes=5, pretrained=True).num_classes == 5
    assert len(server.paths) == 1


def test_content_with_another_hash_is_refused(server: Server):
    server.content = b"x" + server.content
    assert "came damaged" in refusal(lambda: create_segmenter(DEEPLAB, pretrained=True))
