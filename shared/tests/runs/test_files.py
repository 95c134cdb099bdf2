"""What is no finished run is told apart: nothing there, a folder of runs, one that is not finished, anything else."""

import json
import subprocess
import sys

import pytest

from torchworks.shared.config import UserError
from torchworks.shared.runs.files import check_finished, held, is_held


def test_a_finished_run_passes(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    check_finished(tmp_path)


def test_a_run_that_is_not_there_is_said_with_the_nearest_name(tmp_path):
    (tmp_path / "digits").mkdir()
    with pytest.raises(UserError, match=r"There is no run directory .*digitz\. Did you mean 'digits'"):
        check_finished(tmp_path / "digitz")


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError, match=r"model\.json is a file"):
        check_finished(tmp_path / "model.json")


def test_a_folder_of_runs_names_the_last_of_them(tmp_path):
    for name in ("001", "002", "003"):
        (tmp_path / name).mkdir()
    for name in ("001", "002"):
        (tmp_path / name / "model.json").write_text("{}")
    with pytest.raises(UserError, match=r"contains runs but is not one itself\. Did you mean .*002\?"):
        check_finished(tmp_path)


def test_a_run_that_is_not_finished_is_told_the_command_of_its_own_package(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"package": "gans"}))
    with pytest.raises(UserError, match=r"is not finished: .*`gans train --resume "):
        check_finished(tmp_path)


def test_an_empty_folder_is_no_run(tmp_path):
    with pytest.raises(UserError, match="is not a run directory"):
        check_finished(tmp_path)


def test_it_needs_no_torch():
    code = "import sys, torchworks.shared.runs.files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_one_process_at_a_time_trains_in_a_run(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"package": "gans"}))
    with held(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(UserError, match="is being trained by another process"), held(tmp_path):
            pass
        with pytest.raises(UserError, match="It is being trained; wait for its end"):
            check_finished(tmp_path)
    assert not is_held(tmp_path)
    with held(tmp_path):
        pass
