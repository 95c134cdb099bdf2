"""How fast the nets of seq-models are, beside those of other libraries.

    make bench-seq-models            some minutes; ARGS="--quick" for a first look
    uv run --group peers python tests/benchmarks/bench_sequences.py --out FILE

Prints and saves as JSON: recurrent layers beside torch.nn's (recurrent_step.py), greedy generation and training steps
of a GPT beside transformers' with the same weights (seq_generation.py), training of word vectors beside gensim's
(word_vectors.py), back-tests beside darts' (series_speed.py), log-mel spectrograms, recognition and the speaker beside
torchaudio, speechbrain and transformers (sound_speed.py), and a service of a GPT beside LitServe's (seq_service.py).
--only measures some of these. What a table compares takes turns within
one process, one thread each (race.py); the services are processes of their own and take turns too. It ends with the
targets and whether they are met; it never fails because of one.
Let the machine do nothing else meanwhile.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpt_speed
import recurrent_step
import seq_service
import series_speed
import sound_speed
import torch
import word_vectors
from race import Times, in_turns
from recurrent_step import LAYERS, OURS, THEIRS, Layer
from report import Target, print_machine, print_targets, save, table_of
from rich.console import Console

OUT = Path("build/bench/sequences.json")
KIND = "processor"
"""CPU time: other programs hardly count in it."""
MOST = 1.03
"""The time of ours that is allowed, in multiples of torch.nn's."""
Measured = tuple[dict[str, Any], list[Target]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="what to measure (default: all)"
    )
    given = parser.parse_args()

    torch.set_num_threads(1)
    begun, console = time.monotonic(), Console(highlight=False, width=110)
    machine = print_machine(console)
    found, targets = {}, []
    for part in given.only:
        found[part], more = PARTS[part](console, quick=given.quick)
        targets += more
    print_targets(console, targets)
    seconds = round(time.monotonic() - begun, 1)
    save(given.out, machine=machine, targets=targets, seconds=seconds, **found)
    console.print(f"{seconds:.0f} s; saved as {given.out}")


def _recurrent(console: Console, *, quick: bool) -> Measured:
    layers = recurrent_layers(console, rounds=7 if quick else 31)
    return layers, [as_fast(layers)]


def _gpt(console: Console, *, quick: bool) -> Measured:
    texts = gpt_speed.generation(console, steps=64 if quick else 256, rounds=3 if quick else 7)
    texts |= gpt_speed.training(console, rounds=4 if quick else 15)
    return texts, gpt_speed.targets(texts)


def _word_vectors(console: Console, *, quick: bool) -> Measured:
    vectors = word_vectors.training(console, words=200_000, rounds=3 if quick else 9)
    return vectors, [word_vectors.target(vectors)]


def _series(console: Console, *, quick: bool) -> Measured:
    series = series_speed.measured(console, rounds=3 if quick else 9)
    return series, series_speed.targets(series)


def _sound(console: Console, *, quick: bool) -> Measured:
    sound = sound_speed.measured(console, rounds=7 if quick else 31)
    return sound, sound_speed.targets(sound)


def _service(console: Console, *, quick: bool) -> Measured:
    service = seq_service.throughput(console, steps=64 if quick else 256, rounds=3 if quick else 7)
    return service, seq_service.targets(service)


PARTS: dict[str, Callable[..., Measured]] = {
    "recurrent": _recurrent,
    "gpt": _gpt,
    "word_vectors": _word_vectors,
    "series": _series,
    "sound": _sound,
    "service": _service,
}
"""What is measured, by its name in the file, in this order."""


def recurrent_layers(console: Console, rounds: int) -> dict[str, dict[str, Times]]:
    """Seconds per pass of every layer, by what is computed."""
    found = {}
    for layer in LAYERS:
        console.print(f"{layer}: gradients differ by {recurrent_step.difference(layer):.1e} of the largest")
        for backward in (False, True):
            name = title(layer, backward)
            found[name] = in_turns(recurrent_step.steps(layer, backward=backward), rounds=rounds, warm_up=3)
            _print(console, name, found[name])
    return found


def title(layer: Layer, backward: bool) -> str:
    return f"{layer}: forward{' + backward' if backward else ''}"


def _print(console: Console, name: str, times: dict[str, Times]) -> None:
    table = table_of(f"{name}: milliseconds of CPU time", f"time, {THEIRS} = 1", what="layer")
    for layer, each in times.items():
        values = sorted(each.processor)
        spread = (values[0], each.quiet(KIND), statistics.median(values), values[-1])
        table.add_row(layer, *(f"{1000 * value:.1f}" for value in spread), relative(each, times[THEIRS]))
    console.print(table)


def relative(times: Times, other: Times) -> str:
    """Median ratio of the rounds and standard error."""
    error = times.error(other, KIND) / statistics.median(other.processor)
    return f"{times.ratio(other, KIND):.3f} ± {error:.3f}"


def as_fast(layers: dict[str, dict[str, Times]]) -> Target:
    """Forward and backward of each LSTM beside torch.nn's."""
    names = [title(layer, True) for layer in LAYERS if layer.kind == "LSTM"]
    measured = "; ".join(f"{name} {relative(layers[name][OURS], layers[name][THEIRS])}" for name in names)
    met = all(layers[name][OURS].ratio(layers[name][THEIRS], KIND) <= MOST for name in names)
    return Target(f"an LSTM takes at most {MOST} of the time of torch.nn's", measured, met)


if __name__ == "__main__":
    sys.exit(main())
