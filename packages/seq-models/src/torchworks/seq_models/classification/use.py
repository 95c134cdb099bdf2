"""What the commands of classification do."""

import torch

from torchworks.seq_models.classification.commands import Predict
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import read_files
from torchworks.shared.runs.opening import open_run
from torchworks.shared.text import from_json


def predict(arguments: Predict) -> int:
    """Print the most probable class of each text. Raises `UserError` for one that is empty or too long."""
    run = open_run(arguments.run, "seq-models", arguments.device)
    tokenizer = from_json(read_files(arguments.run)["tokenizer.json"])
    signature = run.predictor.signature
    for text in arguments.texts:
        tokens = tokenizer.encode(text)
        if not 1 <= len(tokens) <= signature.most["T"]:
            raise UserError(f"A text must have 1 to {signature.most['T']} words, but '{text[:60]}' has {len(tokens)}.")
        (row,) = run.compute(torch.tensor([tokens]))
        print(f"{text}  {signature.outputs[0].labels[int(row.argmax())]} {row.max():.1%}")
    return 0
