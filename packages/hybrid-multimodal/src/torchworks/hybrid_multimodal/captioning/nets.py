"""The nets that a configuration can name."""

from collections.abc import Callable

from torchworks.hybrid_multimodal.models.captioner import Captioner
from torchworks.hybrid_multimodal.models.factored_captioner import FactoredCaptioner
from torchworks.hybrid_multimodal.models.show_attend_tell import ShowAttendTell, ShowTell

MODELS: dict[str, Callable[..., Captioner]] = {
    "factored": FactoredCaptioner,
    "attend": ShowAttendTell,
    "lstm": ShowTell,
}
