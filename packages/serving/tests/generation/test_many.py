"""Hundreds of mixed requests at once: nobody gets another's text, those who leave harm nobody, nothing is left over.

Each prompt is the caller's own, and each answer by the likeliest tokens is compared with what the model writes alone.
Run with `-s` to see the counts.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from generator_bundles import BROKEN, TOKENIZER, lone
from processes import Service, started, until

AT_ONCE = 100
GROWN = 48 << 20
"""Bytes that a service may have grown by, once it has answered as many requests before."""
FEW = """
from torchworks.serving import limits
import dataclasses
class Patient(limits.Limits):
    def __init__(self, **given):
        super().__init__(**{"generate_wait": 1e9, "queue_rows": 100_000, "concurrent": 4096, **given})
limits.Limits = Patient
"""


@dataclass(frozen=True)
class Caller:
    """What number `number` asks for: all follows from it."""

    number: int

    @property
    def kind(self) -> str:
        return ("whole", "stream", "openai", "leaves", "whole", "stream", "chat", "broken", "leaves early", "seeded")[
            self.number % 10
        ]

    @property
    def model(self) -> str:
        return ("grows", "fixed")[self.number // 10 % 2]

    @property
    def prompt(self) -> str:
        letters = random.Random(self.number).choices("abcdefg é世\n", k=1 + self.number % 30)
        return "".join(letters)

    @property
    def tokens(self) -> int:
        return 2 + self.number * 7 % 29

    def request(self) -> tuple[str, dict]:
        asked = {"prompt": self.prompt, "max_tokens": self.tokens, "temperature": 0}
        if self.kind in ("openai", "seeded"):
            drawn = {"temperature": 0.9, "seed": 7} if self.kind == "seeded" else {}
            return "/v1/completions", asked | {"model": self.model} | drawn
        if self.kind == "chat":
            messages = [{"role": "user", "content": self.prompt}]
            return "/v1/chat/completions", {"model": "grows", "messages": messages, "max_tokens": self.tokens}
        if self.kind == "broken":
            asked["prompt"] = [*TOKENIZER.encode(self.prompt), BROKEN]
        if self.kind in ("leaves", "leaves early"):
            asked |= {"max_tokens": 5000, "stream": self.number % 20 < 10}
        if self.kind == "stream":
            asked["stream"] = True
        model = "fixed" if self.kind.startswith("leaves") else self.model
        return f"/v1/models/{model}/generate", asked


async def answered(port: int, caller: Caller) -> tuple[Caller, int, str]:
    """Status and text; 0 for those who leave."""
    path, asked = caller.request()
    body = json.dumps(asked).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        if caller.kind.startswith("leaves"):
            await asyncio.sleep(0.001 if caller.kind == "leaves early" else 0.2)
            return caller, 0, ""
        head = await reader.readuntil(b"\r\n\r\n")
        rest = await reader.read()
    finally:
        writer.close()
    status = int(head.split()[1])
    return caller, status, text_of(rest, b"event-stream" in head) if status == 200 else rest.decode()


def text_of(body: bytes, streamed: bool) -> str:
    if streamed:
        lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
        return "".join(json.loads(line[6:]).get("text", "") for line in lines)
    answer = json.loads(body)
    found = (answer.get("texts") or answer["choices"])[0]
    return found["message"]["content"] if "message" in found else found["text"]


async def all_answered(port: int, callers: list[Caller]) -> list[tuple[Caller, int, str]]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(caller: Caller) -> tuple[Caller, int, str]:
        async with room:
            return await answered(port, caller)

    return await asyncio.gather(*map(one, callers))


@pytest.fixture(scope="module")
def patient(folder, tmp_path_factory) -> Iterator[Service]:
    """A service that refuses nobody."""
    said = tmp_path_factory.mktemp("patient") / "log"
    with started(said, folder / "grows", folder / "fixed", "--max-tokens", 5000, before=FEW) as made:
        yield made


@pytest.mark.parametrize("requests", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_nobody_gets_anothers_text_and_nothing_is_left_over(patient, folder, requests):
    asyncio.run(all_answered(patient.port, [Caller(number) for number in range(60)]))  # what grows once has grown
    until(lambda: patient.metric("serving_in_flight_rows") == 0, "the first ones are done")
    time.sleep(0.5)
    memory, descriptors, threads = patient.memory, patient.descriptors, patient.threads

    found = asyncio.run(all_answered(patient.port, [Caller(number) for number in range(requests)]))

    counts = Counter(caller.kind for caller, _, _ in found)
    seeded = Counter()
    for caller, status, text in found:
        if caller.kind in ("whole", "stream", "openai"):
            wanted = TOKENIZER.decode(lone(folder / caller.model, caller.model, caller.prompt, caller.tokens))
            assert (status, text) == (200, wanted), caller
        elif caller.kind == "chat":
            prompt = f"[user] {caller.prompt}\n[assistant] "
            whole = TOKENIZER.decode(lone(folder / "grows", "grows", prompt, caller.tokens))
            assert (status, text) == (200, whole.split("\n")[0].strip()), caller
        elif caller.kind == "broken":
            assert status == 500, (caller, status, text)
            assert "model_failed" in text
        elif caller.kind == "seeded":
            assert status == 200
            seeded[caller, text] += 1
    again = asyncio.run(all_answered(patient.port, [caller for caller, _ in seeded]))
    assert {(caller, text) for caller, _, text in again} == set(seeded)  # alone or not, the seed draws the same

    until(lambda: patient.metric("serving_in_flight_rows") + patient.metric("serving_queue_rows") == 0, "all is done")
    until(lambda: patient.descriptors <= descriptors + 4, "connections are closed")
    grown = patient.memory - memory
    print(
        f"\n{requests} requests {dict(counts)}: grown by {grown / 2**20:.1f} MiB, threads {threads} → {patient.threads}"
    )
    assert grown < GROWN
    assert patient.threads <= threads + 2
    assert "Traceback" not in patient.log().replace("the model failed", "")
