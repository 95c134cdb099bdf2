"""The commands of this package: those of all its jobs. Imports no torch, so that `--help` is quick."""

from torchworks.seq_models.anomalies.commands import COMMANDS as ANOMALIES
from torchworks.seq_models.answering.commands import COMMANDS as ANSWERING
from torchworks.seq_models.classification.commands import COMMANDS as CLASSIFICATION
from torchworks.seq_models.composing.commands import COMMANDS as COMPOSING
from torchworks.seq_models.embedding.commands import COMMANDS as EMBEDDING
from torchworks.seq_models.forecasting.commands import COMMANDS as FORECASTING
from torchworks.seq_models.inference.commands import COMMANDS as INFERENCE
from torchworks.seq_models.language.commands import COMMANDS as LANGUAGE
from torchworks.seq_models.pronunciation.commands import COMMANDS as PRONUNCIATION
from torchworks.seq_models.recognition.commands import COMMANDS as RECOGNITION
from torchworks.seq_models.sound.commands import COMMANDS as SOUND
from torchworks.seq_models.studies.commands import COMMANDS as STUDIES
from torchworks.seq_models.synthesis.commands import COMMANDS as SYNTHESIS
from torchworks.seq_models.tabular.commands import COMMANDS as TABULAR
from torchworks.seq_models.translation.commands import COMMANDS as TRANSLATION
from torchworks.seq_models.verification.commands import COMMANDS as VERIFICATION
from torchworks.seq_models.voice_detection.commands import COMMANDS as VOICE_DETECTION

COMMANDS = {
    **INFERENCE,
    **ANOMALIES,
    **ANSWERING,
    **CLASSIFICATION,
    **COMPOSING,
    **EMBEDDING,
    **FORECASTING,
    **LANGUAGE,
    **PRONUNCIATION,
    **RECOGNITION,
    **SOUND,
    **SYNTHESIS,
    **TABULAR,
    **TRANSLATION,
    **VERIFICATION,
    **VOICE_DETECTION,
    **STUDIES,
}
