"""Commands for agents and environments. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Watch:
    """Write a film (GIF) of an episode that the agent plays, and print how it went."""

    run: Run
    seed: Annotated[int, arg(metavar="N", help="With which the episode begins.")] = 0
    every: Annotated[int, arg(metavar="N", help="Steps from one image of the film to the next.")] = 2
    out: Annotated[Path | None, by_default("FILE", "RUN/episode-seedN.gif")] = None
    """Film to write."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Play many episodes and print their returns, beside those of random actions and of a rule written by hand; of
    Connect Four, games against opponents of growing strength."""

    run: Run
    episodes: Annotated[int, arg(metavar="N", help="How many; of Connect Four, against each opponent.")] = 100
    seed: Annotated[int, by_default("N", "the seeds that the run was judged by")] | None = None
    """The first episode's seed; the others have those that follow."""
    search: Annotated[
        int,
        arg(metavar="N", help="Positions looked at before each move, for a table of its own (Connect Four; 0: none)."),
    ] = 100
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Play:
    """Play in the terminal: Connect Four against the agent; other environments yourself, beside the agent's advice."""

    run: Run
    begins: Annotated[Literal["you", "agent"], arg(help="Who has the first move (Connect Four).")] = "you"
    search: Annotated[
        int, arg(metavar="N", help="Positions that the agent looks at before each move (Connect Four; 0: none).")
    ] = 0
    advice: Annotated[bool, arg(help="Say what the agent would do in your place (Connect Four).")] = False
    seed: Annotated[int, arg(metavar="N", help="With which the episode begins.")] = 0
    device: Device = "auto"


@dataclass(frozen=True)
class Check:
    """Say what an environment is, and what is wrong with it: spaces, rewards, seeds, resets, exact continuation."""

    environment: Annotated[str, Positional, arg(metavar="ID", help="Such as CartPole-v1, or MODULE:ID.")]
    steps: Annotated[int, arg(metavar="N", help="Random steps that are tried.")] = 1000


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Curve:
    """Draw how runs have learnt: the mean return of evaluations over environment steps, a line for each recipe and a
    band from the worst to the best of its runs."""

    runs: Annotated[
        tuple[Path, ...], Positional, arg(metavar="RUN [RUN ...]", help="Finished runs of one environment.")
    ]
    out: Annotated[Path, arg(metavar="FILE", help="Image to write.")] = Path("curve.png")
    overwrite: Overwrite = False


COMMANDS = {
    "curve": Command(Curve, "torchworks.rl.inference.curve:curve"),
    "check": Command(Check, "torchworks.rl.inference.check:check"),
    "watch": Command(Watch, "torchworks.rl.inference.watch:watch"),
    "play": Command(Play, "torchworks.rl.inference.play:play"),
    "evaluate": Command(Evaluate, "torchworks.rl.inference.evaluate:evaluate"),
}
