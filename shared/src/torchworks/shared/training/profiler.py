"""The profile of a training, by phase."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from torchworks.shared.task import Phase

Turn = tuple[int, Phase, int]


class Profile:
    """Records steps 10 to 20 with torch's profiler: a Chrome trace and a table by phase."""

    def __init__(self, folder: Path | None):
        self._folder, self._names = folder, set[str]()
        cuda = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
        self._profiler = profile(
            activities=[ProfilerActivity.CPU, *cuda],
            schedule=schedule(wait=9, warmup=1, active=10, repeat=1),
            on_trace_ready=self._keep,
        )
        self._table = ""
        self._profiler.start()

    def labelled(self, turns: Callable[[int], Iterable[Turn]]) -> Callable[[int], Iterator[Turn]]:
        """`turns`, but whatever is done in a turn is counted by the name of its phase."""

        def labelled(begin: int) -> Iterator[Turn]:
            for turn in turns(begin):
                self._names.add(turn[1].name)
                with record_function(f"phase {turn[1].name}"):
                    yield turn

        return labelled

    def step(self) -> None:
        self._profiler.step()

    def _keep(self, profiler: profile) -> None:
        events = profiler.key_averages()
        rows = [f"{'phase':<16}{'calls':>8}{'CPU ms/call':>14}{'device ms/call':>16}"]
        for event in events:
            if event.key.removeprefix("phase ") in self._names and event.key.startswith("phase "):
                cpu, device = event.cpu_time_total / event.count, event.device_time_total / event.count
                rows.append(f"{event.key[6:]:<16}{event.count:>8}{cpu / 1e3:>14.3f}{device / 1e3:>16.3f}")
        self._table = "\n".join(rows) + "\n\n" + events.table(sort_by="self_cpu_time_total", row_limit=12)
        if self._folder is not None:
            path = self._folder / "profile"
            path.mkdir(exist_ok=True)
            profiler.export_chrome_trace(str(path / "trace.json"))
            (path / "table.txt").write_text(self._table, encoding="utf-8")

    def close(self, say: Callable[[str], None]) -> None:
        """Stop recording and print the table."""
        self._profiler.stop()
        say(self._table or "The training ended before step 20, so there is no profile.")
