"""The page of models that hear and of those that forecast, in a real browser."""

import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from pages import MARKS, drop, expect

from torchworks.shared.data.sounds import read_sound, wav_bytes

pytestmark = MARKS
RATE = 8_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)).astype(np.float32)
LOADS = [10, 12, 15, 13]
TABLE = "time,load,degrees\n" + "".join(f"2024-05-01 2{hour}:00,{load},{hour}\n" for hour, load in enumerate(LOADS))


def test_a_sound_is_chosen_seen_and_answered_by_one_that_can_be_played_and_kept(visit, models, tmp_path):
    page = visit(models, "softener")
    page.get_by_role("button", name="Use an example").click()
    answer = page.locator("#answer")
    expect(answer.locator("audio")).to_have_count(1)
    page.get_by_label("Choose a sound").set_input_files(
        {"name": "tone.wav", "mimeType": "audio/wav", "buffer": wav_bytes(TONE, RATE)}
    )
    expect(page.get_by_role("img", name="the sound's curve")).to_be_visible()
    expect(answer).to_contain_text("mean level")
    with page.expect_download() as download:
        answer.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "soft.wav")
    assert np.abs(read_sound(tmp_path / "soft.wav").samples - TONE / 2).max() < 1e-3


def test_what_is_no_sound_is_refused_with_a_sentence(visit, models):
    page = visit(models, "softener", due=("422",))
    page.get_by_label("Choose a sound").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no sound"}
    )
    expect(page.locator("#answer .error")).to_contain_text("no sound that the browser can read")
    page.get_by_label("Choose a sound").set_input_files(
        {"name": "cut.wav", "mimeType": "audio/wav", "buffer": wav_bytes(TONE, RATE)[:300]}
    )
    expect(page.locator("#answer .error")).to_contain_text("it is cut off")


def test_nothing_is_recorded_before_it_is_asked_for(visit, models):
    page = visit(models, "softener")
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => { window.listened = true; return Promise.reject(); }; }"
    )
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator("#answer audio")).to_have_count(1)
    assert page.evaluate("window.listened") is None
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#answer .error")).to_contain_text("The microphone may not be used")
    assert page.evaluate("window.listened") is True


def test_a_forecast_is_drawn_behind_its_past_with_a_band_and_its_stamps(visit, models):
    page = visit(models, "repeater")
    page.get_by_label("The series: columns load, degrees").fill(TABLE)
    page.get_by_role("button", name="Send").click()
    chart = page.locator("#answer .curves")
    expect(chart.locator("polygon.band")).to_have_count(1)
    expect(chart.locator("polyline.past")).to_have_count(1)
    expect(chart.locator("figcaption")).to_have_text(re.compile("load.*median.*0.1 to 0.9 quantile"))
    expect(chart).to_contain_text("2024-05-01 20:00")
    expect(chart).to_contain_text("2024-05-02 02:00")
    page.get_by_text("3 steps as numbers").click()
    expect(page.locator("#answer table")).to_contain_text("12.7")


def test_a_table_may_be_dropped_and_a_gap_is_named(visit, models):
    page = visit(models, "repeater", due=("422",))
    drop(page, "#input textarea", "load.csv", TABLE.replace("22:00", "22:30").encode())
    expect(page.locator("#input textarea")).to_have_value(re.compile("22:30"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer .error")).to_contain_text("time stamps that are not regular: at step 3")


def test_scores_of_each_step_stand_where_the_steps_are(visit, models):
    page = visit(models, "marker")
    page.get_by_label("The series: a column of numbers").fill("1\n2\n5\n3\n")
    page.get_by_role("button", name="Send").click()
    chart = page.locator("#answer .curves")
    past, line = (chart.locator(f"polyline.{kind}").get_attribute("points").split() for kind in ("past", "line"))
    assert [point.split(",")[0] for point in past] == [point.split(",")[0] for point in line]
    assert len(past) == 4
