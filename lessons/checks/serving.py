"""Checks of the exercises of lesson 27."""

import json

import torch
from torch import nn

from torchworks.lessons.checking import expect, expect_close, expect_shape


def _refused(answer, body, why):
    try:
        given = answer(body)
    except ValueError as error:
        said = str(error)
        expect(len(said.split()) >= 3, f"{why}: the ValueError must say in a sentence what is wrong, but says {said!r}")
        return
    except Exception as error:
        expect(False, f"{why}: expected ValueError, got {type(error).__name__}: {error}; check before you convert")
    else:
        expect(False, f"{why}: expected ValueError, and it gave a {type(given).__name__}")


def read_image(answer):
    image = torch.randint(256, (8, 8), generator=torch.Generator().manual_seed(0))
    image[0, :2] = torch.tensor([0, 255])
    given = answer({"image": image.tolist()})
    expect_shape(given, (1, 8, 8), "One channel of 8 rows.")
    expect(given.dtype == torch.uint8, f"expected uint8, got {given.dtype}")
    expect_close(given.long(), image[None], "The pixels as they were sent.")

    def with_pixel(pixel):
        return {"image": [[0] * 8] * 7 + [[0] * 7 + [pixel]]}

    for body, why in (
        ({"image": [[0] * 8] * 7}, "7 rows"),
        ({"image": [[0] * 8] * 7 + [[0] * 7]}, "a row of 7 pixels"),
        ({"image": [0] * 64}, "64 numbers without rows"),
        (with_pixel(256), "a pixel of 256"),
        (with_pixel(-1), "a pixel of -1"),
        (with_pixel("7"), "a text as a pixel"),
        (with_pixel(3.0), "a pixel of 3.0"),
        (with_pixel(True), "True as a pixel"),
        (with_pixel(None), "null as a pixel"),
        (with_pixel(float("nan")), "NaN as a pixel"),
        ({"picture": []}, "no field 'image'"),
        ({"image": [[0] * 8] * 8, "size": 8}, "a field that is not known"),
        ({"image": "00000000"}, "a text in place of rows"),
        ([[0] * 8] * 8, "a list in place of an object"),
        (None, "null in place of an object"),
    ):
        _refused(answer, body, why)


class _Watched(nn.Module):
    """A classifier of 4 numbers with dropout, which notes how it is called."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
        self.calls = []

    def forward(self, x):
        self.calls.append((len(x), self.training, torch.is_grad_enabled()))
        return self.net(x)


def answer(answer):
    model, images = _Watched().train(), torch.randn(11, 4)
    given = answer(model, images, 4)
    expect(bool(model.calls), "the model was never called")
    expect(not any(training for _, training, _ in model.calls), "the model was called in training mode: model.eval()")
    expect(not any(recorded for *_, recorded in model.calls), "gradients were recorded: use torch.inference_mode()")
    rows = [rows for rows, *_ in model.calls]
    expect(max(rows) <= 4, f"at most 4 rows at a time were allowed, and the model got {rows}")
    expect(
        isinstance(given, list) and len(given) == 11,
        f"expected a list with an answer to each of 11 images, got {type(given).__name__} of {rows} rows",
    )
    try:
        json.dumps(given, allow_nan=False)
    except (TypeError, ValueError) as error:
        expect(False, f"JSON cannot write it: {error}. Use .item() or .tolist()")
    wanted = model.eval()(images).softmax(1).max(1)
    for each, label, probability in zip(given, wanted.indices.tolist(), wanted.values.tolist(), strict=True):
        expect(
            isinstance(each, dict) and set(each) == {"label", "probability"},
            f"expected the fields label and probability, got {each}",
        )
        expect(type(each["label"]) is int, f"the label must be a whole number, got {each['label']!r}")
        expect(each["label"] == label, "the label of an image is the class of its highest score, in the images' order")
        expect_close(each["probability"], probability, "The softmax of the logits, of the class that is named.")


def next_batch(answer):
    for waiting, most, wanted, why in (
        ([1, 1, 1], 8, 3, "all fit"),
        ([1, 1, 1, 1], 3, 3, "three rows are the most"),
        ([4, 3, 2], 8, 2, "4 + 3 fit, and 2 more are too many"),
        ([4, 5, 1], 8, 1, "the third one would fit, but nobody is overtaken"),
        ([4, 4, 1], 8, 2, "8 rows are allowed"),
        ([20, 1], 8, 1, "a request that is too large is computed alone"),
        ([2, 20], 8, 1, "the large one waits until it is the first"),
        ([], 8, 0, "nobody waits"),
    ):
        given = answer(list(waiting), most)
        expect(given == wanted, f"waiting {waiting}, at most {most} rows: expected {wanted}, got {given}; {why}")
