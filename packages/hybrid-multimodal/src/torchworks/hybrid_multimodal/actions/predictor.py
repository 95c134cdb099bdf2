"""A trained net for films as it is used: a film to the probability of each class.

Shape letters: N films, T frames, C channels, S pixels along a frame, K classes."""

from typing import Any

from torch import Tensor

from torchworks.hybrid_multimodal.actions.nets import ANY_LENGTH, new_net
from torchworks.hybrid_multimodal.actions.task import normalized
from torchworks.hybrid_multimodal.data.films_config import MOST_FRAMES
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "hybrid-multimodal-action"


class ActionPredictor(Predictor):
    """film, uint8 (N, T, C, S, S) → action, the probability of each class, (N, K)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        (film,) = inputs
        return self.net(normalized(film)).float().softmax(1)


def build_action(config: dict[str, Any]) -> ActionPredictor:
    """The predictor of a net for films with new weights, from the `config` in `model.json`: its net, the classes, the
    frames and the image.

    Builder "hybrid-multimodal-action"."""
    classes, frames = tuple(config["classes"]), config["frames"]
    channels, size = config["channels"], config["image_size"]
    net = new_net(config["net"], classes=len(classes), frames=frames, image_size=size, channels=channels)
    free = config["net"]["arch"] in ANY_LENGTH
    film = TensorSpec("film", "video", "uint8", ("N", "T" if free else frames, channels, size, size), low=0, high=255)
    action = TensorSpec("action", "label", "float32", ("N", len(classes)), low=0, high=1, labels=classes)
    return ActionPredictor(net, Signature((film,), (action,), most={"T": MOST_FRAMES} if free else {}))
