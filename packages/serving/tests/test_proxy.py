"""A service behind a proxy: the README's examples for nginx, and what holds without one."""

import asyncio
import base64
import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

sys.path.insert(0, str(Path(__file__).parent))

from digit_bundles import write_slow
from nginx import free_port, needs_nginx, proxy
from processes import LONG, TOKEN, Service, administered, started

from torchworks.serving import event_stream, serve
from torchworks.serving.app import create_app
from torchworks.serving.commands import Serve
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.public_address import PublicAddress, origin_of
from torchworks.serving.registry import Registry
from torchworks.shared.config import UserError

README = Path(__file__).parents[1] / "README.md"
KEY = "a-long-enough-api-key"
JSON = {"Content-Type": "application/json"}
PREDICT = "/v1/models/classifier/predict"
MIB = 1 << 20
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def examples() -> list[str]:
    """The README's blocks for nginx."""
    chapter = README.read_text().partition("## Behind a proxy")[2].partition("\n## ")[0]
    return re.findall(r"^```nginx\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Front:
    """A proxy, asked as from outside: `address` is what callers use."""

    address: str
    port: int
    trusted: ssl.SSLContext | None
    service: Service
    key: dict[str, str]

    def connect(self) -> http.client.HTTPConnection:
        host = self.address.partition("://")[2].partition("/")[0].partition(":")[0]
        connection = http.client.HTTPConnection(host, self.port, timeout=LONG)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=LONG)
        connection.sock = self.trusted.wrap_socket(plain, server_hostname=host) if self.trusted else plain
        return connection

    def ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """`url` is below the address, or a path below it."""
        whole = url if "://" in url else self.address + url
        origin = re.match(r"https?://[^/]+", self.address)
        assert origin, self.address
        assert whole.startswith(origin[0]), f"{url} leads elsewhere"
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, whole.removeprefix(origin[0]), body, self.key | named)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()

    def json(self, method: str, url: str, document: Any = None, **headers: str) -> Any:
        body = b"" if document is None else json.dumps(document).encode()
        status, _, text = self.ask(method, url, body, **(JSON if document is not None else {}), **headers)
        assert status < 400, text
        return json.loads(text)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A folder with one that is good for both names of the README."""
    folder = tmp_path_factory.mktemp("certificate")
    names = "subjectAltName=DNS:models.example.org,DNS:example.org"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=models"]
    files = ["-addext", names, "-keyout", folder / "models.key", "-out", folder / "models.crt"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> Path:
    return write_slow("slow", tmp_path_factory.mktemp("slow") / "bundle")


Fronts = dict[str, Front]


@pytest.fixture(scope="module")
def fronts(bundles, slow, certificate, tmp_path_factory) -> Iterator[Fronts]:
    """Both examples as they stand in the README, but for ports and the folder of the certificate."""
    folder = tmp_path_factory.mktemp("fronts")
    (folder / "key").write_text(KEY)
    trusted = ssl.create_default_context(cafile=str(certificate / "models.crt"))
    found: Fronts = {}
    with contextlib.ExitStack() as stack:
        for name, host, prefix, words, key in (
            ("host", "models.example.org", "", ["--api-key-file", folder / "key"], {"X-API-Key": KEY}),
            ("prefix", "example.org", "/ai", [], {}),
        ):
            port = free_port()
            address = f"https://{host}:{port}{prefix}"
            serving = started(folder / f"{name}.log", bundles / "classifier", slow, *words, "--public-url", address)
            service = stack.enter_context(serving)
            block = examples()[len(found)].replace("listen 443", f"listen 127.0.0.1:{port}")
            block = block.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}").replace("/etc/ssl", str(certificate))
            stack.enter_context(proxy(folder / name, block, port))
            found[name] = Front(address, port, trusted, service, key)
        yield found


BOTH = pytest.mark.parametrize("name", ["host", "prefix"])


def nginx(test: Callable) -> Callable:
    """With each of the README's examples, where nginx and openssl are installed."""
    return needs_nginx(needs_openssl(BOTH(test)))


@nginx
def test_predictions_and_bodies_larger_than_nginx_takes_by_itself_are_answered(fronts, name, picture):
    front = fronts[name]
    status, headers, _ = front.ask("POST", PREDICT, picture(), Content_Type="image/png", X_Request_ID="mine")
    assert (status, headers["x-request-id"]) == (200, "mine")
    body = json.dumps({"inputs": {"image": base64.b64encode(picture()).decode()}}).encode() + b" " * (2 * MIB)
    assert front.ask("POST", PREDICT, body, **JSON)[0] == 200


@nginx
def test_links_and_commands_lead_through_the_proxy(fronts, name):
    front = fronts[name]
    job = front.json("POST", "/v1/models/classifier/jobs", {"inputs": {"image": [[[[0] * 8] * 8]]}})
    assert all(link.startswith(f"{front.address}/v1/jobs/") for link in job["links"].values())
    assert front.json("GET", job["links"]["status"])["job"] == job["job"]
    assert front.json("GET", "/openapi.json")["servers"] == [{"url": front.address}]
    page = front.ask("GET", "/docs")[2].decode()
    commands = re.findall(r"https?://[^ \"'<]+/(?:predict|infer)", page)
    assert commands
    assert all(command.startswith(f"{front.address}/v") for command in commands)


@nginx
def test_the_page_and_its_files_are_found_and_its_requests_answered(fronts, name, picture):
    front = fronts[name]
    status, headers, _ = front.ask("GET", "/")
    assert (status, headers["location"]) == (307, "dashboard/")
    page = front.ask("GET", "/dashboard/")[2].decode()
    for file in re.findall(r'(?:src|href)="([a-z]+\.(?:js|css))"', page):
        assert front.ask("GET", f"/dashboard/{file}")[0] == 200
    for path, leads in (("/dashboard", "./dashboard/"), ("/docs/", "../docs"), ("/v1/models/", "../models")):
        assert front.ask("GET", path)[1]["location"] == leads
    own = front.address.removesuffix("/ai")
    assert front.ask("POST", PREDICT, picture(), Content_Type="image/png", Origin=own)[0] == 200


@nginx
def test_events_come_as_they_happen(fronts, name):
    front = fronts[name]
    with contextlib.closing(front.connect()) as connection:
        body = json.dumps({"inputs": {"latent": [[0.0] * 64] * 64}}).encode()
        path = front.address.partition("://")[2].partition("/")[2]
        connection.request("POST", f"/{path}/v1/models/slow/stream".replace("//", "/"), body, JSON | front.key)
        response, came = connection.getresponse(), []
        assert response.getheader("Cache-Control") == "no-cache"
        while line := response.readline():
            if line.startswith(b"data: "):
                came.append(time.monotonic())
    assert len(came) == 64 / 16 + 1
    assert came[-2] - came[0] > 0.05, "all at once is what a proxy does that keeps them back"


@nginx
def test_nobody_administers_a_service_with_a_public_address_through_its_proxy(fronts, name):
    assert fronts[name].ask("GET", "/admin/models", X_Admin_Token=TOKEN)[0] in (401, 404)


@needs_nginx
@needs_openssl
def test_a_page_of_another_site_is_refused_behind_the_proxy_too(fronts, picture):
    for origin in ("https://other.example", "http://example.org", "null"):
        answer = fronts["prefix"].ask("POST", PREDICT, picture(), Content_Type="image/png", Origin=origin)
        assert answer[0] == 403
        assert b"--public-url" in answer[2]


BARE = "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{service}; {more} }} }}"
LEFT_ON = "server {{ listen 127.0.0.1:{port}; location /ai/ {{ proxy_pass http://127.0.0.1:{service}; }} }}"


@contextlib.contextmanager
def bare(folder: Path, service: Service, block: str = BARE, prefix: str = "", more: str = "") -> Iterator[Front]:
    """A proxy without TLS."""
    port = free_port()
    with proxy(folder / f"nginx{port}", block.format(port=port, service=service.port, more=more), port):
        yield Front(f"http://127.0.0.1:{port}{prefix}", port, None, service, {})


@needs_nginx
def test_a_proxy_may_leave_the_path_on(bundles, tmp_path, picture):
    words = ["--public-url", "http://127.0.0.1/ai"]
    with started(tmp_path / "log", bundles / "classifier", *words) as service:
        with bare(tmp_path, service, LEFT_ON, "/ai") as front:
            assert front.ask("POST", PREDICT, picture(), Content_Type="image/png")[0] == 200
            assert front.ask("GET", "/dashboard/")[0] == 200
            assert front.ask("GET", "")[1]["location"].endswith("/ai/")
        assert service.ask("POST", PREDICT, picture(), Content_Type="image/png").status == 200
        assert service.ask("GET", "/ai").headers["location"] == "http://127.0.0.1/ai/"
        assert service.ask("GET", "/aim/livez").status == 404


@pytest.fixture(scope="module")
def administrable(bundles, tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("administrable")
    words = [*administered(folder, bundles), "--allowed-hosts", "models.example.org"]
    with started(folder / "log", bundles / "classifier", *words) as service:
        yield service


@needs_nginx
@pytest.mark.parametrize(
    "more",
    [
        "",
        "proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr;",
        "proxy_http_version 1.1; proxy_set_header X-Forwarded-Proto https;",
        "proxy_http_version 1.1; proxy_set_header Via 1.1;",
        "proxy_http_version 1.1; proxy_set_header Host models.example.org;",
    ],
    ids=["as nginx does by itself", "X-Real-IP", "X-Forwarded-Proto", "Via", "another host"],
)
def test_administration_is_refused_to_whoever_comes_through_a_proxy(administrable, tmp_path, more):
    assert administrable.ask("GET", "/admin/models", X_Admin_Token=TOKEN).status == 200
    with bare(tmp_path, administrable, more=more) as front:
        status, _, body = front.ask("GET", "/admin/models", X_Admin_Token=TOKEN)
        assert (status, json.loads(body)["error"]["code"]) == (403, "not_here")


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Original-Forwarded-For",
     "True-Client-IP", "X-Cluster-Client-IP", "X-Client-IP", "CF-Connecting-IP", "CDN-Loop", "X-Envoy-External-Address",
     "VIA"],
)  # fmt: skip
def test_every_header_by_which_a_proxy_shows_itself_closes_the_administration(serving, header):
    client = serving("classifier", admin_token=TOKEN)
    token = {"X-Admin-Token": TOKEN}
    assert client.get("/admin/models", headers=token).status_code == 200
    assert client.get("/admin/models", headers=token | {header: ""}).status_code == 403
    assert client.get("/admin/models", headers=token | {"Host": "models.example.org"}).status_code == 403


def test_administration_has_a_port_of_its_own_that_no_proxy_knows(bundles, tmp_path):
    words = [*administered(tmp_path, bundles), "--admin-port", 0, "--public-url", "https://models.example.org"]
    with started(tmp_path / "log", bundles / "classifier", *words) as service:
        assert service.process.stdout is not None
        found = re.match(r"Administered at http://127\.0\.0\.1:(\d+)$", service.process.stdout.readline().strip())
        assert found
        administration = Service(service.process, int(found[1]), service.said)
        assert administration.ask("GET", "/admin/models", X_Admin_Token=TOKEN).status == 200
        assert administration.ask("GET", "/admin/models").status == 401
        assert administration.ask("GET", "/admin/models", X_Admin_Token=TOKEN, X_Real_IP="10.0.0.1").status == 403
        refused = service.ask("GET", "/admin/models", X_Admin_Token=TOKEN)  # as a proxy that shows nothing of itself
        assert (refused.status, refused.json()["error"]["code"]) == (403, "not_here")
        assert service.terminate() == 0


# ---- without a proxy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url", "host", "prefix"),
    [
        ("https://models.example.org", "https://models.example.org", "models.example.org", ""),
        ("HTTPS://Models.Example.org:443/", "https://models.example.org", "models.example.org", ""),
        ("http://models.lan:8840", "http://models.lan:8840", "models.lan", ""),
        ("https://example.org/ai/v3/", "https://example.org/ai/v3", "example.org", "/ai/v3"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]/a", "2001:db8::1", "/a"),
    ],
)
def test_an_address_is_read_as_browsers_write_it(given, url, host, prefix):
    address = PublicAddress.parse("--public-url", given)
    assert (address.url, address.host, address.prefix) == (url, host, prefix)


@pytest.mark.parametrize(
    "given",
    ["models.example.org", "ftp://a.org", "https://", "https://a.org?x=1", "https://a.org#x", "https://u@a.org",
     "https://a.org:port", "https://[::1", " https://a.org", "https://bücher.example", ""],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(given):
    with pytest.raises(UserError, match=r"--public-url takes an address such as https://models\.example\.org"):
        PublicAddress.parse("--public-url", given)


def test_an_origin_has_no_path():
    assert origin_of("--allow-origin", "HTTP://App.example.org:80/") == "http://app.example.org"
    assert origin_of("--allow-origin", "*") == "*"
    with pytest.raises(UserError, match=r"use https://a\.org"):
        origin_of("--allow-origin", "https://a.org/x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"allow_origin": ("https://a.org",)}, "--api-key-file"),
        ({"admin_port": 1}, "--admin-token-file"),
        ({"public_url": "https://a.org", "admin_token_file": True}, "--admin-port N"),
    ],
)
def test_options_that_would_open_the_service_to_others_are_refused(tmp_path, options, said):
    (tmp_path / "token").write_text(TOKEN)
    files = {name: tmp_path / "token" for name, value in options.items() if value is True}
    arguments = Serve(**{**options, **files})
    with pytest.raises(UserError, match=said):
        serve._check_proxy(arguments, serve._settings(arguments))


def test_the_host_of_the_public_address_is_answered_where_names_are_looked_at(serving, picture):
    public = PublicAddress.parse("--public-url", "http://models.lan:8840")
    client = serving("classifier", allowed_hosts=["localhost"], public=public)
    png = {"Content-Type": "image/png", "Host": "models.lan"}
    for headers, status in (
        ({}, 200),
        ({"Origin": "http://models.lan:8840"}, 200),
        ({"Origin": "http://models.lan"}, 200),
        ({"Origin": "http://models.lan:9000"}, 403),
        ({"Host": "other.lan"}, 421),
    ):
        assert client.post(PREDICT, content=picture(), headers=png | headers).status_code == status


def test_a_refused_page_is_told_what_to_do_about_its_proxy(serving, picture):
    headers = {"Content-Type": "image/png", "Host": "models.lan", "Origin": "http://models.lan:8840"}
    message = serving("classifier").post(PREDICT, content=picture(), headers=headers).json()["error"]["message"]
    assert "--public-url" in message
    assert "$http_host" in message


def test_what_requests_say_of_proxies_is_not_believed(serving):
    said = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    client = serving("generator")
    links = client.post("/v1/models/generator/jobs", json={"inputs": {}}, headers=said).json()["links"]
    assert all(link.startswith("/v1/jobs/") for link in links.values())
    assert "evil" not in client.get("/docs", headers=said).text


def test_idle_connections_are_kept_for_longer_than_proxies_keep_them():
    app = create_app(Registry(Settings()), Settings())
    config: uvicorn.Config = serve.Server(app, Limits()).config
    assert config.timeout_keep_alive > 60
    app.service.monitor.close()


# ---- pages of other origins --------------------------------------------------------------------------------

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


# ---- events ------------------------------------------------------------------------------------------------


def test_proxies_are_told_not_to_keep_events_back(serving):
    client = serving("generator")
    stream = client.post("/v1/models/generator/stream", json={"inputs": {"n": 1}})
    job = client.post("/v1/models/generator/jobs", json={"inputs": {"n": 1}}).json()["job"]
    for answer in (stream, client.get(f"/v1/jobs/{job}/events"), client.head(f"/v1/jobs/{job}/events")):
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Cache-Control"] == "no-cache"


def test_a_stream_on_which_nothing_happens_has_a_heartbeat_and_its_events_are_whole(monkeypatch):
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.02)

    async def events() -> AsyncGenerator[bytes, None]:
        for number in range(3):
            await asyncio.sleep(0.1)
            yield event_stream.event({"number": number})

    async def read() -> list[bytes]:
        return [part async for part in event_stream._with_heartbeat(events())]

    parts = asyncio.run(read())
    assert [part for part in parts if part != event_stream.HEARTBEAT] == [
        b'data: {"number":%d}\n\n' % n for n in range(3)
    ]
    assert parts.count(event_stream.HEARTBEAT) >= 3
    assert event_stream.HEARTBEAT.startswith(b":"), "a comment, to whoever reads events"


@pytest.mark.parametrize("after", [0, 1, 5], ids=["at an event", "at the first heartbeat", "at a later one"])
def test_what_makes_events_ends_when_the_client_goes_away(monkeypatch, after):
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    ended = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def leave() -> None:
        stream = event_stream._with_heartbeat(events())
        for _ in range(after + 1):
            await anext(stream)
        await stream.aclose()

    asyncio.run(asyncio.wait_for(leave(), 10))
    assert ended == [True]
