"""The commands of this package, of all its jobs. Imports no torch, so that `--help` is quick."""

from torchworks.cnn_vision.anomaly.commands import COMMANDS as ANOMALY
from torchworks.cnn_vision.autoencoders.commands import COMMANDS as AUTOENCODERS
from torchworks.cnn_vision.inference.commands import COMMANDS as INFERENCE
from torchworks.cnn_vision.studies.commands import COMMANDS as STUDIES
from torchworks.cnn_vision.style.commands import COMMANDS as STYLE

COMMANDS = {**INFERENCE, **STUDIES, **ANOMALY, **AUTOENCODERS, **STYLE}
