"""GPT: the cache, padding, tied weights, export of prefill and step in one graph."""

import io
import logging

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.export import Dim

from torchworks.seq_models.generation.protocol import select
from torchworks.seq_models.models.gpt import GPT
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, randomize

VOCABULARY = 37


def net(**options) -> GPT:
    made = randomize(GPT(VOCABULARY, **{"context": 96, "depth": 2, "embed_dim": 16, "num_heads": 2} | options)).eval()
    assert isinstance(made, GPT)
    return made


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_it_keeps_the_contract_of_models():
    inputs = tokens(4, 9)
    check_model(lambda: GPT(VOCABULARY, context=16, depth=2, embed_dim=16, num_heads=2), inputs, shapes=(4, 9, 37))


def test_step_by_step_is_the_plain_forward_in_float32():
    gpt, text = net(), tokens(3, 80)
    plain = gpt(text).detach()
    real = torch.ones(3, 5, dtype=torch.bool)
    logits, state = gpt.start(text[:, :5], real)
    found = [logits]
    for place in range(5, 80):
        logits, state = gpt.step(text[:, place], state)
        found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), plain[:, 4:], atol=1e-5 * float(plain.abs().max()), rtol=0)


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_padding_changes_no_token_in_float64(side: str):
    gpt = net().double()
    lengths, before = [3, 7, 5], {"left": [4, 0, 2], "right": [0, 0, 0], "both": [2, 0, 1]}[side]
    padded, real = tokens(3, 7, seed=9), torch.zeros(3, 7, dtype=torch.bool)
    texts = [tokens(1, length, seed=length) for length in lengths]
    for row, (text, begin) in enumerate(zip(texts, before, strict=True)):
        padded[row, begin : begin + text.shape[1]] = text[0]
        real[row, begin : begin + text.shape[1]] = True
    logits, state = gpt.start(padded, real)
    following, _ = gpt.step(torch.tensor([1, 2, 3]), state)
    for row, text in enumerate(texts):
        alone, alone_state = gpt.start(text, torch.ones_like(text, dtype=torch.bool))
        torch.testing.assert_close(logits[row], alone[0], atol=1e-9, rtol=0)
        torch.testing.assert_close(gpt(padded, real)[row, real[row]], gpt(text)[0], atol=1e-9, rtol=0)
        after, _ = gpt.step(torch.tensor([row + 1]), alone_state)
        torch.testing.assert_close(following[row], after[0], atol=1e-9, rtol=0)


def test_selected_rows_go_on_as_they_would_have():
    gpt, text = net().double(), tokens(3, 6)
    _, state = gpt.start(text, torch.ones_like(text, dtype=torch.bool))
    chosen = select(state, torch.tensor([2, 0, 2]))
    wanted, _ = gpt.step(torch.tensor([5, 6, 7]), state)
    found, _ = gpt.step(torch.tensor([7, 5, 7]), chosen)
    torch.testing.assert_close(found, wanted[[2, 0, 2]], atol=1e-9, rtol=0)


def test_a_tied_tensor_is_saved_once_and_loads_under_either_or_both_names():
    gpt = net()
    state = load(save(dict(gpt.state_dict())))
    assert "lm_head.weight" not in state
    assert "lm_head.weight" in gpt.reference_state()
    for given in (state, gpt.reference_state()):
        other = net()
        other.load_state_dict(given, strict=True)
        assert torch.equal(other(tokens(1, 4)), gpt(tokens(1, 4)))
    only_alias = {key: value for key, value in gpt.reference_state().items() if key != "transformer.wte.weight"}
    net().load_state_dict(only_alias, strict=True)


def test_weights_that_are_not_tied_are_refused():
    state = net().reference_state()
    state["lm_head.weight"] = state["lm_head.weight"] + 1
    with pytest.raises(UserError, match="two different tensors 'lm_head"):
        net().load_state_dict(state)


class Cached(nn.Module):
    """`GPT.cached` as a module, as it is exported."""

    def __init__(self, gpt: GPT):
        super().__init__()
        self.gpt = gpt

    def forward(self, new: Tensor, real: Tensor, cache_real: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        logits, layers = self.gpt.cached(new, real, list(zip(caches[::2], caches[1::2], strict=True)), cache_real)
        return logits, *(each for layer in layers for each in layer)


def cached_inputs(gpt: GPT, rows: int, new: int, used: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(rows + new + used)
    real, cache_real = torch.ones(rows, new, dtype=torch.bool), torch.rand(rows, used, generator=generator) > 0.3
    if new > 1:
        real[0, -1] = False
    _, depth, _, heads, _, channels = gpt.empty_cache(rows).shape
    caches = torch.randn(2 * depth, rows, heads, used, channels, generator=generator)
    return tokens(rows, new), real, cache_real, *caches


CASES = [(rows, new, used) for rows in (1, 3) for new, used in ((1, 0), (9, 0), (1, 1), (1, 12), (5, 6))]


def exported(gpt: GPT) -> torch.export.ExportedProgram:
    rows, new, used = Dim("rows", min=1), Dim("new", min=1, max=48), Dim("used", min=0, max=48)
    inputs = cached_inputs(gpt, 2, 3, 4)
    caches = tuple({0: rows, 2: used} for _ in inputs[3:])
    shapes = ({0: rows, 1: new}, {0: rows, 1: new}, {0: rows, 1: used}, caches)
    return torch.export.export(Cached(gpt), inputs, dynamic_shapes=shapes)


@torch.no_grad()
def test_one_exported_graph_is_prefill_and_step_also_the_second_time():
    for seed in (0, 1):
        gpt = net()
        randomize(gpt, seed)
        program = exported(gpt).module()
        for case in CASES:
            inputs = cached_inputs(gpt, *case)
            for found, wanted in zip(program(*inputs), Cached(gpt)(*inputs), strict=True):
                torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.slow
def test_the_graph_in_onnx_runtime_continues_a_text_as_the_net_does():
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime comes with the package serving")
    pytest.importorskip("onnxscript", reason="the exporter comes with the package serving")
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    gpt = net()
    for _ in range(2):
        made = torch.onnx.export(exported(gpt), dynamo=True, opset_version=20, external_data=False, verbose=False)
        assert made is not None
        file = io.BytesIO(made.model_proto.SerializeToString())
        session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        for case in CASES:
            inputs = cached_inputs(gpt, *case)
            given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
            for found, wanted in zip(session.run(None, given), Cached(gpt)(*inputs), strict=True):
                scale = float(wanted.abs().max())
                torch.testing.assert_close(torch.from_numpy(found), wanted, atol=1e-5 * scale, rtol=0)


@torch.no_grad()
def test_the_cached_function_is_start_and_step():
    gpt, text = net().double(), tokens(2, 6)
    real = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    logits, state = gpt.start(text, real)
    nothing = [(layer[:, 0], layer[:, 1]) for layer in gpt.empty_cache(2).unbind(1)]
    found, cache = gpt.cached(text, real, nothing, real[:, :0])
    torch.testing.assert_close(found, logits, atol=1e-9, rtol=0)
    new, one = torch.tensor([[3], [4]]), torch.ones(2, 1, dtype=torch.bool)
    found, _ = gpt.cached(new, one, cache, real)
    torch.testing.assert_close(found, gpt.step(new[:, 0], state)[0], atol=1e-9, rtol=0)
