"""All of it, with tiny sizes."""

import json
import re

import pytest
from report_page import check_page

from torchworks.lessons.capstone.__main__ import main
from torchworks.lessons.capstone.service import Service
from torchworks.shared.config import UserError


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_whole_capstone_runs_answers_every_request_and_leaves_no_process(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["--quick", "--out", str(out)]) == 0, capsys.readouterr().err
    facts = json.loads((out / "facts.json").read_text())
    assert facts["faults"] == {"planted": 9, "named": 9}
    assert facts["export"]["pruned_refused"]
    assert facts["drift_before"]["drifted"] == []
    assert facts["alert"]["drift_seen_after"] <= facts["alert"]["retraining_after"]
    assert "input.image.brightness" in facts["retraining"]["drifted"]
    assert facts["roll_back"]["back_to"] == "challenger"
    assert facts["requests"]["failed"] == 0
    text = (out / "report.html").read_text()
    page = check_page(text)
    assert len(re.findall("<h2>", text)) == 11
    assert sum(tag == "img" for tag, _ in page.elements) >= 9
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.slow
def test_a_service_that_does_not_start_says_why(tmp_path):
    service = Service(tmp_path / "service", tmp_path, tmp_path / "nothing", tmp_path / "retrain")
    with pytest.raises(UserError, match=r"The service did not start: .*nothing"), service:
        raise AssertionError("it should not have started")
    assert (tmp_path / "service" / "api-key").stat().st_mode & 0o077 == 0
