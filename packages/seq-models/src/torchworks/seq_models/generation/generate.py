"""Texts from a net, token by token.

    for tokens in generate(net, prompts, steps=100, sampling=Sampling(temperature=0.8), seed=0):
        …                                    # int64 (B,): one token of each text, NOTHING where it has ended
    texts = complete(net, prompts, steps=100)

Prompts may differ in length. A text is the same in every batch: rows do not answer to each other, and what is drawn for
a text depends on the seed, the text's number and the token's place alone.

Shape letters: B texts, T tokens of the longest prompt, V tokens of the vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchworks.seq_models.generation.protocol import Autoregressive, State, select
from torchworks.shared.config import UserError
from torchworks.shared.text.allowed import AllowedSequences
from torchworks.shared.text.sampling import GREEDY, Sampling

NOTHING = -1
"""Stands for the token of a text that has ended."""
Restrict = Callable[[int, NDArray[np.floating], Sequence[int]], NDArray[np.floating]]
"""From a text's number, the logits (V,) of its next token and what was generated of it, to the logits with -∞ for what
is forbidden."""


@dataclass
class Text:
    """A text in the making. Its net has read `prompt` + `generated` from token number `begin` on."""

    number: int
    prompt: list[int]
    generated: list[int]
    begin: int = 0

    @property
    def tokens(self) -> list[int]:
        return self.prompt + self.generated

    @property
    def read(self) -> int:
        return len(self.prompt) + len(self.generated) - self.begin


@dataclass(frozen=True)
class Ending:
    """When a text is complete: after the token `end`, after any of the sequences `stop`, or when it is one of the
    `allowed` ones as a whole."""

    end: int | None = None
    stop: tuple[tuple[int, ...], ...] = ()
    allowed: AllowedSequences | None = None

    def reached(self, generated: list[int]) -> bool:
        if generated[-1] == self.end:
            return True
        if any(tuple(generated[-len(stop) :]) == stop for stop in self.stop):
            return True
        return self.allowed is not None and not self.allowed.after(generated)


def generate(
    net: Autoregressive,
    prompts: Sequence[Sequence[int]],
    *,
    steps: int,
    sampling: Sampling = GREEDY,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
    end: int | None = None,
    stop: Sequence[Sequence[int]] = (),
    allowed: AllowedSequences | None = None,
    restrict: Restrict | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Up to `steps` tokens of each text, one for all at a time: int64 (B,), `NOTHING` where a text has ended.

    The net is in evaluation mode. `numbers` are the texts' numbers, by which they are drawn: 0, 1, … if not given. A
    text ends after the token `end`, after a sequence of `stop` (both are yielded), or as a whole one of `allowed`.
    `restrict` may forbid tokens of each text by what was generated of it.

    A text that outgrows the net's `longest` is continued from its last half: the net forgets what came before.
    Raises `UserError` for prompts that are empty, too long or have tokens that the net does not know.
    """
    check_prompts(net, prompts, steps)
    if not len(prompts):
        return
    named = range(len(prompts)) if numbers is None else numbers
    texts = [Text(number, list(map(int, prompt)), []) for number, prompt in zip(named, prompts, strict=True)]
    ending = Ending(end, tuple(tuple(map(int, each)) for each in stop if len(each)), allowed)
    alive = texts
    logits, state = _start(net, texts)
    for place in range(steps):
        values = _restricted(logits, alive, allowed, restrict)
        tokens = _choose(values, alive, sampling, seed, with_prompt=net.continues)
        for text, token in zip(alive, tokens, strict=True):
            text.generated.append(int(token))
        yield _of_all(texts, alive)
        going = [i for i, text in enumerate(alive) if not ending.reached(text.generated)]
        if not going or place == steps - 1:
            return
        if len(going) < len(alive):
            alive, tokens, state = [alive[i] for i in going], tokens[going], select(state, torch.tensor(going))
        logits, state = _advance(net, alive, tokens, state)


def complete(net: Autoregressive, prompts: Sequence[Sequence[int]], *, steps: int, **options) -> list[list[int]]:
    """The generated tokens of each text; `options` are those of `generate`."""
    columns = list(generate(net, prompts, steps=steps, **options))
    return [[int(column[i]) for column in columns if column[i] != NOTHING] for i in range(len(prompts))]


def check_prompts(net: Autoregressive, prompts: Sequence[Sequence[int]], steps: int) -> None:
    """Raise `UserError` unless the net can read all prompts, and answer them in `steps` tokens. A net that reads
    another vocabulary than it writes has its size as `source_vocabulary`."""
    vocabulary = getattr(net, "source_vocabulary", net.vocabulary)
    for i, prompt in enumerate(prompts):
        if not len(prompt):
            raise UserError(f"Prompt {i} is empty: the model needs at least one token to begin with.")
        if net.longest is not None and len(prompt) > net.longest:
            raise UserError(
                f"Prompt {i} has {len(prompt)} tokens, but the model reads {net.longest} at most: shorten it."
            )
        wrong = [token for token in prompt if not 0 <= token < vocabulary]
        if wrong:
            raise UserError(
                f"Prompt {i} has the token {wrong[0]}, but the model knows those from 0 to {vocabulary - 1} only. "
                "Was it made by another tokenizer?"
            )
    if not net.continues and net.longest is not None and steps > net.longest:
        raise UserError(f"The model answers in {net.longest} tokens at most, but {steps} are asked for.")


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of different lengths as tokens, int64 (B, T), filled up at their end with 0, and which are real, bool
    (B, T)."""
    longest = max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    real = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    return tokens, real


# ------------------------------------------------------------------------------------------------ pieces


def _start(net: Autoregressive, texts: list[Text]) -> tuple[Tensor, State]:
    read = [text.tokens[text.begin :] if net.continues else text.prompt for text in texts]
    with without_gradients():
        return net.start(*on_device(net, *padded(read)))


def _advance(net: Autoregressive, texts: list[Text], tokens: NDArray, state: State) -> tuple[Tensor, State]:
    """The logits after the newest token. Texts that have outgrown the net are read anew from their last half; so are
    the others, whole, which changes nothing for them."""
    if net.continues and net.longest is not None and any(text.read > net.longest for text in texts):
        for text in texts:
            if text.read > net.longest:
                text.begin = len(text.tokens) - max(1, net.longest // 2)
        return _start(net, texts)
    with without_gradients():
        return net.step(*on_device(net, torch.from_numpy(tokens)), state)


def _restricted(
    logits: Tensor, texts: list[Text], allowed: AllowedSequences | None, restrict: Restrict | None
) -> NDArray[np.floating]:
    values = logits.detach().float().cpu().numpy()
    if allowed is not None:
        values = np.stack([allowed.restrict(row, text.generated) for row, text in zip(values, texts, strict=True)])
    if restrict is not None:
        pairs = zip(texts, values, strict=True)
        values = np.stack([restrict(text.number, row, text.generated) for text, row in pairs])
    return values


def _choose(
    values: NDArray[np.floating], texts: list[Text], sampling: Sampling, seed: int, *, with_prompt: bool
) -> NDArray[np.int64]:
    penalized = sampling.repetition_penalty != 1  # else nobody asks, and long texts need not be put together each time
    seen = [text.tokens if with_prompt else text.generated for text in texts] if penalized else [()] * len(texts)
    numbers, places = [text.number for text in texts], [len(text.generated) for text in texts]
    return sampling.choose(values, seen=seen, seed=seed, rows=numbers, places=places)


def _of_all(texts: list[Text], alive: list[Text]) -> NDArray[np.int64]:
    """The newest token of each text, if it is alive."""
    going = {id(text) for text in alive}
    return np.array([text.generated[-1] if id(text) in going else NOTHING for text in texts], np.int64)


def without_gradients() -> AbstractContextManager:
    """Inference mode, in which a small net is quicker by a tenth than without gradients alone. Not under autocast: that
    keeps the weights it has cast, and training could not use those of inference mode."""
    if any(map(torch.is_autocast_enabled, ("cpu", "cuda"))):
        return torch.no_grad()
    return torch.inference_mode()


def on_device(net: Autoregressive, *tensors: Tensor) -> list[Tensor]:
    """Tensors where the net's own are; a net that is no module takes them as they are."""
    parameters = getattr(net, "parameters", None)
    device = next(parameters()).device if parameters else torch.device("cpu")
    return [tensor.to(device) for tensor in tensors]
