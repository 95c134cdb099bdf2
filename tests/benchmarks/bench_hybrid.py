"""How fast models of several kinds of data train and answer, beside other libraries.

    make bench-hybrid-multimodal     some minutes; ARGS="--quick" for a first look

Prints and saves as JSON: an epoch of BPR beside RecBole's, the time to a score beside implicit's, EASE beside an
inverse (recommendation_speed.py); steps of the captioner and of CLIP beside Lightning (words_speed.py); batches of
films beside torchvision's transforms (film_speed.py); users a second of a service (recommendation_service.py). What a
table compares takes turns within one process, one thread each (race.py). It ends with the targets and whether they
are met; it never fails because of one. Let the machine do nothing else meanwhile.
"""

import argparse
import sys
import time
from pathlib import Path

import film_speed as films
import recommendation_service
import recommendation_speed as recommenders
import torch
import words_speed as words
from race import Times, in_turns, race
from recommendation_speed import Reached
from report import Target, print_machine, print_targets, quiet, save, spread, table_of
from rich.console import Console

OUT = Path("build/bench/hybrid-multimodal.json")
KIND = "processor"
"""CPU time: other programs hardly count in it."""
BPR, EASE, LIGHTNING, FILMS, QUICKER, NDCG = 2.0, 1.1, 1.2, 1.5, 3.0, 0.30
"""What we mean to be: times as fast as RecBole, at most times as long as the inverse, times as fast as Lightning and as
torchvision's transforms; and times as quick as implicit's BPR at a score."""
Tables = dict[str, dict[str, Times]]
Curves = dict[str, list[Reached]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun, console = time.monotonic(), Console(highlight=False, width=110)
    machine = print_machine(console)
    tables = passes(console, rounds=3 if given.quick else 11)
    tables |= steps(console, rounds=4 if given.quick else 21)
    curves = until(console)
    service = recommendation_service.rates(console, seconds=1 if given.quick else 4, rounds=2 if given.quick else 5)
    found = [*targets(tables), *curve_targets(curves), *recommendation_service.targets(service)]
    print_targets(console, found)
    seconds = round(time.monotonic() - begun, 1)
    save(given.out, machine=machine, targets=found, seconds=seconds, tables=tables, curves=curves, service=service)
    console.print(f"{seconds:.0f} s; saved as {given.out}")


def passes(console: Console, *, rounds: int) -> Tables:
    """Seconds of some epochs of BPR, of EASE, and of all batches of films."""
    found: Tables = {}
    for name, actions in (
        (f"{recommenders.EPOCHS} epochs of BPR", recommenders.epochs), ("EASE", recommenders.inverses),
        (f"{films.FILMS} films in batches", films.passes),
    ):  # fmt: skip
        with quiet():
            found[name] = in_turns(actions(), rounds=rounds)
        _print(console, name, found[name])
    return found


def steps(console: Console, *, rounds: int) -> Tables:
    """Seconds of a training step."""
    found: Tables = {}
    for recipe in ("caption", "clip"):
        with quiet():
            found[f"a step of {recipe}"] = race(words.loops(recipe), rounds=rounds, length=1, warm_up=1)
        _print(console, f"a step of {recipe}", found[f"a step of {recipe}"])
    return found


def until(console: Console) -> Curves:
    with quiet():
        found = recommenders.curves()
    for name, points in found.items():
        console.print(
            f"{name}: NDCG@10 " + ", ".join(f"{point.ndcg:.3f} after {point.seconds:.2f} s" for point in points)
        )
    return found


def _print(console: Console, name: str, times: dict[str, Times]) -> None:
    table = table_of(f"{name}: milliseconds of CPU time", "× torchworks", what="by")
    for peer, each in times.items():
        ratio = each.ratio(times["torchworks"], KIND)
        table.add_row(peer, *(f"{1000 * value:.1f}" for value in spread(each, KIND)), f"{ratio:.2f}")
    console.print(table)


def targets(tables: Tables) -> list[Target]:
    """Whether ours is as many times as fast as we mean it to be."""
    found = []
    least = {recommenders.RECBOLE: BPR, words.LIGHTNING: LIGHTNING, films.TORCHVISION: FILMS}
    for name, times in tables.items():
        ours = times["torchworks"]
        for peer, each in times.items():
            ratio = each.ratio(ours, KIND)
            if peer in least:
                found.append(
                    Target(f"{name}: at least {least[peer]:g} × {peer}", f"{ratio:.2f} ×", ratio >= least[peer])
                )
            elif peer == recommenders.INVERSE:
                found.append(Target(f"{name}: at most {EASE:g} × {peer}", f"{1 / ratio:.2f} ×", 1 / ratio <= EASE))
    return found


def curve_targets(curves: Curves) -> list[Target]:
    """Whether the softmax has the score a few times as quickly; a method that never has it is as slow as its last
    point."""
    ours, theirs = (curves[name] for name in (recommenders.SOFTMAX, recommenders.PAIRS))
    mine, other = recommenders.first(ours, NDCG), recommenders.first(theirs, NDCG)
    name = f"NDCG@10 {NDCG:.2f} at least {QUICKER:g} × as quickly as {recommenders.PAIRS}"
    if mine is None:
        return [Target(name, "not reached", False)]
    if other is None:
        best = recommenders.best(theirs)
        said = f"{mine:.2f} s; it has {best.ndcg:.3f} at best, after {best.seconds:.2f} s"
        return [Target(name, said, theirs[-1].seconds >= QUICKER * mine)]
    return [Target(name, f"{other / mine:.2f} ×", other >= QUICKER * mine)]


if __name__ == "__main__":
    sys.exit(main())
