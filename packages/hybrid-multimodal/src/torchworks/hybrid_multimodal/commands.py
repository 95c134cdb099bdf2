"""The commands of this package: those of all its jobs. Imports no torch, so that `--help` is quick."""

from torchworks.hybrid_multimodal.actions.commands import COMMANDS as ACTIONS
from torchworks.hybrid_multimodal.captioning.commands import COMMANDS as CAPTIONING
from torchworks.hybrid_multimodal.classification.commands import COMMANDS as CLASSIFICATION
from torchworks.hybrid_multimodal.contrastive.commands import COMMANDS as CONTRASTIVE
from torchworks.hybrid_multimodal.detection.commands import COMMANDS as DETECTION
from torchworks.hybrid_multimodal.inference.commands import COMMANDS as INFERENCE
from torchworks.hybrid_multimodal.models.commands import COMMANDS as MODELS
from torchworks.hybrid_multimodal.questions.commands import COMMANDS as QUESTIONS
from torchworks.hybrid_multimodal.recommendation.commands import COMMANDS as RECOMMENDATION
from torchworks.shared import cli

COMMANDS: dict[str, cli.Command] = {
    **RECOMMENDATION,
    **CAPTIONING,
    **CONTRASTIVE,
    **QUESTIONS,
    **ACTIONS,
    **CLASSIFICATION,
    **DETECTION,
    **INFERENCE,
    **MODELS,
}
