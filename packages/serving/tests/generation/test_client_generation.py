"""The Python client and a model that writes, over a real socket."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from generator_bundles import BROKEN, TOKENIZER, lone
from processes import Service, until

from torchworks.serving.client import AsyncClient, Client, ServiceError, TextPiece
from torchworks.serving.client.generation import Pieces


@pytest.fixture
def ours(service: Service) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{service.port}", timeout=30) as client:
        yield client


def said(folder, prompt: str, count: int) -> str:
    return TOKENIZER.decode(lone(folder / "grows", "grows", prompt, count))


def writes(service: Service, rows: int) -> None:
    until(lambda: service.metric("serving_in_flight_rows") == rows, f"{rows} texts are written")


def test_a_text_comes_with_why_it_ended_and_how_long_it_is(ours, folder):
    found = ours.generate("grows", "abc", max_tokens=9)
    assert found.text == said(folder, "abc", 9)
    assert (found[0].finish_reason, found[0].tokens) == ("length", 9)
    assert (found.model, found.version) == ("grows", "1")
    assert (found.prompt_tokens, found.completion_tokens) == (3, 9)
    stopped = ours.generate("grows", "abc", max_tokens=9, stop=(found.text[3:5],))
    assert (stopped.text, stopped[0].finish_reason) == (found.text[: found.text.find(found.text[3:5])], "stop")


def test_several_prompts_and_token_ids_can_be_continued_and_a_seed_draws_the_same_again(ours, folder):
    several = ours.generate("grows", ["abc", TOKENIZER.encode("é")], max_tokens=6)
    assert [each.text for each in several] == [said(folder, "abc", 6), said(folder, "é", 6)]
    assert ours.generate("grows", TOKENIZER.encode("abc"), max_tokens=6).text == several[0].text
    drawn = ours.generate("fixed", "abc", max_tokens=30, temperature=1.0, n=2)
    assert len(drawn) == 2
    assert ours.generate("fixed", "abc", max_tokens=30, temperature=1.0, n=2, seed=drawn.seed).texts == drawn.texts


def test_the_pieces_of_a_stream_are_the_text(ours):
    whole = ours.generate("fixed", ["abc", "é世"], max_tokens=40, seed=5)
    with ours.stream("fixed", ["abc", "é世"], max_tokens=40, seed=5) as stream:
        pieces = list(stream)
    for index, text in enumerate(whole):
        mine = [piece for piece in pieces if piece.index == index]
        assert "".join(piece.text for piece in mine) == text.text
        assert [piece.finish_reason for piece in mine if piece.finish_reason] == [text.finish_reason]
    assert stream.seed == 5
    assert stream.usage["completion_tokens"] == whole.completion_tokens


@pytest.mark.parametrize("way", ["closed", "left", "forgotten"])
def test_a_stream_that_is_left_ends_the_writing(ours, service, way):
    stream = ours.stream("fixed", "abc", max_tokens=20_000, temperature=0)
    assert isinstance(next(stream), TextPiece)
    writes(service, 1)
    if way == "closed":
        stream.close()
        assert list(stream) == []
    elif way == "left":
        with stream:
            pass
    else:
        del stream
        gc.collect()
    writes(service, 0)
    assert ours.generate("fixed", "abc", max_tokens=1).completion_tokens == 1  # the client goes on


def test_refusals_are_the_clients_own_errors(ours):
    for ask in (ours.generate, ours.stream):
        with pytest.raises(ServiceError, match="There is no such model") as missing:
            ask("nobody", "abc")
        assert (missing.value.status, missing.value.code) == (404, "no_such_model")
        with pytest.raises(ServiceError, match="temperature must be 0 or more") as wrong:
            ask("grows", "abc", temperature=-1)
        assert wrong.value.status == 422
        assert wrong.value.request_id


def test_a_text_that_fails_within_a_stream_is_an_error_with_the_requests_number(ours):
    with pytest.raises(ServiceError) as failed:
        list(ours.stream("grows", [BROKEN], max_tokens=5))
    assert (failed.value.status, failed.value.code) == (200, "model_failed")
    assert failed.value.request_id


def test_the_client_for_asyncio_writes_streams_and_leaves_too(service, folder):
    async def all_of_it() -> None:
        async with AsyncClient(f"http://127.0.0.1:{service.port}", timeout=30) as client:
            assert (await client.generate("grows", "abc", max_tokens=9)).text == said(folder, "abc", 9)
            async with await client.stream("grows", "abc", max_tokens=9) as stream:
                assert "".join([piece.text async for piece in stream]) == said(folder, "abc", 9)
            assert stream.usage["completion_tokens"] == 9
            with pytest.raises(ServiceError, match="There is no such model"):
                await client.stream("nobody", "abc")
            left = await client.stream("fixed", "abc", max_tokens=20_000, temperature=0)
            assert (await anext(left)).index == 0
            await left.close()
            await asyncio.to_thread(writes, service, 0)

    asyncio.run(all_of_it())


@pytest.fixture
def breaking() -> Iterator[str]:
    """The address of a service that closes the connection within a text."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b'data: {"index":0,"text":"To"}\n\n')

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_stream_that_breaks_is_not_taken_for_a_whole_text(breaking):
    with Client(breaking) as client:
        stream = client.stream("any", "abc")
        assert next(stream).text == "To"
        with pytest.raises(ServiceError, match="broke before its end") as broken:
            next(stream)
        assert broken.value.code == "unreachable"


def test_pieces_come_whole_however_the_bytes_are_cut_and_whatever_breaks_lines_elsewhere():
    piece, last = '{"index":0,"text":"a\u2028b\x85c"}', '{"usage":{"total_tokens":1},"seed":3}'
    sent = f": still working\n\ndata: {piece}\n\ndata: {last}\n\n".encode()
    for size in (1, 2, 7, len(sent)):
        read = Pieces()
        pieces = [piece for at in range(0, len(sent), size) for piece in read.feed(sent[at : at + size])]
        assert pieces == [TextPiece(0, "a\u2028b\x85c")]
        assert (read.last["seed"], read.ended) == (3, True)
