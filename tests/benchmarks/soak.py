"""Whether the service holds more and more while it is used: memory, threads, descriptors, its log.

    make soak-serving ARGS="--minutes 10"

A service in a process of its own, asked at a moderate rate for what it is asked in life, and for what is wrong:
images, JSON, the Open Inference Protocol, jobs, damaged bodies, clients that go away, and now and then another
version. Figures of the last fifth are compared with those of minute 1, when caches and pools are full. It ends with
what grew and whether that is allowed; it never fails because of it.
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from load import Connections, message
from report import Target, print_machine, print_targets, save
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2] / "packages/serving/tests"))

import tiny_bundles
from PIL import Image
from processes import Service, administered, started

OUT = Path("build/bench/soak.json")
MOST_GROWTH = 0.05
CALLERS, SAMPLE_SECONDS, SWAP_SECONDS = 16, 5.0, 20.0


@dataclass(frozen=True)
class Sample:
    """At so many `seconds`: resident bytes, threads, descriptors, and bytes of the log with its side files."""

    seconds: float
    memory: int
    threads: int
    descriptors: int
    log: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--rate", type=float, default=60.0, help="requests per second (default: 60)")
    given = parser.parse_args()

    console = Console(highlight=False, width=120)
    machine = print_machine(console)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = make_bundles(folder / "bundles")
        words = [*administered(folder, bundles), "--log", folder / "data", "--monitor.log-bytes", 4 << 20]
        with started(folder / "said", *(bundles / model for model in ("classifier", "generator")), *words) as service:
            soak = Soak(service, folder, given.rate)
            asyncio.run(soak.run(60 * given.minutes, console))
            code, said = service.terminate(), service.log()
    targets = targets_of(soak, code, said)
    print_targets(console, targets)
    samples = [asdict(sample) for sample in soak.samples]
    save(given.out, machine=machine, targets=targets, samples=samples, statuses=soak.statuses)
    console.print(f"{soak.statuses.total():,} requests; saved as {given.out}")


def make_bundles(folder: Path) -> Path:
    """A classifier in two versions, and a generator."""
    for model in ("classifier", "generator"):
        tiny_bundles.write(model, folder / model)
    manifest = shutil.copytree(folder / "classifier", folder / "classifier-2") / "serving.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": "2"}))
    return folder


class Soak:
    """What is asked of `service`, `rate` times a second, and what was seen meanwhile."""

    def __init__(self, service: Service, folder: Path, rate: float):
        self.service, self.folder, self.rate = service, folder, rate
        self.statuses: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self.begun = time.monotonic()

    async def run(self, seconds: float, console: Console) -> None:
        end = self.begun + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(Caller(self, number).run(end))
            group.create_task(self._swaps(end))
            group.create_task(self._watch(end, console))

    async def _watch(self, end: float, console: Console) -> None:
        while time.monotonic() < end:
            self.samples.append(sample := self._sample())
            if len(self.samples) % int(30 / SAMPLE_SECONDS) == 1:
                console.print(_line(sample))
            await asyncio.sleep(SAMPLE_SECONDS)
        self.samples.append(self._sample())
        console.print(_line(self.samples[-1]))

    def _sample(self) -> Sample:
        service = self.service
        log = sum(file.stat().st_size for file in (self.folder / "data").glob("predictions*"))
        return Sample(time.monotonic() - self.begun, service.memory, service.threads, service.descriptors, log)

    async def _swaps(self, end: float) -> None:
        """Load the other version, promote it, and unload the one before."""
        versions = ["1", "2"]
        while time.monotonic() + SWAP_SECONDS < end:
            await asyncio.sleep(SWAP_SECONDS)
            old, new = versions
            await asyncio.to_thread(self._swap, old, new)
            versions = [new, old]

    def _swap(self, old: str, new: str) -> None:
        answers = [
            self.service.admin(bundle="classifier-2" if new == "2" else "classifier"),
            self.service.admin("/tiny-classifier/promote", version=new),
            self.service.unload("tiny-classifier", old),
        ]
        self.statuses.update(f"swap {answer.status}" for answer in answers)


class Caller:
    """One who asks on a connection of its own: one thing after the other, each chosen at random."""

    def __init__(self, soak: Soak, number: int):
        self.soak, self.number = soak, number
        self.url = f"http://127.0.0.1:{soak.service.port}"
        self.connections = Connections(self.url)
        self.chance = random.Random(number)

    async def run(self, end: float) -> None:
        kinds: list[Callable[[], Awaitable[object]]] = [self._picture, self._numbers, self._v2, self._images]
        kinds += [*kinds, self._wrong, self._leave, self._job, self._look]
        while time.monotonic() < end:
            await self.chance.choice(kinds)()
            await asyncio.sleep(self.chance.expovariate(self.soak.rate / CALLERS))
        await self.connections.close()

    async def _ask(self, kind: str, path: str, body: bytes, content_type: str = "application/json") -> bytes:
        return await self._send(kind, message(self.url + path, body, content_type))

    async def _send(self, kind: str, sent: bytes) -> bytes:
        try:
            async with asyncio.timeout(30):
                status, answer = await self.connections.ask(sent)
        except (OSError, EOFError, TimeoutError) as error:
            status, answer = type(error).__name__, b""
        self.soak.statuses[f"{kind} {status}"] += 1
        return answer

    async def _picture(self) -> None:
        size = self.chance.choice((8, 64, 600))
        file = self.soak.folder / f"picture-{self.number}"
        Image.effect_noise((size, size), 60).save(file, self.chance.choice(("PNG", "JPEG")))
        await self._ask("picture", "/v1/models/tiny-classifier/predict", file.read_bytes(), "image/png")

    async def _numbers(self) -> None:
        rows = [tiny_bundles.picture(self.chance.randrange(3)).tolist() for _ in range(self.chance.randint(1, 16))]
        await self._ask("json", "/v1/models/tiny-classifier/predict", _json(inputs={"image": rows}))

    async def _v2(self) -> None:
        data = tiny_bundles.picture(1).reshape(-1).tolist()
        tensor = {"name": "image", "shape": [1, 1, 8, 8], "datatype": "UINT8", "data": data}
        await self._ask("v2", "/v2/models/tiny-classifier/infer", _json(inputs=[tensor]))

    async def _images(self) -> None:
        inputs = {"seed": self.chance.randrange(1000), "n": self.chance.randint(1, 16)}
        await self._ask("generate", "/v1/models/tiny-generator/predict", _json(inputs=inputs))

    async def _wrong(self) -> None:
        body = self.chance.choice((b"{", b"", b'{"inputs": {"image": [[1]]}}', self.chance.randbytes(20_000)))
        kind = self.chance.choice(("application/json", "image/png", "multipart/form-data; boundary=x"))
        await self._ask("wrong", "/v1/models/tiny-classifier/predict", body, kind)

    async def _leave(self) -> None:
        """Send a part of a request, and go away."""
        whole = message(f"{self.url}/v1/models/tiny-generator/predict", _json(inputs={"n": 16}), "application/json")
        _, writer = await asyncio.open_connection("127.0.0.1", self.soak.service.port)
        with contextlib.closing(writer):
            writer.write(whole[: self.chance.randint(0, len(whole))])
            await asyncio.sleep(0.01 * self.chance.random())
        self.soak.statuses["leave"] += 1

    async def _job(self) -> None:
        inputs = {"seed": 1, "n": self.chance.randint(100, 400)}
        job = json.loads(await self._ask("job", "/v1/models/tiny-generator/jobs", _json(inputs=inputs)) or b"{}")
        if "job" in job:
            await asyncio.sleep(1)
            await self._get("result", f"/v1/jobs/{job['job']}/result")

    async def _look(self) -> None:
        for path in ("/v1/models", "/metrics", "/v1/models/tiny-classifier/recent", "/openapi.json"):
            await self._get("look", path)

    async def _get(self, kind: str, path: str) -> None:
        await self._send(kind, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def _json(**values: object) -> bytes:
    return json.dumps(values).encode()


def _line(sample: Sample) -> str:
    return (
        f"{sample.seconds:6.0f} s  {sample.memory / 2**20:6.1f} MiB  {sample.threads} threads  "
        f"{sample.descriptors} descriptors  log {sample.log / 2**20:.1f} MiB"
    )


def targets_of(soak: Soak, code: int, said: str) -> list[Target]:
    """The last fifth beside minute 1: the median of memory, the least of what requests come and go with."""
    samples = soak.samples
    early = [sample for sample in samples if 45 <= sample.seconds <= 75]
    late = samples[-max(3, len(samples) // 5) :]
    failed = sum(count for name, count in soak.statuses.items() if not name.endswith(_fine(name)) and name != "leave")
    targets = [
        Target("no answer but those that were to come", f"{dict(sorted(soak.statuses.items()))}", failed == 0),
        Target("no traceback in what it logs", f"{said.count('Traceback')}", "Traceback" not in said),
        Target("exit code 0 after SIGTERM", f"{code}", code == 0),
    ]
    if not early or late[0].seconds < 90:
        return [*targets, Target("no growth", "less than two minutes", None)]
    first, last = (sorted(each.memory for each in part)[len(part) // 2] for part in (early, late))
    growth = last / first - 1
    memory = f"{first / 2**20:.1f} MiB at minute 1, {last / 2**20:.1f} at the end: {growth:+.1%}"
    targets.append(Target(f"memory grows by at most {MOST_GROWTH:.0%}", memory, growth <= MOST_GROWTH))
    for name in ("threads", "descriptors"):
        first, last = (min(getattr(each, name) for each in part) for part in (early, late))
        targets.append(Target(f"{name} do not grow", f"{first}, then {last}", last <= first))
    largest = max(sample.log for sample in samples)
    return [*targets, Target("the log stays within its 4 MiB", f"{largest / 2**20:.1f} MiB", largest <= 4 << 20)]


def _fine(name: str) -> tuple[str, ...]:
    """How an outcome of this kind may end."""
    kind = name.partition(" ")[0]
    return {"wrong": ("400", "413", "415", "422"), "job": ("202", "429"), "result": ("200", "409")}.get(kind, ("200",))


if __name__ == "__main__":
    main()
