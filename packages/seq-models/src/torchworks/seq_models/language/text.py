"""Texts from a language model: what it begins with, and what it writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn

from torchworks.seq_models.data.token_stream import END
from torchworks.seq_models.generation.generate import NOTHING, Restrict, generate
from torchworks.seq_models.generation.protocol import Autoregressive
from torchworks.shared.config import UserError
from torchworks.shared.runs.outputs import progress
from torchworks.shared.text import Tokenizer
from torchworks.shared.text.sampling import Sampling

MANY = 20
"""Documents of a training text from which on the model knows how one begins."""


@dataclass(frozen=True)
class Beginning:
    """Turns prompts into tokens: those of the text, or, of an empty one, the token after which a text begins."""

    tokenizer: Tokenizer
    first: int

    @property
    def end(self) -> int | None:
        """The token after which a text is complete; None if the model has not learnt where texts end."""
        end = self.tokenizer.special(END)
        return end if self.first == end else None

    @classmethod
    def of(cls, tokenizer: Tokenizer, documents: int) -> "Beginning":
        """A text of many documents begins after `<end>`, another after the end of a line."""
        end, line_end = tokenizer.special(END), tokenizer.encode("\n")[0]
        assert end is not None
        return cls(tokenizer, end if documents >= MANY or line_end == tokenizer.unknown else line_end)

    def tokens(self, prompt: str) -> list[int]:
        """Raises `UserError` for a prompt of nothing but characters that the model does not know."""
        ids = self.tokenizer.encode(prompt)
        if ids and all(each == self.tokenizer.unknown for each in ids):
            raise UserError(
                f"The prompt '{prompt[:40]}' has only characters that the model does not know, because its training "
                "text has none or too few of them, so there is nothing to continue. Write it with others."
            )
        return ids or [self.first]


def write(
    net: nn.Module,
    prompts: Sequence[Sequence[int]],
    steps: int,
    sampling: Sampling,
    seed: int,
    end: int | None,
    *,
    restrict: Restrict | None = None,
    numbers: Sequence[int] | None = None,
    shown: bool = False,
) -> list[list[int]]:
    """Up to `steps` tokens after each prompt, of which as much is read as the net can. `restrict` and `numbers` are
    those of `generate`; with `shown`, a bar on a terminal says how far it is."""
    model = cast(Autoregressive, net)
    shortened = [list(prompt)[-(model.longest or len(prompt)) :] for prompt in prompts]
    found = generate(
        model, shortened, steps=steps, sampling=sampling, seed=seed, end=end, restrict=restrict, numbers=numbers
    )
    columns = list(progress(found, "writing", steps) if shown else found)
    return [[int(column[i]) for column in columns if column[i] != NOTHING] for i in range(len(prompts))]


def sampler(beginning: Beginning, steps: int, temperature: float) -> Callable[[nn.Module], str]:
    """Makes the sample that is shown during training: always with the same random numbers."""
    tokenizer = beginning.tokenizer

    def sample(net: nn.Module) -> str:
        (ids,) = write(net, [[beginning.first]], steps, Sampling(temperature), 0, None)
        return tokenizer.decode(ids)

    return sample
