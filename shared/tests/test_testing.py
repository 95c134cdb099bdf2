"""The contract's own checks: a sound net passes all of them, and each planted defect is found by name."""

import pytest
import torch
from torch import nn

from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import Predictor
from torchworks.shared.models.signature import Signature, TensorSpec
from torchworks.shared.testing import check_model, check_parity, check_predictor, differences, randomize


class Sound(nn.Module):
    """A small convolutional classifier that keeps every promise."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Dropout(0.1))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


class Unused(Sound):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)


class Multiplied(Sound):
    """Its second head is cut off by a factor of zero."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(8, 3)

    def forward(self, x):
        return super().forward(x) + 0 * self.spare(self.body(x).mean((2, 3)))


class BatchDependent(Sound):
    def forward(self, x):
        y = super().forward(x)
        return y - y.mean(0)


class Restless(Sound):
    def forward(self, x):
        return super().forward(x) + torch.rand(())


class NaN(Sound):
    def forward(self, x):
        return super().forward(x) / (x.sum() * 0)


class Overwriting(Sound):
    def forward(self, x):
        return super().forward(x.mul_(1.5))


class Unregistered(Sound):
    """A random table that is neither parameter nor buffer."""

    def __init__(self):
        super().__init__()
        self.table = torch.randn(3)

    def forward(self, x):
        return super().forward(x) + self.table


class LateKey(Sound):
    def forward(self, x):
        if not hasattr(self, "seen"):
            self.register_buffer("seen", torch.zeros(1))
        return super().forward(x)


class Counting(Sound):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class Shared(Sound):
    """A deep copy keeps calling the original's head."""

    def __init__(self):
        super().__init__()
        self.function = [self.head.forward]

    def __deepcopy__(self, memo):
        copied = type(self)()
        copied.load_state_dict({key: value + 1 for key, value in self.state_dict().items()})
        return copied.eval()


class Cancelling(Sound):
    """A difference of large numbers, of which bf16 keeps nothing."""

    def forward(self, x):
        y = super().forward(x)
        return (1000 + y) @ torch.eye(3) - 1000


class OverflowsInBf16Training(Sound):
    def forward(self, x):
        y = super().forward(x)
        return y * float("inf") if self.training and torch.is_autocast_enabled("cpu") else y


class Inexportable(Sound):
    def forward(self, x):
        return super().forward(x) * (1.0 if float(x.sum()) > -1e9 else 2.0)


def images() -> torch.Tensor:
    return torch.randn(4, 1, 6, 6, generator=torch.Generator().manual_seed(0))


def test_a_sound_net_passes_every_check():
    check_model(Sound, images(), shapes=(4, 3))


@pytest.mark.parametrize(
    ("net", "complaint"),
    [
        (Unused, r"spare\.weight gets no gradient"),
        (Multiplied, r"spare\.weight gets a gradient of zeros"),
        (BatchDependent, "rows depend on each other"),
        (Restless, "evaluation is not deterministic"),
        (NaN, "output 0 is not finite in training"),
        (Overwriting, "not deterministic|changes its input"),
        (Unregistered, "neither parameter nor buffer"),
        (LateKey, "evaluation adds seen"),
        (Counting, "evaluation changes calls"),
        (Shared, "deep copy"),
        (Cancelling, "bf16 changes output 0"),
        (OverflowsInBf16Training, "not finite in bf16 training"),
    ],
)
def test_each_planted_defect_is_found(net, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_model(net, images(), shapes=(4, 3), export=False)


def test_a_net_that_cannot_be_exported_is_found():
    check_model(Inexportable, images(), shapes=(4, 3), export=False)
    with pytest.raises(Exception, match=r"(?i)data-dependent|guard on"):
        check_model(Inexportable, images(), shapes=(4, 3))


class FixedBatch(Sound):
    def forward(self, x):
        return super().forward(x.reshape(4, 1, 6, 6))


def test_a_net_that_works_for_one_batch_size_only_is_found():
    with pytest.raises((RuntimeError, AssertionError), match=r"shape|invalid"):
        check_model(FixedBatch, images(), shapes=(4, 3), export=False)


def test_a_wrong_output_shape_is_named():
    with pytest.raises(AssertionError, match=r"\[\(4, 3\)\], stated are \[\(4, 5\)\]"):
        check_model(Sound, images(), shapes=(4, 5))


def test_declared_exceptions_are_honored():
    check_model(Unused, images(), shapes=(4, 3), unused=["spare.*"], export=False)
    check_model(BatchDependent, images(), shapes=(4, 3), batch_independent=False, export=False)


def test_a_zero_initialized_layer_does_not_hide_the_layers_before_it():
    def build():
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        nn.init.zeros_(net[2].weight)
        return net

    check_model(build, torch.randn(8, 4), shapes=(8, 2), bf16_tol=1.0)


def test_nets_with_several_inputs_and_outputs_are_checked():
    class Conditional(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(5, 8), nn.Linear(8, 4)

        def forward(self, z, label):
            h = torch.tanh(self.out(z + self.embed(label)))
            return h, h.sum(1)

    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    check_model(Conditional, (torch.randn(6, 8), labels), shapes=[(6, 4), (6,)], bf16_tol=0.2)


class Reference(nn.Module):
    """`Sound` under other names."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(nn.functional.silu(self.norm(self.conv(x))).mean((2, 3)))


def renamed(key: str) -> str:
    return key.replace("conv", "body.0").replace("norm", "body.1").replace("fc", "head")


def without_dropout() -> Sound:
    net = Sound()
    net.body[3].p = 0.0
    return net


def test_two_implementations_of_one_net_agree():
    check_parity(without_dropout(), Reference(), images(), key_map=renamed)


def changed(attribute: str, value) -> Sound:
    net = without_dropout()
    module, _, name = attribute.rpartition(".")
    setattr(net.get_submodule(module), name, value)
    return net


@pytest.mark.parametrize(
    ("ours", "complaint"),
    [
        (changed("body.1.eps", 1.001e-5), r"output \(float64, eval\)"),
        (changed("body.1.momentum", 0.2), r"state \(float32, train\) body\.1\.running"),
        (changed("body.2", nn.GELU()), r"output \(float32, eval\)"),
    ],
)
def test_a_different_constant_is_found(ours, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_parity(ours, Reference(), images(), key_map=renamed)


class Detached(Reference):
    """The right output with a wrong gradient."""

    def forward(self, x):
        h = self.norm(self.conv(x))
        return self.fc((h * h.sigmoid().detach()).mean((2, 3)))


def test_a_wrong_gradient_is_found_though_the_output_is_right():
    with pytest.raises(AssertionError, match=r"gradient \(float32, eval\)"):
        check_parity(Detached(), Reference(), images())


def test_keys_that_differ_are_found():
    with pytest.raises(AssertionError, match="do not load strictly into ours"):
        check_parity(without_dropout(), Reference(), images())


def test_a_quick_check_finds_a_different_constant_and_a_wrong_gradient_too():
    check_parity(without_dropout(), Reference(), images(), key_map=renamed, quick=True)
    for ours, complaint in (
        (changed("body.1.eps", 1.001e-5), r"output \(float64, eval\)"),
        (changed("body.1.momentum", 0.2), r"state \(float64, train\) body\.1\.running"),
        (Detached(), r"gradient \(float64, train\)"),
    ):
        key_map = None if isinstance(ours, Detached) else renamed
        with pytest.raises(AssertionError, match=complaint):
            check_parity(ours, Reference(), images(), key_map=key_map, quick=True)


def test_a_net_without_memory_is_given_the_references_weights():
    with torch.device("meta"):
        ours = without_dropout()
    found = list(differences(ours, Reference(), images(), key_map=renamed))
    assert {(d.kind, d.dtype, d.mode) for d in found} == {
        (kind, dtype, mode)
        for kind in ("output", "gradient", "state")
        for dtype in (torch.float32, torch.float64)
        for mode in ("eval", "train")
    }
    assert max(d.size for d in found if d.dtype == torch.float64) < 1e-12


def test_randomized_nets_have_nothing_at_its_start_and_repeat():
    net, again = randomize(Sound()), randomize(Sound())
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
    for name, value in net.state_dict().items():
        assert not value.is_floating_point() or not ((value == 0) | (value == 1)).any(), name
    assert (net.body[1].running_var > 0).all()


# ---- predictors --------------------------------------------------------------------------------------------

SERIES = Signature(
    (TensorSpec("series", "series", "float32", ("N", "T", 3)),), (TensorSpec("mean", "features", "float32", ("N", 3)),)
)


class Means(Predictor):
    """The mean over time, of a net's answers."""

    def __init__(self):
        super().__init__(nn.Linear(3, 3), SERIES)

    def forward(self, series):
        return self.net(series).mean(1)


class Doubled(Means):
    """Computes twice at once, as guidance does, and splits the batch where it should slice it."""

    def forward(self, series):
        ours, theirs = super().forward(torch.cat([series, -series])).chunk(2)
        return ours + theirs


class Sliced(Means):
    def forward(self, series):
        both = super().forward(torch.cat([series, -series]))
        return both[: series.shape[0]] + both[series.shape[0] :]


class Counting(Means):
    def forward(self, series):
        return super().forward(series) + torch.zeros(len(series), 1)


@pytest.mark.parametrize("predictor", [Means, Sliced])
def test_a_predictor_that_exports_for_all_sizes_passes(predictor):
    check_predictor(predictor())


@pytest.mark.parametrize("predictor", [Doubled, Counting])
def test_a_predictor_that_fixes_the_number_of_rows_is_told_what_to_write(predictor):
    with pytest.raises(AssertionError, match=r"(?s)N.*\.chunk\(2\) of a doubled batch.*both\[x\.shape\[0\]:\]"):
        check_predictor(predictor())


def test_a_predictor_whose_output_is_not_that_of_its_signature_is_found():
    class Wrong(Means):
        def forward(self, series):
            return super().forward(series)[:, :2]

    with pytest.raises(UserError, match="'mean' must have the shape"):
        check_predictor(Wrong())
