"""Pages of other sites cannot use a service without a key: not under a name of their own, and not by posting to it."""

import pytest
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from torchworks.serving import serve
from torchworks.serving.app import create_app
from torchworks.serving.commands import Serve
from torchworks.serving.host_check import LOCAL, is_allowed, is_foreign
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError

PREDICT = "/v1/models/classifier/predict"
KEY = {"X-API-Key": "a-long-enough-key"}


@pytest.fixture
def ask(bundles, picture):
    """Send a request to a service with these settings; the answer's status and code."""
    opened = []

    def start(allowed_hosts=(), **settings):
        asked = Settings(**settings)
        registry = Registry(asked)
        registry.add(ServedModel.load(bundles / "classifier", asked))
        client = TestClient(create_app(registry, asked, allowed_hosts)).__enter__()
        opened.append(client)

        def send(method, path, **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            body = {"content": picture()} if method == "POST" else {}
            response = client.request(method, path, headers={"Content-Type": "image/png"} | headers, **body)
            error = response.json()["error"] if response.status_code >= 400 else {"code": ""}
            code = "as /v2 says" if isinstance(error, str) else error["code"]
            return response.status_code, code

        return send

    yield start
    for client in opened:
        client.__exit__(None, None, None)


# ---- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000", "LOCALHOST"]
)
def test_a_name_of_this_machine_is_answered(ask, host):
    assert is_allowed(host, LOCAL)
    assert ask(LOCAL)("GET", "/v1/models", host=host) == (200, "")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::1",
        "",
        "x y",
    ],
)
def test_a_page_that_gave_its_name_this_machines_address_gets_nothing(ask, host):
    send = ask(LOCAL)
    assert send("GET", "/v1/models", host=host) == (421, "wrong_host")
    assert send("POST", PREDICT, host=host, origin=f"http://{host}", sec_fetch_site="same-origin") == (
        421,
        "wrong_host",
    )
    assert send("GET", "/nothing", host=host) == (421, "wrong_host")


def test_who_watches_the_service_may_ask_by_its_number(ask):
    send = ask(LOCAL)
    assert send("GET", "/livez", host="10.1.2.3:8000") == (200, "")
    assert send("GET", "/readyz", host="10.1.2.3:8000") == (200, "")


@pytest.mark.parametrize(
    ("allowed", "host", "answered"),
    [
        ("models.example.org", "models.example.org", True),
        ("Models.Example.org", "MODELS.example.org:443", True),
        ("models.example.org", "example.org", False),
        ("*.example.org", "a.example.org", True),
        ("*.example.org", "aexample.org", False),
        ("2001:db8::1", "[2001:db8::1]:8000", True),
        ("*", "evil.example", True),
        ("models.example.org", "localhost:8000", True),
    ],
)
def test_names_of_proxies_can_be_allowed(ask, allowed, host, answered):
    assert ask([allowed])("GET", "/v1/models", host=host)[0] == (200 if answered else 421)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, LOCAL),
        ({"host": "::1"}, LOCAL),
        ({"allowed_hosts": ("a.example.org",)}, ("a.example.org",)),
        ({"host": "0.0.0.0", "insecure_listen": True}, ()),
        ({"api_key": "a-long-enough-key"}, ()),
        ({"api_key": "a-long-enough-key", "allowed_hosts": ("a.example.org",)}, ("a.example.org",)),
    ],
)
def test_only_a_service_on_this_machine_without_a_key_is_choosy_unasked(options, expected):
    key = options.pop("api_key", None)
    assert serve._allowed_hosts(Serve(**options), Settings(api_key=key)) == expected


@pytest.mark.parametrize("name", ["http://models.example.org", "models.example.org:443", "", "a b"])
def test_what_is_no_name_of_a_host_is_refused(name):
    with pytest.raises(UserError, match="--allowed-hosts takes a name"):
        serve._allowed_hosts(Serve(allowed_hosts=(name,)), Settings())


# ---- pages -------------------------------------------------------------------------------------------------

HERE = "localhost:8000"


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "cross-site", "origin": f"http://{HERE}"}, True),
        ({"origin": f"http://{HERE}"}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
    ],
)
def test_what_a_browser_sends_along_tells_pages_of_other_sites(headers, foreign):
    assert is_foreign(Headers({"host": HERE} | headers)) is foreign


def test_a_page_of_another_site_cannot_send_anything_to_a_service_without_a_key(ask):
    send = ask(LOCAL)
    elsewhere = {"host": HERE, "origin": "https://evil.example", "sec_fetch_site": "cross-site"}
    for path in (PREDICT, "/v1/models/classifier/jobs", "/nothing"):
        assert send("POST", path, **elsewhere) == (403, "cross_site")
    assert send("POST", "/v2/models/classifier/infer", **elsewhere) == (403, "as /v2 says")
    assert send("DELETE", "/v1/jobs/1", **elsewhere) == (403, "cross_site")
    assert send("POST", PREDICT, host=HERE, origin=f"http://{HERE}", sec_fetch_site="same-origin") == (200, "")
    assert send("POST", PREDICT, host=HERE) == (200, "")


def test_a_link_from_another_site_may_be_followed(ask):
    assert ask(LOCAL)("GET", "/v1/models", host=HERE, sec_fetch_site="cross-site") == (200, "")


def test_a_key_is_as_good_from_any_page(ask):
    send = ask(api_key=KEY["X-API-Key"])
    elsewhere = {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}
    assert send("POST", PREDICT, **elsewhere, **KEY) == (200, "")
    assert send("POST", PREDICT, **elsewhere) == (401, "no_key")


def test_a_service_that_listens_elsewhere_without_a_key_refuses_pages_of_other_sites_too(ask):
    send = ask()
    assert send("POST", PREDICT, host="gpu.lan:8000", origin="http://evil.example") == (403, "cross_site")
    assert send("POST", PREDICT, host="gpu.lan:8000", origin="http://gpu.lan:8000") == (200, "")
