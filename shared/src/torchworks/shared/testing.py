"""The contract every model is tested against, and the comparison with a reference implementation.

    check_model(lambda: DCGANGenerator(image_size=32), torch.randn(4, 64), shapes=(4, 1, 32, 32))
    check_parity(ResNet(...), randomize(torchvision.models.resnet18()), torch.randn(2, 3, 64, 64))
    check_predictor(build_generator(config))

All raise `AssertionError` that names what is broken: the promise, the parameter, the size of the difference.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import product
from typing import Any, Literal

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from torchworks.shared.models.predictor import Predictor
from torchworks.shared.models.signature import Signature, TensorSpec

Inputs = Tensor | tuple[Tensor, ...]
Build = Callable[[], nn.Module]


def check_model(
    build: Build,
    inputs: Inputs,
    *,
    shapes: Sequence[int] | Sequence[Sequence[int]],
    unused: Sequence[str] = (),
    batch_independent: bool = True,
    bf16_tol: float = 0.1,
    export: bool = True,
) -> None:
    """Hold the nets that `build` makes to every promise below.

    `inputs` are tensors whose first size is the batch, of at least 2 rows; `shapes` the shape of the output, or
    of each output. `unused` are patterns of parameters that rightly get no gradient. A net whose rows answer to
    each other (minibatch statistics) says `batch_independent=False`.
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    assert len(inputs[0]) > 1, "give at least 2 rows: with one, rows cannot be told apart"
    check_outputs(_seeded(build), inputs, shapes)
    check_gradients(_seeded(build), inputs, unused)
    check_evaluation(_seeded(build), inputs)
    check_state(build, inputs)
    check_bf16(_seeded(build), inputs, bf16_tol)
    if batch_independent:
        check_rows(_seeded(build), inputs)
    if export:
        check_export(_seeded(build), inputs)


def check_outputs(net: nn.Module, inputs: tuple[Tensor, ...], shapes: Sequence) -> None:
    """Outputs have the stated shapes and are finite, in training and in evaluation."""
    wanted = [tuple(shapes)] if isinstance(shapes[0], int) else [tuple(shape) for shape in shapes]
    for mode in (True, False):
        outputs = _outputs(net.train(mode), inputs)
        found = [tuple(output.shape) for output in outputs]
        assert found == wanted, f"output shapes are {found}, stated are {wanted}"
        _assert_finite({f"output {i}": output for i, output in enumerate(outputs)}, _mode(mode))


def check_gradients(net: nn.Module, inputs: tuple[Tensor, ...], unused: Sequence[str] = ()) -> None:
    """Every trained parameter gets a gradient that is finite and not zero.

    Parameters that start as zeros are moved away from it first: they rightly hide those before them.
    """
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    gradients = _gradients(net, _outputs(net.train(), inputs))
    for name, gradient in gradients.items():
        if not any(fnmatch(name, pattern) for pattern in unused):
            assert gradient is not None, f"{name} gets no gradient: forward does not use it"
            assert gradient.any(), f"{name} gets a gradient of zeros: nothing it does reaches the output"
    _assert_finite_gradients(gradients, "training")


@torch.no_grad()
def check_evaluation(net: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """In evaluation the same input gives the same output, inputs and state stay as they are, and a deep copy
    (which moving averages need) answers alike."""
    before = {name: value.clone() for name, value in net.eval().state_dict().items()}
    given = [value.clone() for value in inputs]
    first, second = _outputs(net, inputs), _outputs(net, inputs)
    assert _all_equal(first, second), "evaluation is not deterministic: the same input gave two outputs"
    assert _all_equal(given, inputs), "forward changes its input in place"
    for name, value in net.state_dict().items():
        assert name in before, f"evaluation adds {name} to the state"
        assert torch.equal(value, before[name]), f"evaluation changes {name}"
    assert _all_equal(first, _outputs(copy.deepcopy(net), inputs)), "a deep copy gives other outputs"


@torch.no_grad()
def check_rows(net: nn.Module, inputs: tuple[Tensor, ...], tol: float = 1e-4) -> None:
    """In evaluation a row's output does not depend on the other rows of its batch."""
    together = _outputs(net.eval(), inputs)
    for row in range(len(inputs[0])):
        alone = _outputs(net, tuple(value[row : row + 1] for value in inputs))
        for i, (one, all_rows) in enumerate(zip(alone, together, strict=True)):
            difference = _difference(one, all_rows[row : row + 1], _scale([all_rows]))
            assert difference <= tol, (
                f"row {row} of output {i} differs by {difference:.2g} of its scale when computed alone: rows "
                "depend on each other in evaluation"
            )


@torch.no_grad()
def check_state(build: Build, inputs: tuple[Tensor, ...]) -> None:
    """The state_dict is the whole model: loaded strictly, through a file's bytes, into a net built from another
    seed, it gives the same outputs, and a pass in training adds no keys to it."""
    net, other = _seeded(build, 1), _seeded(build, 2)
    _outputs(net.train(), inputs)
    state = load(save({name: value.clone().contiguous() for name, value in net.state_dict().items()}))
    try:
        other.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise AssertionError(f"the state_dict does not load strictly into a new net: {error}") from error
    same = _all_equal(_outputs(net.eval(), inputs), _outputs(other.eval(), inputs))
    assert same, "a net with the same state_dict gives other outputs: it has state that is neither parameter nor buffer"


def check_bf16(net: nn.Module, inputs: tuple[Tensor, ...], tol: float) -> None:
    """Under bf16 autocast the net trains with finite gradients, and its outputs stay near those of float32."""
    with torch.no_grad():
        exact = _outputs(net.eval(), inputs)
        with torch.autocast(inputs[0].device.type, torch.bfloat16):
            rough = _outputs(net, inputs)
    for i, (a, b) in enumerate(zip(rough, exact, strict=True)):
        error = float((a.float() - b).norm() / b.norm().clamp_min(1e-12))
        assert error <= tol, f"bf16 changes output {i} by {error:.2g} of its norm, allowed is {tol:g}"
    with torch.autocast(inputs[0].device.type, torch.bfloat16):
        outputs = _outputs(net.train(), inputs)
    _assert_finite_gradients(_gradients(net, outputs), "bf16 training")


@torch.no_grad()
def check_export(net: nn.Module, inputs: tuple[Tensor, ...], tol: float = 1e-4) -> None:
    """`torch.export` takes the net whole, for any batch size, and the program gives the same outputs."""
    rows = torch.export.Dim("rows", min=1)
    dynamic = tuple({0: rows} for _ in inputs)
    program = torch.export.export(net.eval(), inputs, dynamic_shapes=(dynamic,) if _variadic(net) else dynamic)
    more = tuple(torch.cat([value, value[:1]]) for value in inputs)
    expected = _outputs(net, more)
    for i, (a, b) in enumerate(zip(tree_leaves(program.module()(*more)), expected, strict=True)):
        difference = _difference(a, b, _scale([b]))
        assert difference <= tol, f"the exported program changes output {i} by {difference:.2g} of its scale"


@torch.no_grad()
def check_predictor(
    predictor: Predictor,
    make: Callable[[dict[str, int]], tuple[Tensor, ...]] | None = None,
    *,
    lengths: Mapping[str, tuple[int, ...]] | None = None,
    tol: float = 1e-4,
) -> None:
    """The whole `predictor` exports: its program, captured once for all sizes that its signature names and captured
    again, gives the same outputs at 1, 2 and 3 rows and at several values of each other named size.

    `make` gives inputs for sizes by name; otherwise random numbers within the signature's limits are taken. `lengths`
    are the values of sizes other than the rows': half their limit and their limit, or 5 and 8, if not given.
    """
    make = make or (lambda sizes: tuple(_random_input(spec, sizes) for spec in predictor.eval().signature.inputs))
    cases = _cases(predictor.signature, dict(lengths or {}))
    for again in ("", ", captured once more in the same process,"):
        program = _captured(predictor.eval(), make(cases[len(cases) // 2]))
        for sizes in cases:
            inputs = make(sizes)
            where = ", ".join(f"{name} = {size}" for name, size in sizes.items()) or "the only size"
            expected = _outputs(predictor, inputs)
            names = (spec.name for spec in predictor.signature.outputs)
            predictor.signature.check_outputs(dict(zip(names, expected, strict=True)), sizes)
            try:
                found = tree_leaves(program(*inputs))
            except Exception as error:  # an assertion of the program, of any class
                raise AssertionError(f"the exported program{again} fails at {where}: {error}\n{_TRAPS}") from error
            for i, (a, b) in enumerate(zip(found, expected, strict=True)):
                assert a.shape == b.shape, (
                    f"output {i} of the exported program{again} is {tuple(a.shape)} at {where}, but {tuple(b.shape)} "
                    f"in eager mode\n{_TRAPS}"
                )
                difference = _difference(a, b, _scale([b]))
                assert difference <= tol, (
                    f"the exported program{again} changes output {i} by {difference:.2g} of its scale at {where}: "
                    "forward must not keep tensors of an earlier call, nor choose by Python what depends on the input"
                )


def check_parity(
    ours: nn.Module,
    reference: nn.Module,
    inputs: Inputs,
    *,
    fp32_tol: float = 1e-5,
    fp64_tol: float = 1e-9,
    key_map: Callable[[str], str] | None = None,
    quick: bool = False,
) -> None:
    """With the reference's weights loaded strictly, `ours` gives its outputs, its gradients and its state after
    the pass; and our weights load back into the reference.

    Differences are relative to the largest output, and to the largest gradient; see `differences` for the rest.
    """
    for found in differences(ours, reference, inputs, key_map=key_map, quick=quick):
        tol = fp32_tol if found.dtype == torch.float32 else fp64_tol
        assert found.size <= tol, f"{found} differs by {found.size:.2g} of the scale, allowed is {tol:g}"


@dataclass(frozen=True)
class Difference:
    """How far two nets are apart in one pass, where they are farthest."""

    kind: Literal["output", "gradient", "state"]
    dtype: torch.dtype
    mode: Literal["eval", "train"]
    name: str
    """Of the tensor: the number of the output, or the key of the parameter or buffer in `ours`."""
    size: float
    """The largest difference of an element, in units of the largest element of all the reference's of this kind."""

    def __str__(self) -> str:
        return f"{self.kind} ({str(self.dtype).removeprefix('torch.')}, {self.mode}) {self.name}"


Pass = tuple[torch.dtype, Literal["eval", "train"], bool]
ALL_PASSES: tuple[Pass, ...] = (
    (torch.float32, "eval", True),
    (torch.float32, "train", True),
    (torch.float64, "eval", True),
    (torch.float64, "train", True),
)
QUICK_PASSES: tuple[Pass, ...] = (
    (torch.float32, "eval", False),
    (torch.float64, "eval", False),
    (torch.float64, "train", True),
)


def differences(
    ours: nn.Module,
    reference: nn.Module,
    inputs: Inputs,
    *,
    key_map: Callable[[str], str] | None = None,
    quick: bool = False,
) -> Iterator[Difference]:
    """The differences between `ours` with the reference's weights and the reference, pass by pass.

    `key_map` turns a key of the reference's state_dict into ours. In both precisions, in evaluation and in training,
    outputs, gradients and state are compared. `quick`, for large nets, takes gradients once, in float64 and training;
    of float32 it compares the outputs of evaluation alone. Random numbers are drawn from the same seed. Nothing large
    is copied: `ours`, which may be on the meta device, is given the reference's own tensors, and the reference is
    left in float64. Raises `AssertionError` if weights do not load strictly both ways.
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    rename = key_map or (lambda key: key)
    for dtype, mode, with_gradients in QUICK_PASSES if quick else ALL_PASSES:
        typed = tuple(value.to(dtype) if value.is_floating_point() else value for value in inputs)
        _share_weights(ours, reference.to(dtype), rename)
        pair = (net.to(dtype).train(mode == "train") for net in (ours, reference))
        mine, theirs = (_results(net, typed, with_gradients) for net in pair)
        for kind in mine:
            renamed = theirs[kind] if kind == "output" else {rename(name): v for name, v in theirs[kind].items()}
            yield Difference(kind, dtype, mode, *_farthest(mine[kind], renamed, f"{kind} ({mode})"))


def _share_weights(ours: nn.Module, reference: nn.Module, rename: Callable[[str], str]) -> None:
    """Give `ours` the reference's tensors, and the reference copies of its buffers: a pass in training changes them."""
    _load(
        ours, {rename(name): value for name, value in reference.state_dict().items()}, "the reference's weights", "ours"
    )
    buffers, state = dict(reference.named_buffers()), ours.state_dict()
    back = {name: state[rename(name)] for name in reference.state_dict()}
    back = {name: value.clone() if name in buffers else value for name, value in back.items()}
    _load(reference, back, "our weights", "the reference")


def _load(net: nn.Module, state: dict[str, Tensor], what: str, where: str) -> None:
    try:
        net.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise AssertionError(f"{what} do not load strictly into {where}: {error}") from error


def _results(net: nn.Module, inputs: tuple[Tensor, ...], with_gradients: bool) -> dict[Any, dict[str, Tensor]]:
    """What one pass gives, by kind and name."""
    torch.manual_seed(0)
    with torch.set_grad_enabled(with_gradients):
        outputs = _outputs(net, inputs)
    results = {"output": {str(i): output.detach() for i, output in enumerate(outputs)}}
    if with_gradients:
        gradients = _gradients(net, outputs)
        results["gradient"] = {name: gradient for name, gradient in gradients.items() if gradient is not None}
    return results | {"state": dict(net.named_buffers())}


def _farthest(ours: dict[str, Tensor], reference: dict[str, Tensor], what: str) -> tuple[str, float]:
    """Name and size of the largest difference."""
    assert ours.keys() == reference.keys(), f"{what}: only one side has {sorted(ours.keys() ^ reference.keys())}"
    scale = _scale(reference.values())
    sizes = {"": 0.0}
    for name, expected in reference.items():
        assert ours[name].shape == expected.shape, f"{what} {name}: {ours[name].shape} instead of {expected.shape}"
        sizes[name] = _difference(ours[name], expected, scale)
    return max(sizes.items(), key=lambda item: item[1])


@torch.no_grad()
def randomize(net: nn.Module, seed: int = 0) -> nn.Module:
    """`net` with no gain, bias, token or statistic at 0 or 1, where leaving it out would not be noticed. Weights are
    as large as He's (He et al. 2015, arXiv:1502.01852), so that outputs stay finite in deep nets."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in net.state_dict().items():
        if not value.is_floating_point():
            value.zero_()
        elif value.ndim > 1:
            bound = (6 / value[0].numel()) ** 0.5
            value.uniform_(-bound, bound, generator=generator)
        elif name.endswith(("weight", "running_var")):
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.uniform_(-0.2, 0.2, generator=generator)
    return net


# ------------------------------------------------------------------------------------------------ pieces

_TRAPS = (
    "What fixes a size while exporting: len(x), int(x.shape[0]) and .chunk(2) of a doubled batch. Take x.shape[0] and "
    "slices, such as both[x.shape[0]:], and give sizes to new_zeros, expand and view as x.shape has them."
)


def _cases(signature: Signature, lengths: dict[str, tuple[int, ...]]) -> list[dict[str, int]]:
    """Values of the named sizes of a signature: 1, 2 and 3 rows, the first size of the first input, with all values of
    the others."""
    names = list(dict.fromkeys(size for spec in signature.inputs for size in spec.shape if isinstance(size, str)))
    most = getattr(signature, "most", {})
    ours = {name: (max(1, most[name] // 2), most[name]) if name in most else (5, 8) for name in names}
    values: dict[str, tuple[int, ...]] = {**ours, **lengths}
    if names and signature.inputs[0].shape[0] == names[0]:
        values[names[0]] = (1, 2, 3)
    return [dict(zip(values, sizes, strict=True)) for sizes in product(*values.values())]


def _random_input(spec: TensorSpec, sizes: dict[str, int]) -> Tensor:
    shape = [sizes[size] if isinstance(size, str) else size for size in spec.shape]
    dtype = getattr(torch, spec.dtype)
    if dtype.is_floating_point:
        if spec.low is not None and spec.high is not None:
            values = torch.rand(shape) * (spec.high - spec.low) + spec.low
        else:
            low, high = (-math.inf if spec.low is None else spec.low), (math.inf if spec.high is None else spec.high)
            values = torch.randn(shape).clamp(low, high)
        return values.to(dtype)
    high = spec.high if spec.high is not None else 255 if dtype == torch.uint8 else 1
    return torch.randint(int(spec.low or 0), int(high) + 1, shape).to(dtype)


def _captured(predictor: Predictor, inputs: tuple[Tensor, ...]) -> nn.Module:
    signature = predictor.signature
    most = getattr(signature, "most", {})
    named = {size for spec in signature.inputs for size in spec.shape if isinstance(size, str)}
    dims = {size: torch.export.Dim(size, min=1, max=most.get(size)) for size in named}
    shapes = tuple({i: dims[s] for i, s in enumerate(spec.shape) if isinstance(s, str)} for spec in signature.inputs)
    try:
        program = torch.export.export(predictor, inputs, dynamic_shapes=(shapes,) if _variadic(predictor) else shapes)
    except Exception as error:  # torch.export's own exceptions share no other base
        raise AssertionError(f"torch.export cannot capture the predictor for all sizes: {error}\n{_TRAPS}") from error
    return program.module()


def _seeded(build: Build, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _outputs(net: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    return tree_leaves(net(*inputs))


def _loss(outputs: list[Tensor]) -> Tensor:
    """A sum with another weight for each element, so that no symmetry (softmax, normalization) hides one."""
    terms = []
    for output in outputs:
        if output.requires_grad:
            wide = output.flatten().to(torch.promote_types(output.dtype, torch.float32))
            terms.append(wide @ torch.linspace(0.5, 2, len(wide), dtype=wide.dtype, device=wide.device).cos())
    assert terms, "no output depends on any parameter"
    return torch.stack(terms).sum()


def _gradients(net: nn.Module, outputs: list[Tensor]) -> dict[str, Tensor | None]:
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    found = torch.autograd.grad(_loss(outputs), list(trained.values()), allow_unused=True)
    return dict(zip(trained, found, strict=True))


def _assert_finite(tensors: dict[str, Tensor], when: str) -> None:
    for name, tensor in tensors.items():
        assert torch.isfinite(tensor).all(), f"{name} is not finite in {when}"


def _assert_finite_gradients(gradients: dict[str, Tensor | None], when: str) -> None:
    _assert_finite({f"gradient of {name}": g for name, g in gradients.items() if g is not None}, when)


def _all_equal(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    return len(a) == len(b) and all(map(torch.equal, a, b))


def _scale(tensors: Iterable[Tensor]) -> float:
    return max((_largest(tensor) for tensor in tensors if tensor.numel()), default=0.0) or 1.0


def _difference(a: Tensor, b: Tensor, scale: float) -> float:
    """Largest difference in units of `scale`; NaN counts as infinite."""
    if not a.numel():
        return 0.0
    largest = _largest(a.detach().double() - b.detach().double())
    return float("inf") if largest != largest else largest / scale


def _largest(tensor: Tensor) -> float:
    return float(tensor.detach().abs().max())


def _mode(training: bool) -> str:
    return "training" if training else "evaluation"


def _variadic(net: nn.Module) -> bool:
    """Whether forward takes its inputs as *args, which export describes as one."""
    parameters = inspect.signature(net.forward).parameters.values()
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
