"""The command line: quick help, one paragraph for a mistake, and a server that starts, refuses and stops well."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from torchworks.serving.commands import COMMANDS
from torchworks.shared import cli


@pytest.fixture
def call(capsys):
    """Run `serving WORDS…` here and return its exit code, its output and its error as one line."""

    def run(*words):
        code = cli.main("serving", None, COMMANDS, [str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, " ".join(told.err.split())

    return run


@contextlib.contextmanager
def server(*words) -> Iterator[tuple[subprocess.Popen, str]]:
    """`serving serve WORDS…` in a process of its own, and its address."""
    command = [sys.executable, "-m", "torchworks.serving", "serve", "--port", "0", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("Serving at http://127.0.0.1:"), line + process.stderr.read()
            yield process, line.split()[2]
        finally:
            process.kill()


def ask(address: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


@pytest.mark.parametrize("words", [["--help"], ["serve", "--help"], ["check", "--help"], ["serv"]])
def test_help_and_slips_import_no_server_and_no_torch(words):
    heavy = ["torch", "fastapi", "onnxruntime", "uvicorn", "numpy"]
    script = (
        "import sys; from torchworks.shared import cli; from torchworks.serving.commands import COMMANDS; "
        f"cli.main('serving', None, COMMANDS, {words}); sys.exit(any(name in sys.modules for name in {heavy}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_serves_an_onnx_bundle_imports_no_torch(bundles):
    script = (
        "import sys; from pathlib import Path; from torchworks.serving import serve; "
        "from torchworks.serving.served import ServedModel; from torchworks.serving.limits import Settings; "
        f"ServedModel.load(Path({str(bundles / 'classifier')!r}), Settings()).close(); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_serving_has_no_recipes_and_offers_no_training(call):
    code, out, _ = call()
    assert code == 0
    assert "serve" in out
    assert "train [RECIPE" not in out
    assert "recipes" not in out
    code, _, err = call("train")
    assert (code, "Commands: export, check, serve, register" in err) == (2, True)


def test_check_says_what_a_bundle_is(call, bundles):
    code, out, _ = call("check", bundles / "classifier")
    assert code == 0
    for fact in ("classifier", "v1", "image: image uint8 (N, 1, 8, 8)", "cat, dog, owl", "replayed"):
        assert fact in out


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_missing_or_damaged_bundle_is_one_paragraph(call, bundles, tmp_path, command):
    code, _, err = call(command, tmp_path)
    assert (code, f"There is no bundle in {tmp_path}" in err) == (2, True)
    port = ["--port", 0] if command == "serve" else []
    code, _, err = call(command, bundles / "broken", *port)
    assert (code, "is not the file that was saved" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name at least one bundle or run"),
        (["X", "--host", "0.0.0.0"], "lets other machines use the models, and no key is set"),
        (["X", "--host", "example.org"], "lets other machines use the models"),
        (["X", "--api-key-file", "nothing"], "cannot be read"),
        (["X", "--api-key-file", "short"], "must have at least 16 ASCII characters"),
        (["X", "--deadline", "0"], "--deadline must be above 0"),
        (["X", "--threads", "0"], "--threads must be at least 1"),
        (["X", "--port", "99999"], "Cannot listen at"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(call, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("1234")
    code, _, err = call("serve", *words)
    assert code == 2
    assert message in err


def test_a_port_in_use_is_said_before_any_model_is_loaded(call):
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, _, err = call("serve", "nothing", "--port", other.getsockname()[1])
    assert code == 2
    assert "Address already in use" in err
    assert "--port N" in err


def test_a_run_needs_the_export_extra(call, tmp_path):
    (tmp_path / "model.json").write_text("{}")
    code, _, err = call("serve", tmp_path, "--port", 0)
    if "serving[export]" not in err:
        pytest.skip("export is installed")
    assert code == 2


def test_a_server_starts_answers_and_refuses_those_without_the_key(bundles, tmp_path):
    key = tmp_path / "key"
    key.write_text("a-long-enough-secret\n")
    with server(bundles / "classifier", "--api-key-file", key) as (_, address):
        assert ask(address, "/readyz") == {"ready": True}
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(address, "/v1/models")
        assert refused.value.code == 401
        refused.value.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_that_have_come_be_answered_and_ends_with_0(bundles, number):
    with server(bundles / "sqrt") as (process, address):
        host, port = address.removeprefix("http://").split(":")
        body = json.dumps({"inputs": {"series": [[16.0]]}}).encode()
        head = "POST /v1/models/sqrt/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(head.encode() + body[:5])
            while ask(address, "/livez") != {"alive": True}:
                pass
            process.send_signal(number)
            assert refused(address)
            slow.sendall(body[5:])
            answer = slow.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"[[4.0]]" in answer
        assert process.wait(30) == 0
        assert "Traceback" not in process.stderr.read()


def refused(address: str) -> bool:
    """Whether new requests come to get 503 while an old one is still on its way."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            ask(address, "/v1/models")
        except urllib.error.HTTPError as error:
            with error:
                return error.code == 503 and json.load(error)["error"]["code"] == "stopping"
        time.sleep(0.02)
    return False
