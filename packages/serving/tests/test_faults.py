"""What the README says of things that break, held against services in processes of their own.

What a single part promises is in the tests of that part (batching, log, limits, registry); here it is asked over HTTP,
and the service must go on.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from torchworks.serving.bundle import BUNDLE, FileEntry
from torchworks.serving.commands import COMMANDS
from torchworks.shared import cli
from torchworks.shared.config import to_dict
from torchworks.shared.models.manifest import GOLDEN

sys.path.insert(0, str(Path(__file__).parent))

from processes import LONG, Answer, Service, administered, started, until

DIE, NO_MEMORY, SLEEP = 1001.0, 1002.0, 1003.0
FAILING = f"""
import time
from torchworks.serving.onnx_engine import OnnxEngine

def run(self, inputs, run=OnnxEngine.run):
    values = inputs["series"]
    if {DIE} in values:
        raise SystemExit
    if {NO_MEMORY} in values:
        raise MemoryError
    if {SLEEP} in values:
        time.sleep(2)
    return run(self, inputs)

OnnxEngine.run = run
"""
"""Makes the model sqrt do what a real one cannot be made to."""


def refused(answer: Answer, status: int, code: str) -> None:
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (status, code)
    assert error["request_id"] == answer.headers["x-request-id"]


def sqrt(service: Service, value: float) -> Answer:
    return service.predict("sqrt", {"series": [[value]]})


def goes_on(service: Service) -> None:
    assert service.ask("GET", "/livez").status == 200
    assert service.ask("GET", "/readyz").status == 200
    assert sqrt(service, 16).json()["outputs"]["sqrt"] == [[4.0]]


@pytest.fixture(scope="module")
def service(bundles, tmp_path_factory) -> Iterator[Service]:
    """One that all tests use that leave it as it was."""
    folder = tmp_path_factory.mktemp("faults")
    with started(folder / "log", bundles / "sqrt", bundles / "echo") as found:
        yield found


# ---- the model ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "rows"), [("echo", [[1, 2, 9]]), ("sqrt", [[-1]])], ids=["raises", "NaN"])
def test_a_model_that_raises_or_answers_nan_fails_that_request_only(service, model, rows):
    answer = service.predict(model, {"series": rows})
    refused(answer, 500, "model_failed")
    assert "Gather" not in answer.body.decode()
    goes_on(service)


@pytest.fixture(scope="module")
def failing(bundles, tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("failing")
    words = ["--deadline", "1.5", "--queue", "4", "--batch", "2"]
    with started(folder / "log", bundles / "sqrt", *words, before=FAILING) as found:
        yield found


def test_a_model_without_memory_fails_that_request_only(failing):
    refused(sqrt(failing, NO_MEMORY), 500, "model_failed")
    goes_on(failing)


def test_when_the_models_thread_dies_all_who_wait_are_told_and_it_starts_again(failing):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sqrt(failing, DIE), range(4)))
    for answer in answers:
        refused(answer, 503, "restarting")
        assert int(answer.headers["retry-after"]) > 0
    until(lambda: failing.ask("GET", "/readyz").status == 200, "the thread starts again")
    goes_on(failing)


def test_a_model_that_is_too_slow_gives_504_and_too_many_who_wait_get_429(failing):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: sqrt(failing, SLEEP), range(16)))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {429, 504}, statuses
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 429)
    until(lambda: sqrt(failing, 16).status == 200, "the model gets on")
    goes_on(failing)


def test_a_model_that_is_busy_does_not_keep_the_service_from_ending(bundles, tmp_path):
    for_ever = FAILING.replace("sleep(2)", "sleep(600)")
    with started(tmp_path / "log", bundles / "sqrt", "--deadline", "0.5", before=for_ever) as service:
        refused(sqrt(service, SLEEP), 504, "too_late")
        assert service.terminate() == 0


# ---- clients -----------------------------------------------------------------------------------------------


def request(rows: int, columns: int) -> bytes:
    body = json.dumps({"inputs": {"series": [[4] * columns] * rows}}).encode()
    head = "POST /v1/models/sqrt/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += "Content-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_client_that_sends_byte_by_byte_is_answered_and_keeps_nobody_waiting(service):
    with service.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in request(1, 1):
            connection.sendall(bytes([number]))
            if number == ord("\n"):
                goes_on(service)
        assert b"[[2.0]]" in connection.makefile("rb").read()


def test_a_client_that_reads_slowly_gets_all_of_a_long_answer(service):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        connection.settimeout(LONG)
        connection.sendall(request(64, 4000))
        answer = b""
        while part := connection.recv(65536):
            answer += part
            if len(answer) % 7 == 0:
                time.sleep(0.001)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["outputs"]["sqrt"] == [[2.0] * 4000] * 64


def test_clients_that_go_away_at_any_moment_leave_nothing_behind(service):
    goes_on(service)
    before, whole = (service.descriptors, service.threads), request(8, 500)
    for length in [*range(0, len(whole), len(whole) // 40), len(whole)]:
        with service.connect() as connection:
            connection.sendall(whole[:length])
    until(lambda: service.descriptors <= before[0], "all connections are closed")
    assert service.threads <= before[1]
    assert service.metric("serving_queue_rows") == 0
    goes_on(service)
    assert "ClientDisconnect" not in service.log()


def test_more_connections_than_there_are_descriptors_are_survived(service):
    before = service.descriptors
    limits = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (before + 10, limits[1]))
    with contextlib.ExitStack() as stack:

        def none_is_left() -> bool:
            """After more connections: the service may have closed those that came as an older one was ending."""
            for _ in range(20):
                stack.enter_context(service.connect())
            return service.descriptors >= before + 10

        until(none_is_left, "no descriptor is left")
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, limits)
    until(lambda: service.descriptors <= before, "all connections are closed")
    goes_on(service)


# ---- the log -----------------------------------------------------------------------------------------------


def rows(folder: Path) -> int:
    """That are in the log; none before it is begun."""
    try:
        with contextlib.closing(sqlite3.connect(folder / "predictions.sqlite", timeout=LONG)) as file:
            return file.execute("SELECT count(*) FROM predictions").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def fill(service: Service, failed: str) -> None:
    """Ask until the log says that it fails."""

    def asked() -> bool:
        for value in range(20):
            assert sqrt(service, value).status == 200
        return failed in service.log()

    until(asked, "the log fails")


def test_a_disk_that_is_full_for_the_log_is_said_once_and_counted_and_requests_go_on(bundles, tmp_path):
    """The limit of a process on the size of its files stands for the disk."""
    with started(tmp_path / "log", bundles / "sqrt", "--log", tmp_path / "data") as service:
        assert sqrt(service, 1).status == 200
        until(lambda: rows(tmp_path / "data") == 1, "the first prediction is logged")
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))
        fill(service, "Predictions cannot be logged")
        goes_on(service)
        assert service.metric("serving_log_failures(?:_total)?") > 0
        assert service.metric("serving_log_dropped(?:_total)?") > 0
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert service.terminate() == 0
        assert service.log().count("cannot be logged") == 1
        assert "Traceback" not in service.log()


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_small_disk_that_is_full_is_survived_and_used_again_when_it_has_room(bundles, tmp_path, small_disk):
    with started(tmp_path / "log", bundles / "sqrt", "--log", small_disk) as service:
        assert sqrt(service, 1).status == 200
        until(lambda: rows(small_disk) == 1, "the first prediction is logged")
        (small_disk / "others").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
        fill(service, "Predictions cannot be logged")
        goes_on(service)
        (small_disk / "others").unlink()
        before = rows(small_disk)
        until(lambda: sqrt(service, 1).status == 200 and rows(small_disk) > before, "predictions are logged again")
        assert service.terminate() == 0


@pytest.mark.slow
def test_a_log_folder_that_is_deleted_while_it_is_used_is_made_again(bundles, tmp_path):
    data = tmp_path / "data"
    with started(tmp_path / "log", bundles / "sqrt", "--log", data) as service:
        assert sqrt(service, 1).status == 200
        until(lambda: rows(data) == 1, "the first prediction is logged")
        shutil.rmtree(data)
        until(lambda: sqrt(service, 1).status == 200 and (data / "predictions.sqlite").exists(), "a new log is begun")
        goes_on(service)
        assert service.terminate() == 0
    assert rows(data) > 0


def test_a_service_that_was_killed_goes_on_with_its_log(bundles, tmp_path):
    data = tmp_path / "data"
    with started(tmp_path / "log", bundles / "sqrt", "--log", data) as service:
        for value in range(30):
            sqrt(service, value)
        until(lambda: rows(data) == 30, "all predictions are logged")
        service.process.send_signal(signal.SIGKILL)
        service.process.wait(LONG)
    with started(tmp_path / "log", bundles / "sqrt", "--log", data) as service:
        assert len(service.ask("GET", "/v1/models/sqrt/recent?limit=500").json()["predictions"]) == 30
        goes_on(service)
        assert service.terminate() == 0
        assert "WARNING" not in service.log()
    assert rows(data) == 31


@pytest.mark.slow
def test_two_services_may_share_a_log(bundles, tmp_path):
    data = tmp_path / "data"

    def noted() -> float:
        return rows(data) + sum(service.metric("serving_log_dropped(?:_total)?") for service in both)

    with contextlib.ExitStack() as stack:
        both = [
            stack.enter_context(started(tmp_path / name, bundles / "sqrt", "--log", data)) for name in ("one", "two")
        ]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda i: sqrt(both[i % 2], i), range(200)))
        assert {answer.status for answer in answers} == {200}
        until(lambda: noted() == 200, "all predictions are logged, or counted as dropped")
        assert rows(data) > 100, "of both"
        assert [service.terminate() for service in both] == [0, 0]
        assert all("Traceback" not in service.log() for service in both)


# ---- bundles -----------------------------------------------------------------------------------------------


def other_golden(bundle: Path) -> None:
    """A whole bundle whose model does not give its golden outputs."""
    wrong = {name: value + np.float32("output." in name) for name, value in load_file(bundle / GOLDEN).items()}
    save_file(wrong, bundle / GOLDEN)
    manifest = json.loads((bundle / BUNDLE).read_text())
    manifest["files"] = [to_dict(FileEntry.of(bundle / file)) for file in ("model.onnx", GOLDEN)]
    (bundle / BUNDLE).write_text(json.dumps(manifest))


def damage(bundle: Path, file: str, how: str) -> None:
    path = bundle / file
    data = path.read_bytes()
    middle = len(data) // 2
    if how == "missing":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        flipped = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
        path.write_bytes({"cut": data[:middle], "empty": b"", "flipped": flipped}[how])


def broken_bundles(good: Path, folder: Path) -> list[Path]:
    found = []
    for file in ("model.onnx", GOLDEN, BUNDLE):
        for how in ("missing", "cut", "empty", "flipped", "a folder"):
            bundle = shutil.copytree(good, folder / f"{file}-{how}".replace(" ", "-").lower())
            damage(bundle, file, how)
            found.append(bundle)
    other_golden(shutil.copytree(good, folder / "golden"))
    return [*found, folder / "golden"]


@pytest.fixture(scope="module")
def models(bundles, tmp_path_factory) -> Path:
    """A folder for damaged bundles."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def broken(bundles, models) -> list[Path]:
    return broken_bundles(bundles / "echo-2", models)


@pytest.fixture(scope="module")
def loading(bundles, models, tmp_path_factory) -> Iterator[Service]:
    """A service that may load from `models`."""
    folder = tmp_path_factory.mktemp("loading")
    with started(folder / "log", bundles / "echo", *administered(folder, models)) as found:
        yield found


def champion_stays(service: Service) -> None:
    answer = service.predict("echo", {"series": [[1, 0]]}).json()
    assert (answer["version"], answer["outputs"]["echo"]) == ("v1", [[1.25, 0.25]])
    assert "Traceback" not in service.log()


def test_a_damaged_bundle_or_one_that_fails_its_golden_example_is_not_served_from_the_start(broken, capsys):
    for bundle in broken:
        assert cli.main("serving", None, COMMANDS, ["serve", str(bundle), "--port", "0"]) == 2, bundle
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert len(said) > 40, said


def test_a_damaged_bundle_or_one_that_fails_its_golden_example_leaves_the_champion(loading, broken):
    before = loading.ask("GET", "/v1/models").json()
    for bundle in broken:
        refused(loading.admin(bundle=bundle.name), 422, "bad_bundle")
    assert loading.ask("GET", "/v1/models").json() == before
    champion_stays(loading)


def test_a_file_that_the_manifest_does_not_name_is_not_read(loading, bundles, models):
    stray = shutil.copytree(bundles / "echo-2", models / "stray")
    (stray / "reference.json").write_text("{")
    assert loading.admin(bundle="stray").status == 200
    champion_stays(loading)


def test_no_damage_to_a_manifest_breaks_the_service(loading, bundles, models):
    whole = (bundles / "echo-2" / BUNDLE).read_bytes()
    for number, place in enumerate(range(1, len(whole), len(whole) // 40)):
        bundle = shutil.copytree(bundles / "echo-2", models / f"b{number}")
        (bundle / BUNDLE).write_bytes(whole[:place] + b"9" + whole[place + 1 :])
        answer = loading.admin(bundle=bundle.name)
        assert answer.status in (200, 409, 422), (place, answer)
    champion_stays(loading)
