"""Pretrained weights: fetched from torchvision or read from a file, and fitted to a net.

Where they come from
- `pretrained=True`: torchvision's `DEFAULT` weights of that name, the most accurate that it has. For most ResNets,
  MobileNets and EfficientNet-B1 that is `IMAGENET1K_V2`, trained with a longer recipe (76.1 → 80.9 % top-1 for
  ResNet-50); the paper's own recipe is `IMAGENET1K_V1`, whose file can be given by its path. Files are kept in
  torch.hub's cache and checked against the hash in their names when they are fetched.
- a path: `.safetensors`, or anything `torch.save` wrote that holds tensors alone. Nothing is ever unpickled.

How they are fitted
- Another number of classes: the last layer's tensors are dropped, and it stays newly initialized.
- Another number of input channels: the first convolution's kernels are summed over the input channels for gray images,
  which is exact for a gray image that would have been repeated; otherwise repeated over them and rescaled, so that the
  sum over channels, and with it the size of the outputs, stays about the same (as timm's `adapt_input_conv` does).
- Anything else that does not fit is an error, which also says whose weights the file seems to hold.

Which tensors are the last layer's and the first convolution's is not listed anywhere: they are those whose shape
changes when the net is built for another number of classes or channels, without memory, on the meta device.
"""

import argparse
import http.client
import socket
import urllib.error
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights

from torchworks.cnn_vision.models.registry import family_of, find_builder, list_models
from torchworks.shared.config import UserError

Weights = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
Build = Callable[..., nn.Module]
Change = Callable[[Weights], Weights]

_PATIENCE = 30  # seconds without an answer
_ENTRIES = ("model_ema", "state_dict_ema", "ema", "state_dict", "model", "model_state_dict", "net")
"""Where training scripts keep a net's weights; moving averages first, they are the ones meant for use."""
_PREFIXES = ("_orig_mod.", "module.", "ema_model.", "model_ema.", "ema.", "model.", "net.")
"""What wrappers (compile, data parallel, averaging, a task) put before the names of a net's weights."""


def load_pretrained(net: nn.Module, name: str, pretrained: Literal[True] | str | Path, build: Build) -> None:
    """Load torchvision's weights of `name`, or those of a file, into `net`.

    `build(num_classes=…, in_channels=…)` builds the same architecture. Raises `UserError`, and leaves `net` as it was,
    if the weights cannot be fetched or read, or are another architecture's.
    """
    path = None if pretrained is True else Path(pretrained).expanduser()
    state = read_weights(path) if path else fetch(name)
    what = str(path) if path else f"torchvision's file of {name}"
    adapt = getattr(family_of(name), "adapt_state", None)
    adapt = partial(adapt, net=net) if adapt else dict
    load_into(net, state, name=name, what=what, build=build, rename=_renaming(name), adapt=adapt)


def load_into(
    net: nn.Module, state: Weights, *, name: str, what: str, build: Build, rename: Change, adapt: Change = dict
) -> None:
    """Load `state` after `rename`, for keys that the net no longer has, and `adapt`, for shapes that options change.
    Raises `UserError` if it does not fit."""
    wanted, given = net.state_dict(), without_prefix(state, ())
    state = adapt(rename(without_prefix(state, wanted)))
    classifier, first = layers_at_the_ends(net, build)
    fitted = {key: _fit_channels(value, wanted[key]) if key in first else value for key, value in state.items()}
    if any(key not in wanted or key not in fitted or fitted[key].shape != wanted[key].shape for key in classifier):
        fitted = {key: value for key, value in fitted.items() if key not in classifier}
    misfit = compare(wanted, fitted, optional=classifier)
    if misfit:
        raise UserError(f"{what} does not fit {name}: {misfit.described()}. {_advice(given, name)}")
    net.load_state_dict({**wanted, **fitted})


# ------------------------------------------------------------------------------------------------------ fetching


def fetch(name: str) -> Weights:
    """torchvision's `DEFAULT` weights of `name`, from the network or torch.hub's cache. Raises `UserError`."""
    weights = get_model_weights(name)["DEFAULT"]
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
    with _failures_explained(name, weights.url, file), _patience():
        return weights.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)


@contextmanager
def _patience() -> Generator[None]:
    """torch.hub sets no limit on waiting and would hang forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _failures_explained(name: str, url: str, file: Path) -> Generator[None]:
    """Turn what torch.hub and the network raise into one paragraph."""
    remedy = f"fetch {url} elsewhere and pass the file's path as `pretrained`, or put it into {file.parent}"
    try:
        yield
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the server's answer itself, with a socket
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise UserError(
            f"The weights of {name} could not be fetched: {reason}. Is there a network? If not, {remedy}; "
            "`pretrained=False` starts from new weights."
        ) from error
    except OSError as error:
        raise UserError(
            f"The weights of {name} could not be kept in {file.parent}: {error}. Free disk space or fix the "
            "permissions, or set TORCH_HOME to another folder."
        ) from error
    except Exception as error:  # a damaged file: see `read_weights`
        if file.exists():
            raise UserError(f"{file} is damaged: {_one_line(error)}. Delete it, and it is fetched again.") from error
        raise UserError(
            f"The weights of {name} came damaged from {url}: {_one_line(error)}. Try again, or {remedy}."
        ) from error


# ------------------------------------------------------------------------------------------------------- reading


def read_weights(path: Path) -> Weights:
    """The tensors in a file, or in `model.safetensors` of a run's directory, by name. Raises `UserError` for a file
    that is missing, cut short, or no file of weights."""
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():
        raise UserError(
            f"There is no file {path}. `pretrained` is True for torchvision's weights, or the path of a .safetensors "
            "or .pth file, or of a run's directory."
        )
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    state = tensors_of(content)
    if not state:
        raise UserError(
            f"{path} holds no weights: there is no table of tensors in it. Save the net's `state_dict()` and pass that "
            "file."
        )
    return state


def _read_safetensors(path: Path) -> Weights:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} cannot be read: {_one_line(error)}. It is cut short or no safetensors file; copy or fetch it "
            "again."
        ) from error


def _read_pth(path: Path) -> Any:
    """`argparse.Namespace`, a bag of options that training scripts save beside the weights, is all that is let
    through besides tensors and plain data."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the bytes are a stranger's: what torch.load raises for them has no end
        if "weights_only" in str(error).lower() and "GLOBAL" in str(error):
            raise UserError(
                f"{path} holds more than tensors, and reading it could run a stranger's code. Where you trust it, read "
                "it once with the program that wrote it, save the net's `state_dict()` alone, and pass that file."
            ) from error
        raise UserError(
            f"{path} cannot be read: {_one_line(error)}. It is cut short or no file of weights; copy or fetch it again."
        ) from error


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")


def tensors_of(content: Any) -> Weights:
    """The table of tensors in what a file held, also if it lies under one of the usual names."""
    if not isinstance(content, Mapping):
        return {}
    for entry in _ENTRIES:
        if isinstance(content.get(entry), Mapping):
            return tensors_of(content[entry])
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def without_prefix(state: Weights, wanted: Collection[str]) -> Weights:
    """`state` without what wrappers put before its names, and without tensors outside of the wrapper. A table of which
    some name is `wanted` stays as it is."""
    for prefix in _PREFIXES:
        if not any(key in wanted for key in state) and any(key.startswith(prefix) for key in state):
            inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            return without_prefix(inside, wanted)
    return state


# ------------------------------------------------------------------------------------------------------- fitting


def layers_at_the_ends(net: Any, build: Build) -> tuple[set[str], set[str]]:
    """Names of the tensors that depend on the number of classes, and of those that depend on the input channels."""
    own, classes, channels = shapes_of(net.state_dict()), net.num_classes, net.in_channels
    more_classes = shapes_without_memory(partial(build, num_classes=classes + 1, in_channels=channels))
    more_channels = shapes_without_memory(partial(build, num_classes=classes, in_channels=channels + 1))
    return _differing(own, more_classes), _differing(own, more_channels)


def _differing(a: Shapes, b: Shapes) -> set[str]:
    return {key for key in a.keys() | b.keys() if a.get(key) != b.get(key)}


def shapes_of(state: Mapping[str, Tensor]) -> Shapes:
    return {key: tuple(value.shape) for key, value in state.items()}


def shapes_without_memory(build: Build) -> Shapes:
    """Names and shapes of the net that `build` makes, which takes no memory for it."""
    with torch.device("meta"):
        return shapes_of(build().state_dict())


def _renaming(name: str) -> Change:
    """What a family does to the keys of files older than its present names (`rename_old_keys`), or nothing."""
    return getattr(family_of(name), "rename_old_keys", dict)


def _fit_channels(kernels: Tensor, like: Tensor) -> Tensor:
    """Kernels (out, in, h, w) of a first convolution for `like`'s number of input channels."""
    if kernels.ndim != 4 or kernels.shape[1] == like.shape[1]:
        return kernels
    found, wanted = kernels.shape[1], like.shape[1]
    if wanted == 1:
        return kernels.float().sum(1, keepdim=True)
    repeated = kernels.float().repeat(1, -(-wanted // found), 1, 1)[:, :wanted]
    return repeated * (found / wanted)


# ----------------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class Misfit:
    """What keeps a table of weights from loading, each name with what is wrong."""

    missing: list[str]
    unexpected: list[str]
    misshaped: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshaped)

    def described(self) -> str:
        """'3 tensors are missing (a, b, c), 1 has another shape (d: 3×3 instead of 7×7)'."""
        kinds = (
            (self.missing, "missing"),
            (self.unexpected, "unexpected"),
            (self.misshaped, "of another shape"),
        )
        return ", ".join(
            f"{len(names)} {'tensor is' if len(names) == 1 else 'tensors are'} {kind} ({_first(names)})"
            for names, kind in kinds
            if names
        )


def compare(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], optional: Collection[str] = ()) -> Misfit:
    """The difference of `found` from `wanted`. Counters of batch norm may be missing, as in files of before 2018."""
    counters = {key for key in wanted if key.endswith(".num_batches_tracked")}
    missing = [key for key in wanted if key not in found and key not in optional and key not in counters]
    unexpected = [key for key in found if key not in wanted]
    misshaped = [
        f"{key}: {_shape(found[key])} instead of {_shape(wanted[key])}"
        for key in wanted
        if key in found and found[key].shape != wanted[key].shape
    ]
    return Misfit(missing, unexpected, misshaped)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"


def _first(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def _advice(state: Weights, name: str) -> str:
    guess, small_images = guess_architecture(state)
    if not guess:
        return "It is like no architecture of this package: pass a file that was saved from the net you ask for."
    if guess == name:
        return f"It looks like {name} built with small_images={small_images}, or with other options than were given."
    option = " with small_images=True" if small_images else ""
    return f"It looks like {guess}{option}: ask for that, or pass a file of {name}."


def guess_architecture(state: Weights, at_least: float = 0.7, certain: float = 0.95) -> tuple[str, bool]:
    """The builder, and its `small_images`, whose net has the largest share of names and shapes in common with `state`;
    ("", False) if the share is less than `at_least`. Builds the nets on the meta device, which takes some seconds."""
    best, answer = at_least, ("", False)
    for name, small_images in product(list_models(), (False, True)):
        theirs = shapes_of(_renaming(name)(state)).items()
        try:
            ours = shapes_without_memory(partial(find_builder(name), small_images=small_images)).items()
        except ValueError:  # a family without a stem for small images
            continue
        share = len(ours & theirs) / len(ours | theirs)
        if share > best:
            best, answer = share, (name, small_images)
        if share > certain:
            break
    return answer
