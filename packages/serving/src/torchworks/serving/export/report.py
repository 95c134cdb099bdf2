"""PARITY.md: how an exported model compares with the one that was trained, as a person wants to read it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torchworks.serving.bundle import BundleManifest
from torchworks.serving.engine import Engine
from torchworks.serving.export.parity import Closeness, Score
from torchworks.serving.export.speed import BATCHES, Speed
from torchworks.serving.export.trained import Arrays, Samples
from torchworks.serving.parity_rules import PIXELS

LEGACY = """\
## TorchScript is legacy

PyTorch has deprecated TorchScript and does not support it on Python 3.14 and later. What to use instead:

| what you have | what takes its place |
|---|---|
| `torch.jit.script`, `torch.jit.trace` | `torch.export.export` |
| `torch.jit.save`, a `.ts` or `.pt` file | `serving export --format onnx`, or `pt2` |
| a C++ program with libtorch | `serving export --format aoti` (AOTInductor), or ONNX Runtime's C++ API |
| PyTorch Mobile | ExecuTorch |
"""
NUMBERS = "The largest difference of other numbers, and of boxes in pixels"
RULES = (
    "A detection is the same if the trained model has one of the same label whose corners lie within {pixels:g} "
    "pixels and whose score differs by at most {tolerance:g}, absolute plus relative; a pixel if it has the same "
    "class. 99.9 % must be, or all but one, for such answers flip where two values nearly tie. Other numbers may "
    "differ by {tolerance:g}, absolute plus relative."
)
TRUST = (
    "Opening this form can run code: pt2 may be unpickled, and a compiled model is a program. Its hash is compared "
    "first, and it is opened only with `--trust-code`."
)


@dataclass(frozen=True)
class Candidate:
    """A model that was measured: "trained", or a step on the way to the bundle. `size` is the bytes of its file,
    `closeness` to the trained one."""

    label: str
    engine: Engine
    outputs: Arrays
    score: Score
    closeness: Closeness
    size: int
    load_seconds: float
    parameters: int
    speeds: tuple[Speed, ...] = ()


Cell = Callable[[Candidate], str]


@dataclass(frozen=True)
class Report:
    """The models that were measured, first the trained and last the bundle's, and what is to be said about them.
    `load` is how many processes wanted the CPU while their speed was measured; None: no times were."""

    manifest: BundleManifest
    candidates: Sequence[Candidate]
    samples: Samples
    notes: tuple[str, ...]
    load: float | None

    @property
    def exported(self) -> Candidate:
        return self.candidates[-1]

    def figures(self) -> dict[str, Any]:
        """The fields of the manifest that hold what was measured."""
        trained = self.candidates[0]
        models = {
            candidate.label: {
                "bytes": candidate.size,
                "load_seconds": None if self.load is None else candidate.load_seconds,
                "parameters": candidate.parameters,
                "score": candidate.score.value,
                **asdict(candidate.closeness),
                "speed": [asdict(speed) for speed in candidate.speeds],
            }
            for candidate in self.candidates
        }
        return {
            "score": trained.score.name,
            "scores": {"eager": trained.score.value, "exported": self.exported.score.value},
            "parity": {"samples": self.samples.origin, "models": models},
        }

    def lines(self) -> list[str]:
        """The result in a few lines."""
        return [f"{name}: {' → '.join(cell(c) for c in self.candidates)}" for name, cell in self._rows()[:1]] + [
            self._verdict()
        ]

    def markdown(self) -> str:
        """The whole of PARITY.md."""
        manifest = self.manifest
        title = f"# {manifest.name}: {self.exported.label} beside the model that was trained"
        parts = [title, self._verdict(), self._answers(), self._speed(), self._method()]
        if self.notes:
            parts.append("## How it was made smaller\n\n" + "\n".join(f"- {note}" for note in self.notes))
        if manifest.legacy:
            parts.append(LEGACY)
        return "\n\n".join(part.strip() for part in parts if part) + "\n"

    def _verdict(self) -> str:
        trained, exported = self.candidates[0], self.exported
        if not (self.manifest.quantize or self.manifest.pruned):
            near, samples = exported.closeness, f"over {len(self.samples)} samples"
            same = f"No output differs by more than {near.largest:.1e} from the trained model's"
            if not near.shares:
                return f"{same} {samples}; {self.manifest.tolerance:g} is allowed."
            shares = ", ".join(f"{share:.2%} of '{name}'" for name, share in near.shares.items())
            found = f"Of what is found {samples}, the same as the trained model's are {shares}"
            return f"{found}. {NUMBERS}: {near.largest:.1e}."
        plain = self.candidates[1]
        name = trained.score.name
        return (
            f"{name[0].upper()}{name[1:]} over {len(self.samples)} samples: {_score(exported.score)}, of the trained "
            f"model {_score(trained.score)}. Beside the uncompressed {plain.label}, the file has "
            f"{exported.size / plain.size:.0%} of the size{self._faster(plain)}."
        )

    def _faster(self, plain: Candidate) -> str:
        ratios = [a.p50 / b.p50 for a, b in zip(plain.speeds, self.exported.speeds, strict=True)]
        if not ratios:
            return ""
        times = _listed([f"{ratio:.2f}" for ratio in ratios])
        return f" and answers {times} times as fast, at batches of {_listed(BATCHES)}"

    def _answers(self) -> str:
        return self._table("", self._rows())

    def _speed(self) -> str:
        if self.load is None:
            return ""
        rows: list[tuple[str, Cell]] = []
        for i, batch in enumerate(BATCHES):
            rows += [
                (f"batch {batch}: median", lambda c, i=i: _milliseconds(c.speeds[i].p50)),
                (f"batch {batch}: 99th percentile", lambda c, i=i: _milliseconds(c.speeds[i].p99)),
                (f"batch {batch}: rows per second", lambda c, i=i: f"{c.speeds[i].rows_per_second:,.0f}"),
            ]
        return "## Speed\n\n" + self._table(self.manifest.machine, rows)

    def _table(self, corner: str, rows: Sequence[tuple[str, Cell]]) -> str:
        head = [corner, *(candidate.label for candidate in self.candidates)]
        lines = [head, ["---", *("---:" for _ in self.candidates)]]
        lines += [[name, *(cell(candidate) for candidate in self.candidates)] for name, cell in rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _rows(self) -> list[tuple[str, Cell]]:
        first = self.candidates[0]

        def beside(cell: Cell) -> Cell:
            return lambda candidate: "–" if candidate is first else cell(candidate)

        rows = [
            (first.score.name, lambda c: _score(c.score)),
            ("largest difference of an output", beside(lambda c: f"{c.closeness.largest:.1e}")),
            ("mean difference", beside(lambda c: f"{c.closeness.mean:.1e}")),
        ]
        for name in first.closeness.shares:
            rows.append((f"same {name} as trained", beside(lambda c, name=name: f"{c.closeness.shares[name]:.2%}")))
        if first.closeness.agreement is not None and not first.closeness.shares:
            rows.append(("same answer as trained", beside(lambda c: f"{c.closeness.agreement or 0:.2%}")))
        rows += [("parameters", lambda c: f"{c.parameters:,}"), ("file", lambda c: _bytes(c.size))]
        timed = self.load is not None
        return rows + [("time to load", lambda c: f"{1000 * c.load_seconds:,.0f} ms")] * timed

    def _method(self) -> str:
        manifest = self.manifest
        libraries = ", ".join(f"{name} {number}" for name, number in manifest.versions.items())
        lines = [
            f"Samples: {len(self.samples)} rows, {self.samples.origin}.",
            "`trained` is run by PyTorch as it was trained, the others as they are served. Differences are from "
            "`trained`.",
            *self._timing(),
            f"Made {manifest.created} by {libraries}.",
        ]
        if self.exported.closeness.shares:
            lines.append(RULES.format(tolerance=manifest.tolerance, pixels=max(PIXELS, 100 * manifest.tolerance)))
        if manifest.form in ("pt2", "aoti", "torchscript"):
            lines.append(TRUST)
        if manifest.instructions:
            lines.append(f"Compiled for a CPU with {', '.join(manifest.instructions)}; it opens nowhere else.")
        return "## How it was measured\n\n" + "\n".join(f"- {line}" for line in lines)

    def _timing(self) -> list[str]:
        if self.load is None:
            return []
        runs = ", ".join(str(speed.runs) for speed in self.exported.speeds)
        return [
            "Times to load are in a process that has the libraries in memory.",
            f"Speed: all models in turns, {runs} runs each at batches of {_listed(BATCHES)}, on "
            f"{self.manifest.machine}; {self.load:.1f} processes wanted the CPU meanwhile.",
        ]


def _score(score: Score) -> str:
    if score.name.startswith("bits"):
        return f"{score.value:.4f}"
    if score.better < 0:
        return f"{score.value:.2g}"
    return f"{score.value:.2%}" if score.name == "accuracy" else f"{score.value:.4f}"


def _listed(values: Sequence[Any]) -> str:
    return f"{', '.join(map(str, values[:-1]))} and {values[-1]}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.2f} ms"
