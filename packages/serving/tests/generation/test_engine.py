"""Texts share a batch and never harm each other: each is as if it were alone."""

import asyncio
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from generator_bundles import BROKEN, SPECS, TOKENIZER, advance_of, lone, write

from torchworks.serving.errors import Refusal
from torchworks.serving.generation import engine as engines
from torchworks.serving.generation.engine import GenerationEngine
from torchworks.serving.generation.prompts import CHUNK
from torchworks.serving.generation.text_stream import TextStream
from torchworks.serving.generation.texts import Generated, Options, Text
from torchworks.serving.limits import Limits
from torchworks.shared.text.sampling import GREEDY, Sampling

LIMITS = Limits(generate_rows=4)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("generators")
    for name in SPECS:
        write(name, path / name)
    return path


@pytest.fixture(params=SPECS)
def name(request) -> str:
    return request.param


def made(folder: Path, name: str, limits: Limits = LIMITS, wrap=lambda advance: advance) -> GenerationEngine:
    return GenerationEngine(wrap(advance_of(folder / name, name)), SPECS[name], limits)


def request(prompt: str | list[int], most: int = 20, stop=(), **options) -> Generated:
    sampling = options.pop("sampling", GREEDY)
    ids = TOKENIZER.encode(prompt) if isinstance(prompt, str) else prompt
    return Generated([Text(0, ids, Options(sampling, 0, most, stop, **options), TextStream(TOKENIZER, stop))])


async def text_of(engine: GenerationEngine, asked: Generated) -> str:
    engine.submit(asked)
    return "".join([piece.text async for piece in asked.pieces()])


async def ids_of(engine: GenerationEngine, asked: Generated) -> list[int]:
    await text_of(engine, asked)
    return asked.texts[0].generated


def test_texts_of_different_lengths_that_join_at_different_times_are_as_if_alone(folder, name):
    prompts = ["a", "bcd", "efg" * 9, "é世", "ab", "gfe", "c" * 40]
    wanted = [lone(folder / name, name, prompt, 20 + 5 * i) for i, prompt in enumerate(prompts)]
    engine = made(folder, name)

    async def run():
        async def late(i, prompt):
            await asyncio.sleep(0.002 * i)
            return await ids_of(engine, request(prompt, 20 + 5 * i))

        return await asyncio.gather(*(late(i, prompt) for i, prompt in enumerate(prompts)))

    assert asyncio.run(run()) == wanted
    assert engine.idle
    engine.close()


def test_a_drawn_text_does_not_depend_on_its_batch(folder, name):
    engine = made(folder, name)

    async def run(others: int):
        asked = request("ab", sampling=Sampling(temperature=0.9, top_p=0.9))
        noise = [ids_of(engine, request("c" * i, 30, sampling=Sampling())) for i in range(1, others + 1)]
        return (await asyncio.gather(ids_of(engine, asked), *noise))[0]

    alone = asyncio.run(run(0))
    assert asyncio.run(run(3)) == alone
    assert asyncio.run(run(9)) == alone
    engine.close()


def test_a_text_whose_logits_are_no_numbers_fails_alone(folder, name):
    engine = made(folder, name)
    wanted = lone(folder / name, name, "abc", 40)

    async def run():
        broken = [ids_of(engine, request([*TOKENIZER.encode("ab"), BROKEN])) for _ in range(6)]
        return await asyncio.gather(
            *broken, *(ids_of(engine, request("abc", 40)) for _ in range(3)), return_exceptions=True
        )

    *broken, a, b, c = asyncio.run(run())
    assert [(type(each), each.code) for each in broken] == [(Refusal, "model_failed")] * 6
    assert a == b == c == wanted
    engine.close()


def test_a_batch_that_fails_is_tried_row_by_row(folder, name):
    poison = TOKENIZER.encode("?")[0]

    def wrap(advance):
        def fails(arrays):
            if (arrays["tokens"] == poison).any():
                raise RuntimeError("it cannot read ?")
            return advance(arrays)

        return fails

    engine = made(folder, name, wrap=wrap)
    wanted = lone(folder / name, name, "abc", 30)

    async def run():
        asked = [request("abc", 30), request("a?"), request("abc", 30), request("?")]
        return await asyncio.gather(*(ids_of(engine, each) for each in asked), return_exceptions=True)

    first, bad, second, worse = asyncio.run(run())
    assert first == second == wanted
    assert isinstance(bad, Refusal)
    assert isinstance(worse, Refusal)
    engine.close()


def slowly(advance):
    def slow(arrays):
        time.sleep(0.01)
        return advance(arrays)

    return slow


def test_a_cancelled_text_leaves_the_batch_at_the_next_step_and_the_others_go_on(folder, name):
    engine = made(folder, name, wrap=slowly)
    wanted = lone(folder / name, name, "abc", 40)

    async def run():
        asked, kept = request("ab", 1000), asyncio.ensure_future(ids_of(engine, request("abc", 40)))
        engine.submit(asked)
        pieces = asked.pieces()
        await anext(pieces)
        await pieces.aclose()
        await asyncio.sleep(0.1)
        assert engine.running_rows == 1
        count = len(asked.texts[0].generated)
        assert await kept == wanted
        assert len(asked.texts[0].generated) == count < 20
        assert engine.idle

    asyncio.run(run())
    engine.close()


def test_a_text_that_waits_and_is_cancelled_is_never_read(folder):
    engine = made(folder, "fixed", replace(LIMITS, generate_rows=1), wrap=slowly)

    async def run():
        first, waits = request("a", 10), request("b", 10)
        going = asyncio.ensure_future(ids_of(engine, first))
        await asyncio.sleep(0.02)
        engine.submit(waits)
        waits.cancel()
        assert len(await going) == 10
        await asyncio.sleep(0.05)
        assert engine.idle
        assert waits.texts[0].generated == []

    asyncio.run(run())
    engine.close()


def test_too_long_a_wait_is_refused_by_tokens_not_by_rows(folder):
    engine = made(folder, "fixed", replace(LIMITS, generate_rows=1, generate_wait=1.0), wrap=slowly)

    async def run():
        short = [request("a", 1) for _ in range(20)]
        for each in short:  # 20 requests of a token each are no long wait
            engine.submit(each)
        await asyncio.gather(*[drained(each) for each in short])
        long = request("a", 1000)
        engine.submit(long)
        with pytest.raises(Refusal) as refused:
            engine.submit(request("a", 1))
        long.cancel()
        return refused.value

    async def drained(asked: Generated) -> None:
        async for _ in asked.pieces():
            pass

    refusal = asyncio.run(run())
    assert refusal.status == 429
    assert 5 <= refusal.retry_after <= 60
    engine.close()


def test_a_text_ends_by_its_end_token_its_stop_string_its_length_or_its_time(folder, monkeypatch):
    engine = made(folder, "grows")
    plain = lone(folder / "grows", "grows", "abc", 20)
    said = TOKENIZER.decode(plain)

    async def finish(asked: Generated) -> tuple[str, str | None]:
        return await text_of(engine, asked), asked.texts[0].finish

    assert asyncio.run(finish(request("abc", 20))) == (said, "length")
    stop = said[6:8]
    assert asyncio.run(finish(request("abc", 20, (stop,)))) == (said[: said.find(stop)], "stop")
    assert asyncio.run(finish(request("abc", 20, deadline=0.0)))[1] == "time"
    monkeypatch.setattr(engine, "spec", replace(engine.spec, end=plain[3]))
    before = TOKENIZER.decode(plain[: plain.index(plain[3])])
    assert asyncio.run(finish(request("abc", 20))) == (before, "stop")
    engine.close()


def test_a_thread_that_dies_tells_everybody_and_another_one_goes_on(folder, monkeypatch, caplog):
    monkeypatch.setattr(engines, "RESTART_SECONDS", 0.01)
    dies = []

    def wrap(advance):
        def deadly(arrays):
            if dies:
                dies.pop()
                raise SystemExit
            return advance(arrays)

        return deadly

    engine = made(folder, "fixed", wrap=wrap)
    wanted = lone(folder / "fixed", "fixed", "abc", 10)

    async def run():
        dies.append(True)
        with pytest.raises(Refusal) as told:
            await ids_of(engine, request("abc", 10))
        while not engine.ready:
            await asyncio.sleep(0.01)
        return told.value, await ids_of(engine, request("abc", 10))

    refusal, found = asyncio.run(run())
    assert (refusal.status, refusal.code) == (503, "restarting")
    assert found == wanted
    engine.close()


def test_a_closed_engine_tells_those_who_wait(folder):
    engine = made(folder, "fixed", wrap=slowly)

    async def run():
        waiting = asyncio.ensure_future(ids_of(engine, request("abc", 1000)))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(engine.close)
        with pytest.raises(Refusal, match="stopping"):
            await waiting

    asyncio.run(run())


def test_texts_that_outgrow_the_model_go_on_from_their_last_half_as_if_alone(folder):
    """Each crosses the limit at least twice, at a time of its own, and the cost of it is known beforehand."""
    spec, read = SPECS["grows"], []

    def counting(advance):
        def counted(arrays):
            if arrays["tokens"].shape[1] > 1:
                read.extend(arrays["length"].tolist())
            return advance(arrays)

        return counted

    prompts, count = ["ab", "bcd", "efg" * 9, "c" * spec.block, "ab" * 30], 2 * spec.block
    wanted = [lone(folder / "grows", "grows", prompt, count) for prompt in prompts]
    engine = made(folder, "grows", wrap=counting)
    read.clear()

    async def run():
        return await asyncio.gather(*(ids_of(engine, request(prompt, count)) for prompt in prompts))

    assert asyncio.run(run()) == wanted
    assert all(len(each) == count for each in wanted)
    assert engine.idle
    engine.close()
    again = sum(spec.read_again(len(prompt), count) for prompt in prompts)
    assert sum(read) == sum(map(len, prompts)) + again > 2 * len(prompts) * spec.kept


def recording(calls: list[tuple[int, ...]]):
    """Notes of each call of the graph how many tokens of each row it read; takes 2 ms for it."""

    def wrap(advance):
        def recorded(arrays):
            calls.append(tuple(arrays["length"].tolist()))
            time.sleep(0.002)
            return advance(arrays)

        return recorded

    return wrap


LONG = "abcdefg" * 800


def test_a_long_prompt_is_read_by_chunks_between_which_the_others_get_their_tokens(folder):
    """Also those that come meanwhile are not kept waiting until it has been read; and its text is as if alone."""
    calls: list[tuple[int, ...]] = []
    engine, wanted = made(folder, "fixed", wrap=recording(calls)), lone(folder / "fixed", "fixed", LONG, 8)
    calls.clear()

    async def run():
        first, long, late = request("ab", 40), request(LONG, 8), request("cd", 1)
        going = [asyncio.ensure_future(ids_of(engine, each)) for each in (first, long)]
        while (CHUNK, 1) not in [(max(call), len(call)) for call in calls]:
            await asyncio.sleep(0.001)
        await ids_of(engine, late)
        assert not long.texts[0].generated
        return await asyncio.gather(*going)

    assert (asyncio.run(run()))[1] == wanted
    chunks = [i for i, call in enumerate(calls) if max(call) == CHUNK]
    assert len(chunks) == len(LONG) // CHUNK
    assert all(max(map(max, calls[i + 1 : j]), default=0) == 1 for i, j in pairwise(chunks[2:]))
    assert max(map(sum, calls)) == CHUNK
    engine.close()


def test_a_long_prompt_whose_client_goes_or_whose_time_is_over_is_read_no_further(folder):
    calls: list[tuple[int, ...]] = []
    engine = made(folder, "fixed", wrap=recording(calls))
    calls.clear()

    async def run():
        left = request(LONG)
        engine.submit(left)
        while not calls:
            await asyncio.sleep(0.001)
        left.cancel()
        late = request(LONG, deadline=time.monotonic() + 0.02)
        assert await ids_of(engine, late) == []
        return late.texts[0].finish

    assert asyncio.run(run()) == "time"
    assert engine.idle
    assert sum(map(sum, calls)) < len(LONG)
    engine.close()


def test_prompts_that_wait_count_for_the_wait_all_together(folder):
    """A place would be free after each alone, but they are read one after the other."""
    gate = threading.Event()
    gate.set()

    def wrap(advance):
        def waits(arrays):
            gate.wait(30)
            return advance(arrays)

        return waits

    engine = made(folder, "fixed", replace(LIMITS, generate_wait=1.0), wrap=wrap)
    gate.clear()  # so that nothing is measured any more
    engine.pace.token = engine.pace.step = 0.0

    async def run():
        many = [request(LONG, 1) for _ in range(5)]
        for each in many:
            engine.submit(each)
        engine.pace.token = 1e-4
        with pytest.raises(Refusal) as refused:
            engine.submit(request("a", 1))
        for each in many:
            each.cancel()
        return refused.value.retry_after

    assert asyncio.run(run()) == 3  # 28,000 tokens
    gate.set()
    engine.close()
