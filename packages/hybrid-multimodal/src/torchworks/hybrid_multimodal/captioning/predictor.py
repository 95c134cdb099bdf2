"""A trained captioner as it is used: an image to a caption, its probability, and where each word was read.

A service turns the tokens into text by the tokenizer that is kept with the model.

Shape letters: N images, C channels, S pixels along a side, L tokens at most, P places.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchworks.hybrid_multimodal.captioning.beam import beam_search
from torchworks.hybrid_multimodal.captioning.nets import MODELS
from torchworks.hybrid_multimodal.captioning.tokens import BEGIN, END, TOKENIZER, color_words, special
from torchworks.hybrid_multimodal.models.captioner import STRIDE, Captioner
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

BUILDER = "hybrid-multimodal-captioner"


class CaptionPredictor(Predictor):
    """Image, uint8 (N, C, S, S) → caption, the ids of its tokens (N, L), padded with 0; its log-probability (N,); and
    maps (N, L, S / 8, S / 8) of where each token was read, which add up to 1, and to 0 behind the end.

    The search for words, of `beams` beginnings at a time, is unrolled: it is a part of the graph."""

    net: Captioner

    def __init__(self, net: Captioner, signature: Signature, *, beams: int, longest: int):
        super().__init__(net, signature)
        self.beams, self.longest = beams, longest

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (image,) = inputs
        found = beam_search(self.net, image.float() / 255, beams=self.beams, longest=self.longest)
        side = image.shape[-1] // STRIDE
        return found.tokens, found.log_probability, found.maps.unflatten(2, (side, side))


def build_captioner(config: dict[str, Any], files: Mapping[str, bytes]) -> CaptionPredictor:
    """The predictor with new weights, from the `config` in `model.json` (channels, image_size, longest, beams, model,
    net) and the tokenizer in `files`.

    Builder "hybrid-multimodal-captioner"."""
    tokenizer = from_json(files[TOKENIZER])
    channels, size, longest = config["channels"], config["image_size"], config["longest"]
    net = MODELS[config["model"]](
        channels=channels,
        places=(size // STRIDE) ** 2,
        vocabulary=len(tokenizer),
        begin=special(tokenizer, BEGIN),
        end=special(tokenizer, END),
        color_words=color_words(tokenizer),
        **config["net"],
    )
    side = size // STRIDE
    signature = Signature(
        (TensorSpec("image", "image", "uint8", ("N", channels, size, size), low=0, high=255),),
        (
            TensorSpec("caption", "text", "int64", ("N", longest), low=0, high=len(tokenizer) - 1),
            TensorSpec("log_probability", "features", "float32", ("N",), high=1e-3),
            TensorSpec("maps", "features", "float32", ("N", longest, side, side), low=0, high=1.0001),
        ),
    )
    return CaptionPredictor(net, signature, beams=config["beams"], longest=longest)
