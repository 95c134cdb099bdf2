"""The page in a real browser without a window: what people see, with the mouse, from the keyboard, on a telephone.

It runs where Playwright and a Chromium are installed; nothing is downloaded.
"""

import base64
import io
import re
from pathlib import Path

import digit_bundles
import numpy as np
import pytest
from pages import MARKS, SECRET, STROKES, ask, choose, draw, drop, expect, label, png, read, service, shown_images
from PIL import Image

pytestmark = MARKS


# ---- trying a model ------------------------------------------------------------------------------------------


def test_a_digit_drawn_with_the_mouse_is_read(visit, models):
    page = visit(models, "digits")
    for digit in STROKES:
        draw(page, digit)
        expect(label(page)).to_have_text(digit)
        names, shares = (
            page.locator(".bars span:not(.number)").all_inner_texts(),
            page.locator(".bars .number").all_inner_texts(),
        )
        assert names[0] == digit
        assert sorted(names) == list(digit_bundles.DIGITS)
        assert sum(float(share.removesuffix(" %")) for share in shares) == pytest.approx(100, abs=1)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#answer")).to_have_text("The answer appears here.")


def test_everything_can_be_done_from_the_keyboard_and_one_sees_where_one_is(visit, models):
    page = visit(models)
    page.on("filechooser", lambda _: None)  # Playwright listens from here on; if only at the last key, often too late
    expect(page.locator("#about")).not_to_be_empty()
    press, reached = page.keyboard.press, []

    def tab(times: int) -> None:
        for _ in range(times):
            press("Tab")
            reached.append(page.evaluate("document.activeElement.tagName"))
            assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2

    tab(2)
    page.keyboard.type("digits")
    expect(page.locator("#about")).to_have_text(re.compile("^digits "))
    tab(3)
    for key in ["ArrowUp"] * 12 + ["Space"] + ["ArrowDown"] * 24 + ["Space"]:
        press(key)
    expect(label(page)).to_have_text("1")
    tab(1)
    press("Enter")
    expect(label(page)).to_have_count(0)
    tab(1)
    press("Space")
    expect(label(page)).to_have_text(re.compile(r"^\d$"))
    tab(1)
    with page.expect_file_chooser():
        press("Enter")
    assert reached == ["A", "SELECT", "A", "A", "CANVAS", "BUTTON", "BUTTON", "INPUT"]


def test_only_the_keyboard_shows_a_pen_and_leaving_the_drawing_lifts_it(visit, models):
    page = visit(models, "digits")
    draw(page, "7")
    expect(page.locator(".pen")).to_be_hidden()
    page.locator("#model").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator(".pen")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator(".pen.down")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".pen.down")).to_have_count(0)


def test_images_of_the_chosen_class_are_generated_and_can_be_kept(visit, models):
    page = visit(models, "generator")
    page.get_by_label("Images").fill("20")
    page.get_by_label("Seed").fill("3")
    page.locator("#input select").select_option("dog")
    with page.expect_request("**/v1/models/generator/jobs"):
        page.get_by_role("button", name="Generate").click()
    expect(page.locator(".images img")).to_have_count(20)
    asked = {"inputs": {"seed": 3, "n": 20, "label": ["dog"] * 20}}
    assert shown_images(page) == ask(models, "/v1/models/generator/predict", asked)["outputs"]["image"]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all in one image").click()
    assert download.value.suggested_filename == "generator.png"
    assert Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).size == (5 * 64 + 4 * 2, 4 * 64 + 3 * 2)
    before = shown_images(page)
    page.get_by_role("button", name="Another seed").click()
    expect(page.locator(".images img").first).not_to_have_attribute("src", f"data:image/png;base64,{before[0]}")


def test_the_class_can_be_all_in_turn_and_a_number_that_is_too_large_is_not_sent(visit, models):
    page = visit(models, "generator")
    page.get_by_label("Images").fill("3")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".images img")).to_have_count(3)
    asked = {"inputs": {"seed": 0, "n": 3, "label": ["cat", "dog", "owl"]}}
    assert shown_images(page) == ask(models, "/v1/models/generator/predict", asked)["outputs"]["image"]
    page.get_by_label("Images").fill("9999")
    page.get_by_role("button", name="Generate").click()
    assert page.get_by_label("Images").evaluate("(field) => field.validity.rangeOverflow")
    expect(page.locator(".images img")).to_have_count(3)


def test_styles_are_mixed_with_sliders_and_a_second_seed(visit, models):
    page = visit(models, "mixer", width=360)
    page.get_by_label("Images").fill("3")
    page.get_by_label("Seed", exact=True).fill("3")

    def moved(name: str, value: str, **asked: object) -> None:
        """Let a slider go there: the images are those of `asked`."""
        page.get_by_label(name).fill(value)
        wanted = ask(models, "/v1/models/mixer/predict", {"inputs": {"seed": 3, "n": 3, **asked}})["outputs"]["image"]
        expect(page.locator(".images img")).to_have_count(len(wanted))
        for i, image in enumerate(wanted):  # each waits: the page may be about to show the same images anew
            expect(page.locator(".images img").nth(i)).to_have_attribute("src", f"data:image/png;base64,{image}")

    moved("truncation", "0.5", truncation=0.5)
    moved("crossover", "1", truncation=0.5)
    page.get_by_label("Seed of fine").fill("5")
    moved("crossover", "3", truncation=0.5, fine_seed=5, crossover=3)
    assert page.locator(".slider output").all_inner_texts() == ["0.5", "3"]
    page.get_by_role("button", name="Another fine").click()
    expect(page.get_by_label("Seed of fine")).not_to_have_value("5")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_slider_begins_where_its_number_does_below_0_and_between_whole_numbers(visit, models):
    page = visit(models, "mixer")
    begin = """async (spec) => {
        const { sliderOf } = await import(new URL("slider.js", document.querySelector("script[type=module]").src));
        const { element, value } = sliderOf({ name: "x", dtype: "float32", ...spec });
        return [value(), element.querySelector("output").textContent];
    }"""
    assert page.evaluate(begin, {"low": -2, "high": 2, "default": -2}) == ["-2", "-2"]
    assert page.evaluate(begin, {"low": 0, "high": 1, "default": 0.7}) == ["0.7", "0.7"]


def test_a_long_job_shows_how_far_it_is_and_can_be_cancelled(visit, models):
    page = visit(models, "slow")
    page.get_by_label("Images").fill("256")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("progressbar")).to_have_attribute("max", "256")
    expect(page.locator("#answer")).to_contain_text(re.compile(r"\b(16|32|48|64|80) of 256"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#answer")).to_have_text("This job was cancelled.")


def test_an_image_goes_in_and_an_image_comes_out_beside_it(visit, models):
    page = visit(models, "translator")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    page.get_by_label("Choose an image").set_input_files(
        {"name": "in.png", "mimeType": "image/png", "buffer": png(pixels)}
    )
    expect(page.locator(".images img")).to_have_count(1)
    (shown,) = shown_images(page)
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(shown)))) == 255 - pixels).all()
    given, taken = page.locator("img.preview").bounding_box(), page.locator(".images img").bounding_box()
    assert given["x"] + given["width"] <= taken["x"]
    assert abs(given["y"] - taken["y"]) < 100
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == base64.b64decode(shown)


def test_an_image_can_be_dropped_and_a_miss_does_not_leave_the_page(visit, models):
    page = visit(models, "translator")
    drop(page, ".drop", "in.png", png(np.zeros((8, 8, 3), np.uint8)))
    expect(page.locator(".images img")).to_have_count(1)
    drop(page, ".drop", "only some words", None)
    expect(page.locator("#answer")).to_contain_text("What was dropped is no file.")
    assert (
        page.locator("h1").evaluate(
            "(at) => at.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true}))"
        )
        is False
    )


def test_a_dropped_image_is_seen_where_one_draws_and_drawing_takes_its_place(visit, models):
    page = visit(models, "digits")
    pixels, classes = digit_bundles.images()
    drop(page, ".drop", "four.png", png(pixels[classes == 4][0, 0]))
    expect(label(page)).to_have_text("4")
    seen = page.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_role("button", name="Clear").click()
    assert page.locator("canvas").evaluate("(canvas) => canvas.toDataURL()") != seen
    draw(page, "7")
    expect(label(page)).to_have_text("7")


@pytest.mark.parametrize("model", ["translator", "digits"])
def test_a_file_that_is_no_picture_is_refused_in_a_sentence(visit, models, model):
    page = visit(models, model, due=("415",))
    page.get_by_label("Choose an image").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    expect(page.locator("#answer")).to_have_text(
        re.compile(r"^An image must be a PNG, JPEG or WEBP file\. \(request \w+\)$")
    )
    expect(page.locator("img.preview:visible")).to_have_count(0)
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator("#answer img, #answer .winner")).to_have_count(1)


def test_a_model_of_other_things_is_asked_in_json(visit, models):
    page = visit(models, "towers", due=("400", "422"))
    page.get_by_label("The request as JSON").fill('{"inputs": {"image": [[4, 9]], "caption": [[1, 2, 3]]}}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer pre").first).to_have_text(re.compile(r"-4,\s+-9\b"))
    page.get_by_label("The request as JSON").fill("{")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer .error")).to_contain_text("JSON")


def test_a_text_is_written_in_a_box_and_sent_by_button_and_by_keyboard(visit, models):
    page = visit(models, "moods", due=("422",))
    box = page.get_by_label("The text")
    box.fill("ggga")
    page.get_by_role("button", name="Send").click()
    expect(label(page)).to_have_text("glad")
    expect(page.locator("#answer p.text")).to_have_text("ggga")
    box.fill("aa")
    box.press("Control+Enter")
    expect(label(page)).to_have_text("angry")
    box.fill("a" * 9)
    box.press("Control+Enter")
    expect(page.locator("#answer .error")).to_contain_text("T may be 8 at most")
    page.get_by_role("button", name="Use an example").click()
    expect(label(page)).to_be_visible()


def test_each_of_several_texts_has_a_box_and_single_numbers_and_long_rows_are_told_apart(visit, models):
    page = visit(models, "reader")
    page.get_by_label("The text").fill("cag")
    page.get_by_label("The question").fill("ca")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer p.text")).to_have_text("ca")
    expect(page.locator("#answer dl")).to_have_text("number3")
    expect(page.locator("#answer pre")).to_be_hidden()
    page.get_by_text("letters: 20 numbers").click()
    expect(page.locator("#answer pre")).to_contain_text("3,")
    page.get_by_label("The question").fill("gg")
    page.get_by_label("The question").press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text("answer: no text")
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator("#answer p.text")).to_be_visible()


def test_a_question_about_an_image_is_asked_in_a_line_below_it(visit, models):
    page = visit(models, "asker", due=("422",))
    line = page.get_by_label("The question")
    page.get_by_label("Choose the image").set_input_files(
        {"name": "white.png", "mimeType": "image/png", "buffer": png(np.full((8, 8, 3), 255, np.uint8))}
    )
    expect(page.locator("img.preview:visible")).to_have_count(1)
    expect(page.locator("#answer .winner")).to_have_count(0)
    line.fill("ggga")
    page.get_by_role("button", name="Send").click()
    expect(label(page)).to_have_text("glad")
    line.fill("aac")
    line.press("Enter")
    expect(label(page)).to_have_text("angry")
    line.fill("a" * 9)
    line.press("Enter")
    expect(page.locator("#answer .error")).to_contain_text("T may be 8 at most")
    page.get_by_role("button", name="Use an example").click()
    expect(label(page)).to_be_visible()


def test_a_molecule_is_written_as_smiles_and_its_numbers_have_names(visit, models):
    page = visit(models, "counter", due=("422",))
    page.get_by_label("The molecule, as SMILES").fill("CC(=O)O")
    page.get_by_label("The molecule, as SMILES").press("Enter")
    expect(page.locator("#answer dl")).to_have_text("atoms (number)4.0000oxygen (number)2.0000")
    page.get_by_label("The molecule, as SMILES").fill("C1CC")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer .error")).to_contain_text("unclosed ring")
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator("#answer dl")).to_have_text("atoms (number)3.0000oxygen (number)1.0000")


def test_a_series_is_pasted_as_a_line_or_a_column(visit, models):
    page = visit(models, "sqrt")
    for root, pasted in ((2, "4, 9"), (4, "16\t9"), (5, "time\n25\n9\n"), (6, "36;9")):
        page.get_by_label("The series: numbers").fill(pasted)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#answer pre")).to_have_text(re.compile(rf"^\[\s+\[\s*{root},\s+3\s*\]\s+\]$"))


def test_numbers_come_from_a_file_too_and_what_is_none_is_said(visit, models):
    page = visit(models, "sqrt")
    page.get_by_label("Or a CSV file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"16,25"})
    expect(page.get_by_label("The series: numbers")).to_have_value("16,25")
    page.get_by_label("The series: numbers").fill("1, one")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer .error")).to_contain_text("Line 1 of series has “one”, which is no number")


def test_an_optional_input_has_a_field_and_a_ranking_is_a_table(visit, models):
    page = visit(models, "ranker")
    page.get_by_label("boost").fill("2")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer tbody tr")).to_have_text(["1cat8.0000", "2rat6.0000"])


def test_an_answer_that_comes_after_another_model_was_chosen_is_not_shown(visit, models):
    page, held = visit(models, "digits"), []
    assert page.locator("#model option").all_inner_texts() == sorted(page.locator("#model option").all_inner_texts())
    page.route("**/digits/predict", lambda route: held.append(route))
    with page.expect_request("**/digits/predict"):
        draw(page, "7")
    choose(page, "translator")
    with page.expect_response("**/digits/predict"):
        held[0].continue_()
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator(".images img")).to_have_count(1)
    expect(label(page)).to_have_count(0)


# ---- watching ------------------------------------------------------------------------------------------------


def test_what_was_asked_appears_among_the_last_predictions_and_in_the_last_minute(visit, models):
    page = visit(models, "digits")
    expect(page.get_by_role("status")).to_have_text("ready")
    former = page.locator("#recent code").all_inner_texts()[1:2]
    draw(page, "7")
    newest = page.locator("#recent tbody tr").first
    request = newest.locator("code").last
    expect(request).not_to_have_text(former[0] if former else "none")
    expect(newest).to_contain_text(re.compile(r"7 \(\d+ %\)"))
    expect(newest.locator("td.good")).to_have_text("200")
    expect(page.locator("#figures dd").first).not_to_have_text("0")
    assert page.locator("#throughput polyline").count()
    assert page.locator("#latency polyline").count()
    before = request.inner_text()
    request.select_text()
    for _ in range(2):  # looks at the service
        page.wait_for_event("response", lambda response: "/recent" in response.url)
    assert page.evaluate("String(getSelection())") == before
    draw(page, "7")
    expect(request).not_to_have_text(before)


def test_drift_is_shown_with_its_threshold(visit, models):
    page = visit(models, "watched")
    expect(page.locator("#drift")).to_contain_text("No rows of callers have come")
    pixels, _ = digit_bundles.images()
    shuffled = np.random.default_rng(0).permutation(pixels)

    def send(images: np.ndarray) -> None:
        for start in range(0, len(images), 64):
            ask(models, "/v1/models/watched/predict", {"inputs": {"image": images[start : start + 64].tolist()}})

    send(shuffled[:64])
    expect(page.locator("#drift")).to_contain_text("64 rows of callers have come; 100 are needed")
    send(shuffled[64:320])
    expect(page.locator("#drift tr", has_text="brightness")).to_contain_text("as in training")
    send(np.zeros((320, 1, 8, 8), int))
    expect(page.locator("#drift tr", has_text="brightness")).to_contain_text("drifted")


def test_what_a_visitor_tries_on_the_page_never_counts_for_drift(visit, models):
    page = visit(models, "tried")
    example = page.get_by_role("button", name="Use an example")
    for _ in range(3):
        example.click()
        expect(page.locator("#answer .hint")).to_contain_text("here and back")
    expect(page.locator("#recent tbody tr").first).to_be_visible()
    assert read(models, "/v1/models/tried/drift")["1"]["rows"] == 0
    expect(page.locator("#drift")).to_contain_text("1797 rows of test data")


@pytest.mark.parametrize(("statistic", "width"), [(0.0, "0%"), (0.4, "100%")])
def test_a_feature_without_a_threshold_has_a_bar_that_fits_its_distance(visit, models, statistic, width):
    page = visit(models)
    feature = {"statistic": statistic, "threshold": 0.0, "drifted": False}
    judged = {"rows": 200, "least": 100, "judged": True, "reference": 900, "features": {"input.image.black": feature}}
    page.route("**/digits/drift", lambda route: route.fulfill(json={"1": judged}))
    choose(page, "digits")
    expect(page.locator("#drift tbody tr")).to_contain_text("as in training")
    assert page.locator("#drift .bar i").evaluate("(bar) => bar.style.width") == width
    expect(page.locator("#drift .bar b")).to_have_count(0)


def test_a_fresh_page_shows_no_empty_charts(visit, models):
    page = visit(models, "fresh")
    expect(page.get_by_text("No requests in the last minute.")).to_be_visible()
    expect(page.locator(".chart:visible")).to_have_count(0)
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator(".chart:visible")).to_have_count(2)


def test_what_a_proxy_refuses_is_said_with_what_to_do(visit, models):
    page = visit(models, "digits", due=("403",))
    page.route("**/digits/predict", lambda route: route.fulfill(status=403, body="<h1>Forbidden</h1>"))
    page.get_by_role("button", name="Use an example").click()
    expect(page.locator("#answer .error")).to_contain_text(
        "with status 403. Its rules refuse this address or method: ask"
    )


def test_versions_and_how_callers_are_split_between_them_are_shown_as_they_change(visit, models):
    page = visit(models, "classifier")
    rows = page.locator("#versions tbody tr")
    expect(rows).to_have_text(re.compile("v1.*champion.*100 %.*accuracy 1.0000"))
    token = {"X-Admin-Token": SECRET}
    ask(models, "/admin/models", {"bundle": "classifier-2"}, **token)
    ask(models, "/admin/models/classifier/split", {"version": "v2", "share": 0.25}, **token)
    expect(rows).to_have_text([re.compile("v1.*champion.*75 %"), re.compile("v2.*challenger.*25 %")])
    expect(page.locator("#split span")).to_have_text(["champion 75 %", "challenger 25 %"])
    wide = [span.bounding_box()["width"] for span in page.locator("#split span").all()]
    assert wide[0] == pytest.approx(3 * wide[1], rel=0.05)


def test_a_key_is_asked_for_kept_in_this_tab_only_and_asked_for_again_when_it_is_wrong(visit, keyed):
    page = visit(keyed, due=("401",))
    field = page.get_by_label("This service wants an API key")
    expect(field).to_be_focused()
    expect(page.get_by_text("The service refuses this key.")).to_be_hidden()
    field.fill("quite another key")
    field.press("Enter")
    expect(page.get_by_text("The service refuses this key.")).to_be_visible()
    field.fill(SECRET)
    page.get_by_role("button", name="Use it").click()
    expect(field).to_be_hidden()
    draw(page, "7")
    expect(label(page)).to_have_text("7")
    kept = page.evaluate("[sessionStorage.length, sessionStorage.getItem('key'), localStorage.length, document.cookie]")
    assert kept == [1, SECRET, 0, ""]
    assert page.context.cookies() == []
    assert SECRET not in page.url
    page.reload()
    expect(page.locator("canvas")).to_be_visible()
    again = page.context.new_page()
    again.goto(keyed)
    expect(again.get_by_label("This service wants an API key")).to_be_visible()


def test_a_service_that_stops_is_said_to_and_the_page_goes_on_when_it_is_back(visit, digits):
    with service(digits) as running:
        page = visit(running.address, "digits", due=("net::ERR_",))
        expect(page.get_by_role("status")).to_have_text("ready")
        running.stop()
        expect(page.get_by_role("status")).to_have_text("no connection")
        draw(page, "7")
        expect(page.locator("#answer")).to_have_text("The service does not answer. It may have been stopped.")
    with service(digits, port=int(running.address.rpartition(":")[2])):
        expect(page.get_by_role("status")).to_have_text("ready")
        draw(page, "7")
        expect(label(page)).to_have_text("7")


def test_the_description_and_the_metrics_are_one_click_away(visit, models):
    page = visit(models, "digits", due=("404",))  # browsers look for an icon
    page.get_by_role("link", name="API").click()
    expect(page.locator("h2", has_text="digits")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Metrics").click()
    expect(page.locator("body")).to_contain_text("serving_requests_total")


def test_a_command_of_the_description_is_copied_by_a_button_and_there_is_a_way_back(visit, models):
    page = visit(models, due=("404",), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="API").click()
    button = page.get_by_role("button", name="Copy").first
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".command pre").first.inner_text()
    assert copied.startswith("curl ")
    page.get_by_role("link", name="Back to the models").click()
    expect(page.get_by_role("status")).to_have_text("ready")


def test_where_the_key_is_entered_the_commands_are_shown_in_the_page_with_their_buttons(visit, keyed):
    page = visit(keyed, due=("401",))
    page.get_by_label("This service wants an API key").fill(SECRET)
    page.get_by_role("button", name="Use it").click()
    page.get_by_role("link", name="API").click()
    expect(page.locator("#shown .copy").first).to_be_visible()
    expect(page.locator("#shown pre").first).to_contain_text("$(cat api-key)")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#shown")).to_be_hidden()


# ---- for everybody -------------------------------------------------------------------------------------------

CONTRASTS = """() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => numbers(color).slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (at) => {
        for (; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if ((numbers(color)[3] ?? 1) > 0) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const own = (at) => [...at.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const found = [...document.body.querySelectorAll("*")]
        .filter((at) => (own(at) || at.matches("input, select, textarea")) && at.checkVisibility());
    return found.map((at) => {
        const [a, b] = [light(getComputedStyle(at).color), light(behind(at))].sort((a, b) => b - a);
        return [at.tagName + " " + at.className + " " + at.textContent.slice(0, 30), (a + 0.05) / (b + 0.05)];
    });
}"""


def fill_the_page(page) -> None:
    """An answer, a refusal, drift, and a table of what happened."""
    choose(page, "watched")
    page.get_by_label("Choose an image").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"x"})
    expect(page.locator("#recent td.bad").first).to_be_visible()
    ask(
        page.url.partition("/dashboard")[0],
        "/v1/models/watched/predict",
        {"inputs": {"image": np.zeros((64, 1, 8, 8), int).tolist()}},
    )
    ask(
        page.url.partition("/dashboard")[0],
        "/v1/models/watched/predict",
        {"inputs": {"image": np.zeros((64, 1, 8, 8), int).tolist()}},
    )
    expect(page.locator("#drift table")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(visit, models, scheme):
    page = visit(models, due=("415",), color_scheme=scheme)
    fill_the_page(page)
    faint = [found for found in page.evaluate(CONTRASTS) if found[1] < 4.5]
    draw(page, "7")
    expect(label(page)).to_be_visible()
    seen = page.evaluate(CONTRASTS)
    assert len(seen) > 80
    assert faint + [found for found in seen if found[1] < 4.5] == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor").startswith("rgb(15,")
    assert dark is (scheme == "dark")
    for model in ("generator", "sqrt", "classifier"):
        choose(page, model)
        assert [found for found in page.evaluate(CONTRASTS) if found[1] < 4.5] == []


def test_everything_one_can_use_or_look_at_has_a_name_for_those_who_hear_the_page(visit, models):
    page = visit(models)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title()
    session = page.context.new_cdp_session(page)
    roles = {"button", "link", "textbox", "combobox", "spinbutton", "image", "application", "region", "progressbar"}
    for model in ("digits", "generator", "translator", "sqrt"):
        choose(page, model)
        page.get_by_role("button", name=re.compile("Use an example|Generate|Send")).click()
        expect(page.locator("#answer .hint")).to_contain_text("here and back")
        tree = session.send("Accessibility.getFullAXTree")["nodes"]
        used = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles]
        assert len(used) > 10
        assert [node for node in used if not node.get("name", {}).get("value", "").strip()] == []


def test_nothing_is_wider_than_a_small_telephone(visit, models):
    page = visit(models, width=360, has_touch=True)
    for model in ("digits", "generator", "translator", "sqrt", "ranker", "slow"):
        choose(page, model)
        page.get_by_role("button", name=re.compile("Use an example|Generate|Send")).click()
        expect(page.locator("#answer .hint")).to_contain_text("here and back")
        expect(page.locator("#recent tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_on_a_telephone_rows_are_stacked_so_that_verdict_status_and_score_are_seen(visit, models):
    page = visit(models, due=("415",), width=390, has_touch=True)
    fill_the_page(page)
    for cells in ("#drift tbody td:last-child", "#recent td.bad", "#versions td.words"):
        cell = page.locator(cells).first
        box = cell.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390
        assert cell.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")
        row = cell.locator("xpath=..").bounding_box()
        assert row["height"] > 2.5 * box["height"] > 0
    assert page.locator("#drift").evaluate("(at) => at.scrollWidth <= at.clientWidth")
    first = page.locator("#recent tbody td.bad").first
    assert first.evaluate("(cell) => getComputedStyle(cell, '::before').content") == '"status"'


@pytest.mark.parametrize("path", ["", "/docs"])
def test_links_are_high_enough_for_a_finger(visit, models, path):
    page = visit(models + path, due=("404",), width=390)
    expect(page.locator("a:visible").first).to_be_visible()
    heights = [link.bounding_box()["height"] for link in page.locator("a:visible:not(.skip)").all()]
    assert len(heights) >= 2
    assert min(heights) >= 24


def test_nothing_moves_for_those_who_asked_for_that(visit, models):
    page = visit(models, "digits", reduced_motion="reduce")
    draw(page, "7")
    expect(label(page)).to_be_visible()
    moving = """() => [...document.querySelectorAll("*")].map((at) => getComputedStyle(at))
        .filter((style) => parseFloat(style.transitionDuration) || style.animationName !== "none").length"""
    assert page.evaluate(moving) == 0


def test_no_code_or_style_runs_that_does_not_come_with_the_page(visit, models):
    page = visit(models, "digits", due=("Content Security Policy",))
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken'";
        document.body.append(script);
        document.body.setAttribute("style", "display: none");
    }""")
    assert page.title() == "Torchworks serving"
    expect(page.locator("h1")).to_be_visible()
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert all(f"{part} 'none'" in policy for part in ("default-src", "base-uri", "form-action", "frame-ancestors"))
