"""Pages of other origins may use a service with a key where --allow-origin names them, and never administer it."""

import pytest

KEY, TOKEN = "a-long-enough-api-key", "a-long-enough-token"
PREDICT = "/v1/models/classifier/predict"
PAGE = "https://app.example.org"


def preflight(client, path: str, origin: str = PAGE, headers: str = "content-type,x-api-key"):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return client.options(path, headers=asked)


def test_a_page_of_an_allowed_origin_uses_a_service_with_a_key(serving, picture):
    client = serving("classifier", api_key=KEY, allow_origins=(PAGE,))
    first = preflight(client, PREDICT)
    assert (first.status_code, first.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "X-API-Key" in first.headers["Access-Control-Allow-Headers"]
    headers = {"Origin": PAGE, "Content-Type": "image/png"}
    answer = client.post(PREDICT, content=picture(), headers=headers | {"X-API-Key": KEY})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    refused = client.post(PREDICT, content=picture(), headers=headers)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    assert client.get("/v1/models", headers={"X-API-Key": KEY}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.org.evil.example", "null"])
def test_pages_of_other_origins_are_told_nothing(serving, origin):
    client = serving("classifier", api_key=KEY, allow_origins=(PAGE,))
    assert preflight(client, PREDICT, origin).status_code == 400
    answer = client.get("/v1/models", headers={"Origin": origin, "X-API-Key": KEY})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_no_page_of_another_origin_administers(serving):
    client = serving("classifier", api_key=KEY, allow_origins=("*",), admin_token=TOKEN)
    assert preflight(client, "/admin/models").status_code == 401
    answer = client.get("/admin/models", headers={"Origin": PAGE, "X-API-Key": KEY, "X-Admin-Token": TOKEN})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_the_option_no_origin_is_allowed(serving):
    assert preflight(serving("classifier", api_key=KEY), PREDICT).status_code == 401
    assert preflight(serving("classifier"), PREDICT).status_code == 405
