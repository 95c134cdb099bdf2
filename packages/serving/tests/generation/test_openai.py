"""OpenAI's own Python client works with a service, over a real connection."""

import json
import time
from collections.abc import Iterator

import openai
import pytest
from generator_bundles import CHAT, TOKENIZER, lone
from processes import Service, started, until


@pytest.fixture(scope="module")
def ai(service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"http://127.0.0.1:{service.port}/v1", api_key="none", max_retries=0, timeout=60
    ) as made:
        yield made


def said(folder, prompt: str, count: int) -> str:
    return TOKENIZER.decode(lone(folder / "grows", "grows", prompt, count))


def test_models_are_listed(ai):
    listed = ai.models.list().data
    assert {"grows", "fixed", "letters", "tiny-classifier"} == {model.id for model in listed}
    assert {model.object for model in listed} == {"model"}
    assert ai.models.retrieve("grows").id == "grows"


def test_a_text_is_completed(ai, folder):
    found = ai.completions.create(model="grows", prompt="abc", max_tokens=9, temperature=0)
    assert found.object == "text_completion"
    assert found.choices[0].text == said(folder, "abc", 9)
    assert found.choices[0].finish_reason == "length"
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (3, 9)


def test_several_prompts_are_completed_with_several_texts_each(ai, folder):
    found = ai.completions.create(model="grows", prompt=["abc", "d"], n=2, max_tokens=5, temperature=0)
    assert [choice.index for choice in found.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in found.choices] == [said(folder, prompt, 5) for prompt in ("abc", "abc", "d", "d")]


def test_a_text_is_streamed(ai, folder):
    chunks = list(
        ai.completions.create(
            model="grows", prompt="abc", max_tokens=9, stream=True, stream_options={"include_usage": True}
        )
    )
    *pieces, usage = chunks
    assert "".join(chunk.choices[0].text for chunk in pieces) == said(folder, "abc", 9)
    assert pieces[-1].choices[0].finish_reason == "length"
    assert len(pieces) > 4
    assert usage.usage.completion_tokens == 9
    assert usage.choices == []


def test_a_text_ends_before_a_stop_string(ai, folder):
    whole = said(folder, "abc", 20)
    stop = whole[4:6]
    found = ai.completions.create(model="grows", prompt="abc", max_tokens=20, stop=[stop])
    assert (found.choices[0].text, found.choices[0].finish_reason) == (whole[: whole.find(stop)], "stop")


MESSAGES = [{"role": "system", "content": "Short."}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]
FOREVER = 1_000_000_000
"""Tokens of a text that is still being written when its test is over, on any machine."""


def test_a_conversation_becomes_a_text_by_the_models_template(ai, folder):
    prompt = CHAT.prompt([("system", "Short."), ("user", "hi")])
    assert prompt == "[system] Short.\n[user] hi\n[assistant] "
    whole = said(folder, prompt, 40).split("\n")[0]
    found = ai.chat.completions.create(model="grows", messages=MESSAGES, max_completion_tokens=40)
    assert found.choices[0].message.role == "assistant"
    assert found.choices[0].message.content == whole.strip()
    chunks = list(ai.chat.completions.create(model="grows", messages=MESSAGES, max_tokens=40, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert chunks[-1].choices[0].finish_reason == found.choices[0].finish_reason


def test_the_services_own_options_are_taken_too(ai):
    asked = {"model": "fixed", "prompt": "ab", "max_tokens": 10, "seed": 3}
    narrow = ai.completions.create(**asked, temperature=1, extra_body={"top_k": 1})
    greedy = ai.completions.create(**asked, temperature=0)
    assert narrow.choices[0].text == greedy.choices[0].text


def test_a_stream_that_is_left_ends_the_generation(ai, service: Service):
    stream = ai.completions.create(model="fixed", prompt="abc", max_tokens=20000, temperature=0, stream=True)
    for _ in range(3):
        next(iter(stream))
    until(lambda: service.metric("serving_in_flight_rows") == 1, "one text is generated")
    stream.close()
    until(lambda: service.metric("serving_in_flight_rows") == 0, "the text has left the batch")
    until(lambda: service.metric('serving_requests_total{.*status="499".*}') >= 1, "it is counted as left")


def test_a_request_that_is_left_ends_the_generation(service: Service):
    before = service.metric('serving_requests_total{.*status="499".*}')
    body = json.dumps({"model": "fixed", "prompt": "abc", "max_tokens": 20000}).encode()
    with service.connect() as connection:
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        until(lambda: service.metric("serving_in_flight_rows") == 1, "the text is generated")
    until(lambda: service.metric("serving_in_flight_rows") == 0, "the text has left the batch")
    until(lambda: service.metric('serving_requests_total{.*status="499".*}') > before, "it is counted as left")


def test_mistakes_are_errors_as_the_client_knows_them(ai):
    with pytest.raises(openai.NotFoundError) as missing:
        ai.completions.create(model="nobody", prompt="a")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        ai.completions.create(model="grows", prompt="a" * 500)
    assert long.value.code == "context_length_exceeded"
    assert "reads 120 at most" in long.value.message
    with pytest.raises(openai.BadRequestError, match="1000000 tokens, but this service reads 32768 at most") as huge:
        ai.completions.create(model="fixed", prompt="a" * 1_000_000)
    assert huge.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="this service reads 32768 at most"):
        ai.chat.completions.create(model="fixed", messages=[{"role": "user", "content": "a" * 40_000}])
    with pytest.raises(openai.BadRequestError, match="'n' must be a whole number from 1 to 64"):
        ai.chat.completions.create(model="fixed", messages=[{"role": "user", "content": "a"}], n=1000)
    with pytest.raises(openai.BadRequestError, match="There is no field 'best_of'"):
        ai.completions.create(model="fixed", prompt="a", best_of=1000)
    with pytest.raises(openai.BadRequestError, match="does not generate text"):
        ai.chat.completions.create(model="tiny-classifier", messages=[{"role": "user", "content": "a"}])
    with pytest.raises(openai.BadRequestError, match="There is no field 'logprobs'"):
        ai.completions.create(model="grows", prompt="a", logprobs=3)
    with pytest.raises(openai.BadRequestError, match="temperature must be 0 or more"):
        ai.completions.create(model="grows", prompt="a", temperature=-1)
    with pytest.raises(openai.BadRequestError, match="reads nothing else"):
        ai.chat.completions.create(
            model="grows",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        )


def test_what_a_model_does_not_know_of_a_prompt_is_said_beside_what_the_client_knows(ai):
    asked = {"model": "letters", "max_tokens": 3, "messages": [{"role": "user", "content": "ABC"}]}
    (said,) = ai.chat.completions.create(**asked).warnings
    assert "'A' (U+0041), 'B' (U+0042), 'C' (U+0043)" in said
    *chunks, last = ai.chat.completions.create(**asked, stream=True)
    assert last.warnings == [said]
    assert last.choices[0].finish_reason == "length"
    assert not any(hasattr(chunk, "warnings") for chunk in chunks)


def test_a_stream_comes_as_it_is_made(ai):
    began = time.monotonic()
    first = None
    for _ in ai.completions.create(model="fixed", prompt="abc", max_tokens=3000, temperature=0, stream=True):
        first = first or time.monotonic() - began
    assert first < (time.monotonic() - began) / 2


def test_a_flood_is_refused_with_the_time_to_wait_and_those_that_were_taken_are_answered(folder, tmp_path):
    """One text at a time, and one that takes long is being written."""
    with started(tmp_path / "log", folder / "fixed", "--texts", 1, "--max-tokens", FOREVER) as service:
        address = f"http://127.0.0.1:{service.port}/v1"
        with openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=60) as ai:
            long = ai.completions.create(model="fixed", prompt="abc", max_tokens=FOREVER, temperature=0, stream=True)
            next(iter(long))
            with pytest.raises(openai.RateLimitError) as refused:
                ai.completions.create(model="fixed", prompt="abc", max_tokens=1)
            assert int(refused.value.response.headers["Retry-After"]) >= 10
            body = json.dumps({"prompt": "abc", "max_tokens": 1}).encode()
            again = service.ask("POST", "/v1/models/fixed/generate", body, Content_Type="application/json")
            assert (again.status, again.json()["error"]["code"]) == (429, "busy")
            long.close()
            until(lambda: service.metric("serving_in_flight_rows") == 0, "the long one has left")
            assert ai.completions.create(model="fixed", prompt="abc", max_tokens=1).choices[0].finish_reason == "length"
