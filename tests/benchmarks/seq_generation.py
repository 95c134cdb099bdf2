"""Greedy generation and training of a GPT, ours and that of transformers, with the same weights.

Both generate with a cache and may never end; that their tokens are equal is checked before anything is timed. Training
is the same loop with the same batches and AdamW around either net, each judged by its loss on the same targets.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
import transformers
from race import Clock, Loop
from torch import Tensor, nn

from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.models.gpt import GPT, options_of

OURS, THEIRS = "ours", "transformers"
VOCABULARY, CONTEXT = 512, 320


@dataclass(frozen=True)
class Size:
    """Layers and width of a GPT; heads of 64 channels, or 32 in a narrow one."""

    depth: int
    embed_dim: int

    @property
    def name(self) -> str:
        return f"{self.depth} × {self.embed_dim}"

    @property
    def num_heads(self) -> int:
        return self.embed_dim // (64 if self.embed_dim >= 256 else 32)


def nets(size: Size) -> tuple[GPT, transformers.GPT2LMHeadModel]:
    """Ours and theirs with the same random weights, so large that logits differ clearly."""
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_layer=size.depth,
        n_embd=size.embed_dim,
        n_head=size.num_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if name.endswith("weight") and parameter.ndim == 2:
                parameter.mul_(4)
    ours = GPT(**options_of(config.to_dict()))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def generators(size: Size, rows: int, steps: int) -> dict[str, Callable[[], list[list[int]]]]:
    """Functions that return `steps` tokens of `rows` texts. Raises `AssertionError` if their tokens differ."""
    ours, theirs = (net.eval() for net in nets(size))
    prompts = torch.randint(0, VOCABULARY, (rows, 8), generator=torch.Generator().manual_seed(1))
    everything = torch.ones_like(prompts)

    def by_ours() -> list[list[int]]:
        return complete(ours, prompts.tolist(), steps=steps)

    @torch.no_grad()
    def by_theirs() -> list[list[int]]:
        texts = theirs.generate(
            prompts,
            attention_mask=everything,
            max_new_tokens=steps,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        return texts[:, prompts.shape[1] :].tolist()

    assert by_ours() == by_theirs(), f"{size.name}: the generated tokens differ"
    return {OURS: by_ours, THEIRS: by_theirs}


def training_loops(size: Size, rows: int, length: int) -> dict[str, Loop]:
    """Training steps of either net, `rows` texts of `length` tokens each."""
    return loops_of(*nets(size), rows, length)


def loops_of(ours: GPT, theirs: transformers.GPT2LMHeadModel, rows: int, length: int) -> dict[str, Loop]:
    ours.train()
    theirs.train()

    def logits_of_theirs(tokens: Tensor) -> Tensor:
        return theirs(input_ids=tokens, use_cache=False).logits

    return {
        OURS: lambda clock: _train(clock, ours, ours, rows, length),
        THEIRS: lambda clock: _train(clock, theirs, logits_of_theirs, rows, length),
    }


def _train(clock: Clock, net: nn.Module, logits_of: Callable[[Tensor], Tensor], rows: int, length: int) -> None:
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(2)
    clock.watch(net)
    for _ in range(clock.steps):
        tokens = torch.randint(0, VOCABULARY, (rows, length + 1), generator=generator)
        logits = logits_of(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
