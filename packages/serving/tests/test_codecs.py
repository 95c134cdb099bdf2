"""What clients send becomes the arrays that the model takes, or a refusal; never anything in between."""

import base64
import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from torchworks.serving.bundle import read_bundle
from torchworks.serving.codecs import Codec
from torchworks.serving.errors import Refusal
from torchworks.serving.image_files import read_picture, read_pictures
from torchworks.serving.latents import draw
from torchworks.serving.limits import Limits
from torchworks.serving.plain_values import numbers
from torchworks.shared.models.signature import TensorSpec

GREY = TensorSpec("image", "image", "uint8", ("N", 1, 8, 8))
COLOUR = TensorSpec("image", "image", "uint8", ("N", 3, 8, 8))


@pytest.fixture
def codec(bundles):
    """The codec of one of the bundles."""
    return lambda model, **limits: Codec(read_bundle(bundles / model), Limits(**limits))


# ---- pictures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(("spec", "mode"), [(GREY, "L"), (GREY, "RGB"), (COLOUR, "L"), (COLOUR, "RGB")])
def test_a_picture_has_exactly_the_pixels_that_training_reads(picture, tmp_path, form, spec, mode):
    images = pytest.importorskip("torchworks.shared.data.images", reason="training needs torch")
    data = picture(size=50, mode=mode, form=form)
    (tmp_path / "picture").write_bytes(data)
    trained = images.read(tmp_path / "picture", spec.shape[1], spec.shape[3]).numpy()
    np.testing.assert_array_equal(read_picture(data, spec, Limits()), trained)


def test_a_transparent_picture_is_laid_on_white_and_a_turned_one_is_set_upright():
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    assert read_picture(clear.getvalue(), GREY, Limits()).min() == 255
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 3  # upside down
    half = np.zeros((8, 8), np.uint8)
    half[:4] = 255
    Image.fromarray(half).save(turned, "PNG", exif=exif)
    assert read_picture(turned.getvalue(), GREY, Limits())[0, -1].min() == 255


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PPM"])
def test_other_kinds_of_pictures_are_refused(picture, form):
    with pytest.raises(Refusal) as refused:
        read_picture(picture(form=form), GREY, Limits())
    assert (refused.value.status, refused.value.code) == (415, "wrong_type")


@given(cut=st.integers(1, 400), flips=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=5))
def test_whatever_is_wrong_with_a_file_it_is_a_refusal(cut, flips):
    file = io.BytesIO()
    Image.effect_noise((16, 16), 50).save(file, "PNG")
    data = bytearray(file.getvalue()[:cut])
    for place, value in flips:
        if place < len(data):
            data[place] = value
    with contextlib.suppress(Refusal):
        assert read_picture(bytes(data), GREY, Limits()).shape == (1, 8, 8)


def test_a_bomb_is_refused_before_it_is_unpacked():
    file = io.BytesIO()
    Image.new("1", (5000, 5000)).save(file, "PNG")
    with pytest.raises(Refusal) as refused:
        read_picture(file.getvalue(), GREY, Limits())
    assert (refused.value.status, refused.value.code) == (413, "too_many_pixels")


def test_small_files_that_are_many_pixels_together_are_refused_before_all_are_unpacked():
    file = io.BytesIO()
    Image.new("1", (100, 100)).save(file, "PNG")
    limits = Limits(image_pixels=10_000)
    assert read_pictures([file.getvalue()] * 8, GREY, limits).shape[0] == 8
    with pytest.raises(Refusal) as refused:
        read_pictures([file.getvalue()] * 9, GREY, limits)
    assert (refused.value.status, refused.value.code) == (413, "too_many_pixels")


# ---- numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", [[256]]), ("uint8", [[-1]]), ("uint8", [[1.0]]), ("uint8", [[True]]), ("uint8", [["1"]]),
        ("uint8", [[None]]), ("uint8", [[10**30]]), ("uint8", [[1], [2, 3]]), ("uint8", [["ab"], [1]]),
        ("uint8", [[1, 2], "ab"]), ("uint8", [[1], {"a": 1}]), ("uint8", "ab"), ("uint8", {"a": 1}),
        ("int64", [[2**63]]), ("float32", [["a"]]),
        ("float32", [[1], [2, 3]]), ("float32", {"a": 1}), ("bool", [[1]]),
        ("uint8", [[1], [True]]), ("float32", [[0.5], [False]]),
    ],
)  # fmt: skip
def test_numbers_of_another_type_are_refused_and_never_bent(dtype, value):
    with pytest.raises(Refusal, match="'x'"):
        numbers(TensorSpec("x", "features", dtype, ("N", 1)), value)


@pytest.mark.parametrize("value", [0, 255, [], [[]], [7], [[0, 255], [1, 2]], [[[1]], [[2]]]])
def test_small_numbers_are_read_as_numpy_does_into_an_array_that_may_be_written_to(value):
    array = numbers(TensorSpec("x", "image", "uint8", ("N",)), value)
    np.testing.assert_array_equal(array, np.array(value, np.uint8), strict=True)
    assert array.flags.writeable


def test_whole_numbers_are_taken_for_floats():
    array = numbers(TensorSpec("x", "features", "float32", ("N", 2)), [[1, 2.5]])
    assert array.dtype == np.float32
    assert array.tolist() == [[1, 2.5]]


def test_a_value_that_becomes_infinite_is_refused(codec):
    with pytest.raises(Refusal, match="not finite"):
        codec("sqrt").from_json(b'{"inputs": {"series": [[1e300]]}}')


def test_class_names_become_their_numbers(codec):
    arrays = codec("generator").from_values({"label": ["owl", 0], "n": 2})
    assert arrays["label"].tolist() == [2, 0]
    with pytest.raises(Refusal, match="Its classes: cat, dog, owl"):
        codec("generator").from_values({"label": "bird"})
    with pytest.raises(Refusal, match="at most 2"):
        codec("generator").from_values({"label": 3})


def test_labels_and_n_must_go_together(codec):
    with pytest.raises(Refusal, match="N = 3"):
        codec("generator").from_values({"label": ["owl", "cat"], "n": 3})


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 65}, {"n": 1.0}, {"n": True}, {"seed": -1}, {"seed": "1"}, {"seed": 2**64}]
)
def test_seeds_and_numbers_of_images_have_limits(codec, wrong):
    with pytest.raises(Refusal, match="must be a whole number"):
        codec("generator").from_values(wrong)


def test_latents_may_be_given_and_then_nothing_is_drawn(codec):
    latent = np.zeros((1, 16)).tolist()
    assert codec("generator").from_values({"latent": latent, "label": 1})["latent"].max() == 0
    with pytest.raises(Refusal, match="no such input"):
        codec("generator").from_values({"latent": latent, "label": 1, "seed": 1})


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 64, 100])
@pytest.mark.parametrize("seed", [0, 5, 2**40])
def test_latents_are_those_that_training_draws(size, seed):
    torch = pytest.importorskip("torch")
    from torchworks.shared.numbers.stream import sample_normal

    wanted = sample_normal(seed, range(3, 6), size)
    np.testing.assert_allclose(draw(seed, range(3, 6), size, uniform=False), wanted.numpy(), atol=1e-6)
    uniform = torch.erf(wanted / 2**0.5).numpy()
    np.testing.assert_allclose(draw(seed, range(3, 6), size, uniform=True), uniform, atol=1e-6)


# ---- forms and answers -------------------------------------------------------------------------------------


def test_parts_of_a_form_are_pictures_json_or_names(codec, picture):
    arrays = codec("classifier").from_form([("image", picture()), ("image", picture(seed=1))])
    assert arrays["image"].shape == (2, 1, 8, 8)
    drawn = codec("generator").from_form([("seed", "3"), ("n", "2"), ("label", "dog")])
    assert drawn["label"].tolist() == [1, 1]


def test_probabilities_become_the_most_likely_class(codec):
    answer = codec("classifier").to_json({"probability": np.array([[0.25, 0.5, 0.25]], np.float32)})
    assert answer["probability"] == [
        {"label": "dog", "probability": 0.5, "probabilities": {"cat": 0.25, "dog": 0.5, "owl": 0.25}}
    ]


def test_images_are_scaled_by_their_limits_and_rounded_as_training_does(codec):
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    file = base64.b64decode(codec("generator").to_json({"image": values})["image"][0])
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    np.testing.assert_array_equal(pixels, (values[0, 0] * 255).round())


# ---- names of classes in forms -----------------------------------------------------------------------------


@pytest.fixture
def drawing(bundles):
    """The classes that a generator with classes of these names gets for parts of a form called label."""
    manifest = read_bundle(bundles / "generator")
    latent, label = manifest.signature.inputs

    def numbers_of(names: tuple[str, ...], *parts: str | bytes) -> list[int]:
        signature = replace(manifest.signature, inputs=(latent, replace(label, labels=names)))
        found = Codec(replace(manifest, signature=signature), Limits())
        return found.from_form([("seed", "3"), *(("label", part) for part in parts)])["label"].tolist()

    return numbers_of


@pytest.mark.parametrize(
    ("names", "part", "number"),
    [
        (("1", "2", "3"), "1", 0),
        (("2", "1", "0"), "0", 2),
        (("null", "true", "[1]"), "true", 1),
        (("null", "true", "[1]"), "null", 0),
        (("null", "true", "[1]"), "[1]", 2),
        (("1.0", "1e3", '"a"'), "1e3", 1),
        (("1.0", "1e3", '"a"'), '"a"', 2),
        (("cat", "dog", "7"), "7", 2),
        (("1", "2", "3"), b"2", 1),
        (("cat", "dog", "owl"), "2", 2),
        (("cat", "dog", "owl"), '"owl"', 2),
    ],
)
def test_a_text_of_a_form_that_is_a_class_name_is_that_class(drawing, names, part, number):
    assert drawing(names, part) == [number]


def test_several_class_names_of_a_form_are_rows(drawing):
    assert drawing(("1", "2", "3"), "3", "1") == [2, 0]
    assert drawing(("1", "2", "3"), '["3", "1"]') == [2, 0]


@pytest.mark.parametrize("part", ["0", "4", " 1"])
def test_where_class_names_look_like_numbers_a_number_that_is_no_name_is_no_class(drawing, part):
    with pytest.raises(Refusal, match="Its classes: 1, 2, 3"):
        drawing(("1", "2", "3"), part)
