"""A trained CLIP as it is used: an image to its vector, a text to its vector, an image to one of the classes that texts
name, and a text to the images of a collection that it describes best.

Shape letters: N images or texts, C channels, S pixels along a side, T tokens, D size of a vector, P prompts, M images
of a collection, K that are found.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from safetensors.torch import load
from torch import Tensor, nn

from torchworks.hybrid_multimodal.contrastive.nets import new_net
from torchworks.hybrid_multimodal.contrastive.pairs import TOKENIZER, Texts
from torchworks.hybrid_multimodal.models.clip import CLIP, with_end
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

BUILDER = "hybrid-multimodal-clip"
Use = Literal["classes", "image", "text", "search"]
COLLECTION = "collection.safetensors"
MOST_FOUND = 12
"""Images of an answer."""


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
        return _text_vectors(self.net, inputs[0])


class SearchPredictor(Predictor):
    """text, as above → found (N, K), the numbers of the images that it describes best, their score (N, K), the cosine
    of both vectors, and the images (N, K, C, S, S), uint8. The collection, `vectors` (M, D) and `images` (M, C, S, S),
    is part of the model."""

    vectors: Tensor
    images: Tensor

    def __init__(self, net: CLIP, signature: Signature, vectors: Tensor, images: Tensor):
        super().__init__(net, signature)
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("images", images, persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        likeness = _text_vectors(self.net, inputs[0]) @ self.vectors.T
        score, found = likeness.topk(min(MOST_FOUND, self.vectors.shape[0]), 1)
        return found, score, self.images[found]


def _text_vectors(net: nn.Module, text: Tensor) -> Tensor:
    """Of tokens (N, T) without the end of the text, (N, D)."""
    assert isinstance(net, CLIP)
    return net.encode_text(with_end(text, net.token_embedding.num_embeddings - 1))


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
    text, most = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=texts.end - 1, pad=0), texts.length - 1
    if config["use"] == "text":
        return TextEncoderPredictor(net, Signature((text,), (vector,), most={"T": most}))
    if config["use"] == "search":
        collection, names, titles = load(files[COLLECTION]), tuple(config["names"]), tuple(config["titles"])
        count = min(MOST_FOUND, len(names))
        found = (
            TensorSpec("found", "id", "int64", ("N", count), low=0, high=len(names) - 1, labels=names, titles=titles),
            TensorSpec("score", "features", "float32", ("N", count), low=-1.001, high=1.001),
            TensorSpec("image", "image", "uint8", ("N", count, channels, size, size), low=0, high=255),
        )
        return SearchPredictor(net, Signature((text,), found, most={"T": most}), **collection)
    prompts = tuple(config["prompts"])
    probability = TensorSpec("probability", "label", "float32", ("N", len(prompts)), low=0, high=1, labels=prompts)
    return ZeroShotPredictor(net, Signature((image,), (probability,)), texts(prompts))
