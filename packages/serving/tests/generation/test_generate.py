"""`POST /v1/models/NAME/generate`: options, texts, pieces, refusals, and what is recorded of it."""

import json

import numpy as np
import pytest
from generator_bundles import BLOCK, BROKEN, TOKENIZER, lone

GENERATE = "/v1/models/grows/generate"


def events(answer) -> list[dict]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]


def said(folder, prompt: str, count: int, name: str = "grows") -> str:
    return TOKENIZER.decode(lone(folder / name, name, prompt, count))


def test_the_likeliest_text_is_that_of_the_model_alone(client, folder):
    for name in ("grows", "fixed"):
        answer = client.post(f"/v1/models/{name}/generate", json={"prompt": "abc", "max_tokens": 9, "temperature": 0})
        assert answer.status_code == 200
        body = answer.json()
        assert body["texts"] == [
            {"index": 0, "text": said(folder, "abc", 9, name), "finish_reason": "length", "tokens": 9}
        ]
        assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
        assert (body["model"], body["version"]) == (name, "1")


def test_pieces_together_are_the_text(client, folder):
    asked = {"prompts": ["abc", "é"], "max_tokens": 12}
    whole = client.post(GENERATE, json=asked).json()
    *pieces, last = events(client.post(GENERATE, json=asked | {"stream": True}))
    assert {"usage", "seed"} == last.keys()
    assert last["usage"] == whole["usage"]
    for text in whole["texts"]:
        mine = [piece for piece in pieces if piece["index"] == text["index"]]
        assert "".join(piece["text"] for piece in mine) == text["text"]
        assert [piece.get("finish_reason") for piece in mine] == [None] * (len(mine) - 1) + ["length"]
    assert whole["texts"][0]["text"] == said(folder, "abc", 12)


def test_a_seed_draws_the_same_text_again_whatever_else_is_asked_for(client):
    asked = {"max_tokens": 10, "temperature": 1.0, "seed": 5}
    alone = client.post(GENERATE, json={"prompt": "abc"} | asked).json()
    among = client.post(GENERATE, json={"prompts": ["dddd", "abc", "e"]} | asked).json()
    other = client.post(GENERATE, json={"prompt": "abc"} | asked | {"seed": 6}).json()
    assert alone["seed"] == 5
    assert among["texts"][1]["text"] == alone["texts"][0]["text"] != other["texts"][0]["text"]


def test_a_text_without_a_seed_can_be_drawn_again_by_the_one_that_is_answered(client):
    first = client.post(GENERATE, json={"prompt": "ab", "temperature": 1.0}).json()
    again = client.post(GENERATE, json={"prompt": "ab", "temperature": 1.0, "seed": first["seed"]}).json()
    assert first["texts"] == again["texts"]


def test_several_texts_of_a_prompt_differ(client):
    texts = client.post(GENERATE, json={"prompt": "ab", "temperature": 1.0, "n": 3, "seed": 0}).json()["texts"]
    assert len({text["text"] for text in texts}) == 3
    assert [text["index"] for text in texts] == [0, 1, 2]


def test_a_text_ends_before_a_stop_string(client, folder):
    whole = said(folder, "abc", 20)
    stop = whole[5:7]
    text = client.post(GENERATE, json={"prompt": "abc", "max_tokens": 20, "stop": stop}).json()["texts"][0]
    assert (text["text"], text["finish_reason"]) == (whole[: whole.find(stop)], "stop")


def test_a_text_goes_on_beyond_what_the_model_reads_at_once(client, folder):
    asked = {"prompts": ["abc", "a" * BLOCK, "e" * (BLOCK - 3)], "max_tokens": 2 * BLOCK}
    answer = client.post(GENERATE, json=asked).json()
    assert [text["text"] for text in answer["texts"]] == [said(folder, each, 2 * BLOCK) for each in asked["prompts"]]
    assert {text["finish_reason"] for text in answer["texts"]} == {"length"}
    assert answer["usage"]["completion_tokens"] == 3 * 2 * BLOCK


def test_token_ids_can_be_the_prompt(client, folder):
    text = client.post(GENERATE, json={"prompt": TOKENIZER.encode("abc"), "max_tokens": 9}).json()["texts"][0]["text"]
    assert text == said(folder, "abc", 9)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "Give either 'prompt' or 'prompts'."),
        ({"prompt": "a", "prompts": ["b"]}, 422, "Give either"),
        ({"prompt": 5}, 422, "must be a text or a list of token ids"),
        ({"prompts": []}, 422, "not empty"),
        ({"prompts": "a"}, 422, "must be a list of texts or of lists"),
        ({"prompt": ["a"]}, 422, "'prompts' are several"),
        ({"prompt": ""}, 422, "The prompt is empty"),
        ({"prompt": [-1]}, 422, "Token ids must be whole numbers from 0 to"),
        ({"prompt": "a" * (BLOCK + 1)}, 422, f"at least {BLOCK + 1} tokens, but this model reads {BLOCK} at most"),
        ({"prompt": "a", "max_tokens": 0}, 422, "'max_tokens' must be a whole number from 1 to 1024"),
        ({"prompt": "a", "max_tokens": True}, 422, "'max_tokens' must be a whole number"),
        ({"prompt": "a", "temperature": -1}, 422, "temperature must be 0 or more"),
        ({"prompt": "a", "temperature": "hot"}, 422, "'temperature' must be a number"),
        ({"prompt": "a", "top_p": 0}, 422, "top_p must be above 0"),
        ({"prompt": "a", "top_k": 1.5}, 422, "'top_k' must be a whole number"),
        ({"prompt": "a", "stop": [""]}, 422, "'stop' must be a string of 1 to 256 characters"),
        ({"prompt": "a", "seed": -1}, 422, "'seed' must be a whole number"),
        ({"prompt": "a", "stream": "yes"}, 422, "'stream' must be true or false"),
        ({"prompt": "a", "temprature": 1}, 422, "There is no field 'temprature'. Did you mean 'temperature'?"),
        ({"prompt": "a", "stream": None}, 422, "'stream' may be left out, but it must not be null"),
        ({"prompt": "a", "n": 65}, 422, "'n' must be a whole number from 1 to 64"),
        ({"prompt": "a", "beams": 100}, 422, "There is no field 'beams'"),
        ({"prompt": "a", "stop": ["a"] * 17}, 422, "'stop' may have 16 strings at most"),
        ({"prompts": ["a"] * 33, "n": 2}, 413, "64 texts at most"),
    ],
)  # fmt: skip
def test_a_request_that_does_not_fit_is_told_so_in_a_sentence(client, body, status, says):
    answer = client.post(GENERATE, json=body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]


def test_a_prompt_longer_than_the_service_reads_is_refused_by_length_and_limit(client):
    """Of a model that itself reads any length."""
    for prompt in ("a" * 1_000_000, [5] * 100_000):
        answer = client.post("/v1/models/fixed/generate", json={"prompt": prompt})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "context_length_exceeded")
        assert f" {len(prompt)} tokens, but this service reads 32768 at most" in answer.json()["error"]["message"]
    for inputs in ({"text": "a" * 1_000_000}, {"text": [[5] * 100_000]}):
        answer = client.post("/v1/models/fixed/predict", json={"inputs": inputs})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "text_too_long")
        assert "tokens, but this service reads 32768 at most" in answer.json()["error"]["message"]


def test_an_answer_says_what_of_a_prompt_the_model_does_not_know(client):
    url, says = "/v1/models/letters/generate", "parts that the model has not seen in training and reads as unknown"
    assert "warnings" not in client.post(url, json={"prompt": "abc", "max_tokens": 2}).json()
    answer = client.post(url, json={"prompt": "ab 7", "max_tokens": 2}).json()
    assert answer["warnings"] == [f"The prompt has {says}: ' ' (U+0020), '7' (U+0037)."]
    asked = {"prompts": ["abc", "A"], "max_tokens": 2, "stream": True}
    *pieces, last = events(client.post(url, json=asked))
    assert last["warnings"] == [f"The prompt has, in row 2, {says}: 'A' (U+0041)."]
    assert not any("warnings" in piece for piece in pieces)


def test_predict_reads_a_long_text_by_chunks_to_the_same_answer(client, folder):
    text = "abcdefg" * 200
    outputs = client.post("/v1/models/fixed/predict", json={"inputs": {"text": [text, "ab"]}}).json()["outputs"]
    found = [int(np.argmax(row)) for row in outputs["logits"]]
    assert found == [lone(folder / "fixed", "fixed", each, 1)[0] for each in (text, "ab")]


def test_what_is_no_json_object_is_refused(client):
    headers = {"Content-Type": "application/json"}
    assert client.post(GENERATE, content=b"[1]", headers=headers).status_code == 422
    assert client.post(GENERATE, content=b"{", headers=headers).status_code == 400
    assert client.post(GENERATE, content=b"a text", headers={"Content-Type": "text/plain"}).status_code == 415


def test_a_model_that_is_no_generator_says_what_it_does(client):
    answer = client.post("/v1/models/tiny-classifier/generate", json={"prompt": "a"})
    assert answer.status_code == 422
    assert "does not generate text" in answer.json()["error"]["message"]
    assert client.post("/v1/models/nobody/generate", json={"prompt": "a"}).status_code == 404


def test_a_text_that_fails_fails_alone_and_in_a_stream_by_an_event(client, folder):
    bad = {"prompt": [*TOKENIZER.encode("ab"), BROKEN]}
    assert client.post(GENERATE, json=bad).status_code == 500
    assert events(client.post(GENERATE, json=bad | {"stream": True}))[-1]["error"]["code"] == "model_failed"
    good = client.post(GENERATE, json={"prompt": "abc", "max_tokens": 9}).json()
    assert good["texts"][0]["text"] == said(folder, "abc", 9)


def test_predict_answers_the_logits_of_what_comes_next(client, folder):
    outputs = client.post("/v1/models/grows/predict", json={"inputs": {"text": ["abc", "a"]}}).json()["outputs"]
    assert int(np.argmax(outputs["logits"][0])) == lone(folder / "grows", "grows", "abc", 1)[0]


def test_a_generation_is_counted_and_logged_by_its_lengths_and_its_end(client, monitor):
    asked = {"prompt": "abcd", "max_tokens": 7, "temperature": 0}
    id = client.post("/v1/models/fixed/generate", json=asked).headers["x-request-id"]
    monitor.flush()
    recent = client.get("/v1/models/fixed/recent").json()["predictions"][0]
    assert (recent["request_id"], recent["route"], recent["status"]) == (id, "generate", 200)
    assert recent["answer"] == "7 tokens after 4 (length)"
    assert monitor._log.inputs(id)["prompt_0"].tolist() == TOKENIZER.encode("abcd")  # as inputs are kept here
    metrics = client.get("/metrics").text
    for line in (
        'serving_tokens_total{kind="generated",model="fixed",version="1"}',
        'serving_seconds_count{model="fixed",stage="first_token",version="1"}',
        'serving_seconds_count{model="fixed",stage="generate",version="1"}',
        'serving_requests_total{model="fixed",route="generate",status="200",version="1"}',
        'serving_in_flight_rows{model="fixed",version="1"} 0.0',
    ):
        assert line in metrics


def test_a_model_tells_how_it_generates(client):
    said = client.get("/v1/models/grows").json()["generation"]
    assert (said["block"], said["max_tokens"], said["sampling"]["temperature"]) == (BLOCK, 16, 0)
    assert client.get("/v1/models/tiny-classifier").json()["generation"] is None
