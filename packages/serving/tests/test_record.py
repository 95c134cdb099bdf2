"""An answer in a few words says what was answered."""

import numpy as np
import pytest

from torchworks.serving.monitoring.record import answer
from torchworks.shared.models.signature import Signature, TensorSpec

INPUT = TensorSpec("observation", "features", "float32", ("N", 3))


@pytest.mark.parametrize(
    ("shape", "values", "words"),
    [
        (("N",), [-0.05, 2.0], "value -0.05, 2"),
        (("N", 2), [[0.5, -1.25]], "value 0.5 -1.25"),
        (("N", 1), [[1.0]] * 5, "value 1, 1, 1, 2 more"),
        (("N", 9), [[1.0] * 9], "value 1×9"),
        (("N", 2, 2), [[[1.0] * 2] * 2], "value 1×2×2"),
    ],
)
def test_a_few_numbers_are_said_and_of_many_the_sizes(shape, values, words):
    signature = Signature((INPUT,), (TensorSpec("value", "features", "float32", shape),))
    assert answer(signature, {"value": np.array(values, np.float32)}) == words
