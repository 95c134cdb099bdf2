"""A command is run when drift stays, and never harms the service."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from torchworks.serving.monitoring.retrain import Retrainer
from torchworks.serving.monitoring.settings import MonitorSettings

KEY = ("digits", "v1")
START = 1_700_000_000.0
SHOW = "import os; print(*(os.environ['TORCHWORKS_' + k] for k in ('MODEL', 'VERSION', 'DRIFTED', 'LOG')), sep='|')"


def retrainer(folder: Path | None, *command: str, **changes) -> Retrainer:
    settings = {"retrain_checks": 3, "retrain_minutes": 30.0, "retrain_pause": 24.0, **changes}
    return Retrainer(MonitorSettings(retrain=command, **settings), folder, folder and folder / "predictions.sqlite")


def drift(trainer: Retrainer, *, windows: int, minutes: float, start: float = START, key: tuple = KEY) -> None:
    """So many windows of 100 rows without common rows, each drifted, evenly in so many minutes."""
    for i in range(windows):
        now = start + 60 * minutes * i / max(1, windows - 1)
        trainer.consider(key, ["input.image.brightness"], rows=100, total=100 * (i + 1), now=now)


def finish(trainer: Retrainer) -> None:
    """Wait until the command has ended."""
    while trainer._process is not None:
        trainer.poll()
        time.sleep(0.01)


def outputs(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.glob("retrain-*.log"))]


def test_the_command_runs_when_drift_stays_and_knows_what_drifted(tmp_path):
    trainer = retrainer(tmp_path, sys.executable, "-c", SHOW)
    drift(trainer, windows=3, minutes=31)
    finish(trainer)
    assert outputs(tmp_path) == [f"digits|v1|input.image.brightness|{tmp_path / 'predictions.sqlite'}\n"]
    assert (trainer.starts, trainer.failures) == (1, 0)


@pytest.mark.parametrize(("windows", "minutes"), [(2, 60), (3, 29)], ids=["too few windows", "too short"])
def test_it_does_not_run_for_a_passing_drift(tmp_path, windows, minutes):
    trainer = retrainer(tmp_path, sys.executable, "-c", SHOW)
    drift(trainer, windows=windows, minutes=minutes)
    trainer.consider(KEY, [], rows=100, total=1000, now=START + 7200)
    drift(trainer, windows=windows, minutes=minutes, start=START + 7200)
    assert trainer.starts == 0


def test_looking_often_at_the_same_rows_is_no_new_evidence(tmp_path):
    trainer = retrainer(tmp_path, sys.executable, "-c", SHOW)
    for i in range(100):
        trainer.consider(KEY, ["input.image.brightness"], rows=100, total=100 + i, now=START + 60 * i)
    assert trainer.starts == 0


def test_it_runs_once_in_its_pause_even_after_a_restart(tmp_path):
    for hour, starts in ((0, 1), (2, 0), (23, 0), (25, 1)):
        trainer = retrainer(tmp_path, sys.executable, "-c", "")
        drift(trainer, windows=5, minutes=40, start=START + 3600 * hour)
        finish(trainer)
        drift(trainer, windows=5, minutes=10, start=START + 3600 * (hour + 0.8))
        assert trainer.starts == starts
    assert len(outputs(tmp_path)) == 2


def test_it_never_runs_twice_at_a_time_and_ends_with_the_service(tmp_path):
    trainer = retrainer(tmp_path, sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)")
    drift(trainer, windows=3, minutes=31)
    drift(trainer, windows=3, minutes=31, key=("other", "v1"))
    while not outputs(tmp_path)[0]:
        time.sleep(0.01)
    process = trainer._process
    assert trainer.starts == 1
    trainer.close()
    assert process is not None
    assert process.returncode == 128 + signal.SIGTERM


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_it_ends_even_when_the_service_is_killed(tmp_path):
    child = tmp_path / "child"
    command = f"import os, time; open({str(child)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    program = f"""
import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_retrain import drift, retrainer
trainer = retrainer(Path({str(tmp_path)!r}), sys.executable, "-c", {command!r})
drift(trainer, windows=3, minutes=31)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as service:
        while not (child.exists() and child.read_text()):
            time.sleep(0.01)
        os.kill(service.pid, signal.SIGKILL)
    pid = int(child.read_text())
    while runs(pid):
        time.sleep(0.01)


def test_a_command_that_fails_is_said_and_its_output_kept(tmp_path, caplog):
    trainer = retrainer(tmp_path, sys.executable, "-c", "import sys; print('no data'); sys.exit(3)")
    drift(trainer, windows=3, minutes=31)
    finish(trainer)
    assert trainer.failures == 1
    assert "ended with exit code 3" in caplog.text
    assert outputs(tmp_path) == ["no data\n"]


def test_a_command_that_does_not_exist_is_said(tmp_path, caplog):
    trainer = retrainer(tmp_path, "/no/such/command")
    drift(trainer, windows=3, minutes=31)
    finish(trainer)
    assert "/no/such/command cannot be run" in outputs(tmp_path)[0]
    assert "exit code 127" in caplog.text


def test_its_words_are_no_shell_commands(tmp_path):
    trainer = retrainer(tmp_path, sys.executable, "-c", "import sys; print(sys.argv[1:])", "$HOME; touch x", "`id`")
    drift(trainer, windows=3, minutes=31)
    finish(trainer)
    assert outputs(tmp_path) == ["['$HOME; touch x', '`id`']\n"]


def test_only_the_newest_outputs_are_kept(tmp_path):
    trainer = retrainer(tmp_path, sys.executable, "-c", "", retrain_pause=0.0)
    for old in range(30):
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(START - 86400 - old))
        (tmp_path / f"retrain-digits-{stamp}.log").write_text("")
    (tmp_path / "retrain-digits-two-20200101T000000.log").write_text("another model's")
    drift(trainer, windows=3, minutes=31)
    finish(trainer)
    assert len(outputs(tmp_path)) == 10 + 1


def test_without_a_folder_it_runs_without_keeping_output():
    trainer = retrainer(None, sys.executable, "-c", "print('lost')")
    drift(trainer, windows=3, minutes=31)
    finish(trainer)
    assert (trainer.starts, trainer.failures) == (1, 0)


def test_without_a_command_nothing_is_run(tmp_path):
    trainer = retrainer(tmp_path)
    drift(trainer, windows=9, minutes=600)
    assert trainer.starts == 0
