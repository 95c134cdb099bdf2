"""A trained CLIP as it is used: an image to its vector, a text to its vector, and an image to one of the classes that
texts name.

Shape letters: N images or texts, C channels, S pixels along a side, T tokens, D size of a vector, P prompts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from torchworks.hybrid_multimodal.contrastive.nets import new_net
from torchworks.hybrid_multimodal.contrastive.pairs import TOKENIZER, Texts
from torchworks.hybrid_multimodal.models.clip import CLIP, with_end
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

BUILDER = "hybrid-multimodal-clip"
Use = Literal["classes", "image", "text"]


class ZeroShotPredictor(Predictor):
    """image, uint8 (N, C, S, S) → probability (N, P) of each of the prompts that the model was saved with."""

    prompts: Tensor

    def __init__(self, net: CLIP, signature: Signature, prompts: Tensor):
        super().__init__(net, signature)
        self.register_buffer("prompts", prompts, persistent=False)  # (P, T)

    def forward(self, *inputs: Tensor) -> Tensor:
        assert isinstance(self.net, CLIP)
        image, text = self.net.encode_image(_scaled(inputs[0])), self.net.encode_text(self.prompts)
        return (self.net.scale() * image @ text.T).softmax(1)


class ImageEncoderPredictor(Predictor):
    """image, uint8 (N, C, S, S) → vector (N, D), of length 1."""

    def forward(self, *inputs: Tensor) -> Tensor:
        assert isinstance(self.net, CLIP)
        return self.net.encode_image(_scaled(inputs[0]))


class TextEncoderPredictor(Predictor):
    """text, the ids of its tokens, int64 (N, T), padded with 0 → vector (N, D), of length 1."""

    def forward(self, *inputs: Tensor) -> Tensor:
        assert isinstance(self.net, CLIP)
        end = self.net.token_embedding.num_embeddings - 1
        return self.net.encode_text(with_end(inputs[0], end))


def _scaled(image: Tensor) -> Tensor:
    """uint8 as the training had it, in [-1, 1]."""
    return image.float() / 127.5 - 1


def predictor_config(
    net: dict[str, Any], *, length: int, image_size: int, channels: int, use: Use, prompts: Sequence[str] = ()
) -> dict[str, Any]:
    """What `build_clip` rebuilds a predictor from."""
    return {
        "net": net, "length": length, "image_size": image_size, "channels": channels, "use": use,
        "prompts": list(prompts),
    }  # fmt: skip


def build_clip(config: dict[str, Any], files: Mapping[str, bytes]) -> Predictor:
    """The predictor of a CLIP, with new weights, from the `config` in `model.json` and the tokenizer in `files`.

    Builder "hybrid-multimodal-clip"."""
    texts = Texts(from_json(files[TOKENIZER]), config["length"])
    size, channels, dim = config["image_size"], config["channels"], config["net"]["embed_dim"]
    net = new_net(config["net"], vocabulary=texts.end + 1, length=texts.length, image_size=size, channels=channels)
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size), low=0, high=255)
    vector = TensorSpec("vector", "features", "float32", ("N", dim))
    if config["use"] == "image":
        return ImageEncoderPredictor(net, Signature((image,), (vector,)))
    if config["use"] == "text":
        text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=texts.end - 1, pad=0)
        return TextEncoderPredictor(net, Signature((text,), (vector,), most={"T": texts.length - 1}))
    prompts = tuple(config["prompts"])
    probability = TensorSpec("probability", "label", "float32", ("N", len(prompts)), low=0, high=1, labels=prompts)
    return ZeroShotPredictor(net, Signature((image,), (probability,)), texts(prompts))
