"""Command-line arguments of language models. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run, by_default

Prompt = Annotated[str, Positional, by_default("PROMPT", "none: a new text begins")]


@dataclass(frozen=True)
class Generate:
    """Write texts with a language model, from a beginning or from nothing."""

    run: Run
    prompt: Prompt = ""
    """How the texts begin, in quotation marks."""
    n: Annotated[int, arg(metavar="N")] = 1
    """Number of texts."""
    length: Annotated[int, arg(metavar="TOKENS")] = 400
    """Most tokens of each, the prompt not counted: characters, or parts of words if the model has those."""
    temperature: Annotated[float, arg(metavar="T")] = 0.8
    """Below 1 likely tokens become likelier; 0 always takes the likeliest."""
    top_k: Annotated[int, arg(metavar="K")] = 0
    """Draw from the K most probable tokens only; 0: from all."""
    top_p: Annotated[float, arg(metavar="P")] = 1.0
    """Draw from the most probable tokens only that have a probability of P together; 1: from all."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Random seed; change it for different texts."""
    device: Device = "auto"


@dataclass(frozen=True)
class Complete:
    """Print the most probable ends of a line with a language model, each with its probability."""

    run: Run
    prompt: Annotated[str, Positional, arg(metavar="PROMPT", help_behavior_hint="")]
    """How the line begins, in quotation marks."""
    n: Annotated[int, arg(metavar="N")] = 3
    """Number of completions."""
    length: Annotated[int, arg(metavar="TOKENS")] = 40
    """Most tokens of each."""
    device: Device = "auto"


COMMANDS = {
    "generate": Command(Generate, "torchworks.seq_models.language.use:generate_texts"),
    "complete": Command(Complete, "torchworks.seq_models.language.use:complete_line"),
}
