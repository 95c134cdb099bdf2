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
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tiny_bundles

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
    code, _, err = call(command, tmp_path / "nothing")
    assert (code, f"There is no folder {tmp_path / 'nothing'}" in err) == (2, True)
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
        (["X", "--deadline", "0"], "--deadline must be a number above 0"),
        (["X", "--threads", "0"], "--threads must be at least 1"),
        (["X", "--deadline", "nan"], "--deadline must be a number above 0"),
        (["X", "--port", "99999"], "--port must be from 0 to 65535, but it is 99999"),
        (["X", "--host", "10.255.255.1", "--insecure-listen"], "Give --host an address of this machine"),
        (["X", "--allowed-hosts", "http://x"], "without http://"),
        (["X", "--log", "short"], "--log short cannot be made a folder"),
        (["--bundles", "nothing"], "--bundles names nothing, which is no folder"),
        (["--bundles", "."], "only with --admin-token-file"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(call, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("1234")
    code, _, err = call("serve", *words)
    assert code == 2
    assert message in err


def test_what_is_neither_bundle_nor_finished_run_is_said_to_be_what_it_is(call, bundles, tmp_path):
    def told(path):
        code, _, err = call("serve", path, "--port", 0)
        assert code == 2
        return err

    assert "Did you mean 'classifier'" in told(bundles / "classifer")
    assert "is a file, and a bundle is a folder" in told(bundles / "classifier" / "model.onnx")
    assert "contains bundles but is not one itself" in told(bundles)
    (tmp_path / "001").mkdir()
    (tmp_path / "001" / "model.json").write_text("{}")
    assert f"Did you mean {tmp_path / '001'}" in told(tmp_path)
    (tmp_path / "002").mkdir()
    (tmp_path / "002" / "config.json").write_text('{"package": "gans"}')
    assert "`gans train --resume" in told(tmp_path / "002")


def test_one_version_of_a_model_cannot_be_served_twice(call, bundles):
    code, _, err = call("serve", bundles / "classifier", bundles / "classifier", "--port", 0)
    assert (code, "cannot be served beside the others: This version" in err) == (2, True)


def test_a_bundle_that_others_may_not_read_is_said_with_the_command_that_helps(call, bundles, monkeypatch):
    def refused(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refused)
    code, _, err = call("check", bundles / "classifier")
    assert (code, "may not be read by this user" in err, "chmod -R a+rX" in err) == (2, True, True)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 1, "colour": 1}'])
def test_a_manifest_with_other_content_is_one_paragraph(call, tmp_path, content):
    (tmp_path / "serving.json").write_text(content)
    code, _, err = call("check", tmp_path)
    assert (code, f"The file {tmp_path / 'serving.json'}" in err) == (2, True)


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


def test_starting_and_stopping_log_nothing_of_other_libraries_and_one_line_says_where(bundles):
    with server(bundles / "sqrt") as (process, _):
        process.terminate()
        printed, logged = process.communicate(timeout=30)
    assert printed == ""  # after the line that `server` has read
    assert len(logged.splitlines()) == 3
    assert all(" INFO torchworks.serving: " in line for line in logged.splitlines()), logged


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


def test_a_service_of_an_onnx_bundle_starts_without_what_it_does_not_need(tmp_path):
    bundle = tiny_bundles.write("classifier", tmp_path / "bundle")
    code = (
        "import os, sys\n"
        "from torchworks.serving import serve\n"
        "async def ready(self, sockets=None):\n"
        "    print(sorted({name.partition('.')[0] for name in sys.modules}), flush=True)\n"
        "    os._exit(0)\n"
        "serve.Server.startup = ready\n"
        "from torchworks.serving.__main__ import main\n"
        "main()\n"
    )
    words = [sys.executable, "-c", code, "serve", "--port", "0", str(bundle)]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    unneeded = ["torch", "torchmetrics", "matplotlib", "fastapi", "pydantic", "opentelemetry", "onnx", "mlflow", "ray"]
    assert "onnxruntime" in loaded
    assert [name for name in unneeded if f"'{name}'" in loaded] == []
