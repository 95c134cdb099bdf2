"""How many tokens a second a service generates for one caller and for sixteen: ours, and LitServe with the same model.

Both run the same ONNX file and stream each token; the callers' texts begin with different prompts, and that all are
those that PyTorch generates is checked before anything is timed. The services are processes of their own and take
turns; whoever waits is stopped. CPU seconds are those of the service's processes alone.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import torch
from report import Target, quiet
from rich.console import Console
from rich.table import Table
from seq_generation import Size
from services import Service, answers, free_port

from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.language.predictor import build_language_model
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export
from torchworks.shared.models.generator import Generator
from torchworks.shared.models.predictor import save_model
from torchworks.shared.text import ByteLevelBPE, from_json

OURS, LITSERVE = "ours", "LitServe"
SIZE, CONTEXT, PROMPT = Size(4, 128), 320, 8
STREAMS = (1, 16)
MORE = 4
"""How many times as many tokens a second sixteen callers get together as one does."""
HERE = Path(__file__).parent


@dataclass
class Rates:
    """Of one service and number of streams, a number for each round: tokens a second by the clock on the wall, and CPU
    seconds of a thousand tokens."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


Tables = dict[str, dict[str, Rates]]


def make_bundle(folder: Path) -> Generator:
    """An untrained GPT in `folder`/bundle: it costs what a trained one costs."""
    torch.manual_seed(0)
    tokenizer = ByteLevelBPE.train([(HERE / "race.py").read_text()], size=512, specials=("<pad>", "<unk>", "<end>"))
    files = {"tokenizer.json": tokenizer.to_json()}
    options = {"depth": SIZE.depth, "embed_dim": SIZE.embed_dim, "num_heads": SIZE.num_heads, "drop_rate": 0.0}
    config = {"model": "gpt", "context": CONTEXT, "first": -1, "net": options}
    generator = build_language_model(config, files).eval()
    with torch.no_grad():
        for name, parameter in generator.net.named_parameters():
            if name.endswith("weight") and parameter.ndim == 2:
                parameter.mul_(4)  # so large that logits differ clearly
    text = torch.tensor(prompts(len(tokenizer)))
    save_model(
        folder / "run", generator, package="seq-models", recipe="bench", builder="seq-models-language", config=config,
        golden={"text": text[:2], "length": torch.full((2,), PROMPT)}, files=files,
        samples={"text": text, "length": torch.full((len(text),), PROMPT)},
        preprocessing={"text": {"tokenizer": "tokenizer.json"}},
    )  # fmt: skip
    export(Export(folder / "run", out=folder / "bundle", seconds=0, name="lm"))
    return generator


def prompts(vocabulary: int) -> list[list[int]]:
    drawn = torch.randint(1, vocabulary, (max(STREAMS), PROMPT), generator=torch.Generator().manual_seed(1))
    return drawn.tolist()


@contextmanager
def started(name: str, bundle: Path) -> Iterator[Service]:
    """A service, stopped until its turn."""
    port = free_port()
    words = {
        OURS: ["-m", "torchworks.serving", "serve", str(bundle), "--port", str(port), "--texts", str(max(STREAMS))],
        LITSERVE: [str(HERE / "litserve_generation_peer.py"), str(bundle), str(port)],
    }[name]
    path = {OURS: "/v1/models/lm/generate", LITSERVE: "/predict"}[name]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, *words], stdout=said, stderr=said, start_new_session=True)
        service = Service(process, f"http://127.0.0.1:{port}{path}")
        try:
            if not answers(port, process):
                said.seek(0)
                raise SystemExit(f"{name} does not start:\n{said.read().decode()[-2000:]}")
            yield service
        finally:
            service.end()


# ---- callers ---------------------------------------------------------------------------------------------


async def streamed(url: str, asked: list[list[int]], steps: int) -> list[bytes]:
    """All streams at once, each whole."""

    async def one(client: httpx2.AsyncClient, prompt: list[int]) -> bytes:
        body: dict[str, Any] = {"prompt": prompt, "max_tokens": steps}
        body |= {"stream": True, "temperature": 0} if url.endswith("/generate") else {}
        async with client.stream("POST", url, json=body) as response:
            response.raise_for_status()
            return b"".join([part async for part in response.aiter_bytes()])

    async with httpx2.AsyncClient(timeout=120) as client:
        return list(await asyncio.gather(*(one(client, prompt) for prompt in asked)))


def text_of(answer: bytes, decode: Callable[[list[int]], str]) -> str:
    """What was generated: pieces of text in events, or ids in lines."""
    if answer.startswith(b"data: "):
        events = [json.loads(part.removeprefix(b"data: ")) for part in answer.split(b"\n\n") if part]
        return "".join(each.get("text", "") for each in events)
    return decode([json.loads(line)["token"] for line in answer.replace(b"}{", b"}\n{").splitlines() if line])


def cpu_seconds(group: int) -> float:
    """User and system time of all processes of a group."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(parts[2]) == group:
            total += int(parts[11]) + int(parts[12])
    return total / os.sysconf("SC_CLK_TCK")


# ---- what is compared ------------------------------------------------------------------------------------


def throughput(console: Console, *, steps: int, rounds: int) -> Tables:
    """Prints a table for each number of streams. Raises `AssertionError` if a service generates another text."""
    found: Tables = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        with quiet():
            generator = make_bundle(folder)
        tokenizer = from_json((folder / "bundle" / "tokenizer.json").read_bytes())
        asked = prompts(len(tokenizer))
        wanted = [tokenizer.decode(ids) for ids in complete(generator.net, asked, steps=steps)]
        running = {each: stack.enter_context(started(each, folder / "bundle")) for each in (OURS, LITSERVE)}
        for each, service in running.items():
            written = asyncio.run(streamed(service.url, asked, steps))
            assert [text_of(answer, tokenizer.decode) for answer in written] == wanted, f"{each}: another text"
            service.stop()
        for streams in STREAMS:
            table = found[f"{streams} stream{'s' * (streams > 1)}"] = {each: Rates() for each in running}
            for _ in range(rounds):
                for each, service in running.items():
                    _turn(service, asked[:streams], steps, table[each])
    for title, table in found.items():
        _print(console, title, table)
    return found


def _turn(service: Service, asked: list[list[int]], steps: int, rates: Rates) -> None:
    with service.turn():
        before, begun = cpu_seconds(service.process.pid), time.perf_counter()
        asyncio.run(streamed(service.url, asked, steps))
        tokens = len(asked) * steps
        rates.wall.append(tokens / (time.perf_counter() - begun))
        rates.processor.append(1000 * (cpu_seconds(service.process.pid) - before) / tokens)


def _print(console: Console, title: str, table: dict[str, Rates]) -> None:
    shown = Table(title=f"service, GPT {SIZE.name}, {title}", title_justify="left", min_width=100)
    for column in ("service", "tokens a second: lowest", "median", "highest", "CPU seconds of 1,000 tokens"):
        shown.add_column(column, justify="left" if column == "service" else "right")
    for name, rates in table.items():
        speeds = (min(rates.wall), statistics.median(rates.wall), max(rates.wall))
        shown.add_row(name, *(f"{each:,.0f}" for each in speeds), f"{statistics.median(rates.processor):.2f}")
    console.print(shown)


def targets(tables: Tables) -> list[Target]:
    """That callers together get more tokens, and more than by LitServe."""
    one, many = (statistics.median(table[OURS].wall) for table in tables.values())
    (others,) = [statistics.median(tables[name][LITSERVE].wall) for name in list(tables)[1:]]
    return [
        Target(f"service: {max(STREAMS)} streams get at least {MORE} × one's tokens", f"{many / one:.2f} ×",
               many >= MORE * one),
        Target(f"service: {max(STREAMS)} streams get at least LitServe's tokens", f"{many / others:.2f} ×",
               many >= others),
    ]  # fmt: skip
