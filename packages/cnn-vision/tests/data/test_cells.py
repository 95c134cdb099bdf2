"""The bundled source `cells`."""

import numpy as np
import pytest
import torch

from torchworks.cnn_vision.data.cells import PIXELS, open_cells, stain_mask
from torchworks.shared.config import ImageConfig, UserError


def test_cells_have_masks_by_the_rule_and_no_pixel_in_both_parts():
    source = open_cells("", ImageConfig(image_size=48), 0)
    assert source.schema["mask"].classes == PIXELS
    counts = np.bincount(stain_mask().ravel(), minlength=3) / stain_mask().size
    assert (counts > 0.1).all()
    again = open_cells("", ImageConfig(image_size=48), 0)
    assert torch.equal(source.train[3]["mask"], again.train[3]["mask"])
    with pytest.raises(UserError, match="at most 154 pixels"):
        open_cells("", ImageConfig(image_size=160), 0)
    with pytest.raises(UserError, match="nothing after a colon"):
        open_cells("mitosis", ImageConfig(image_size=48), 0)
