"""What the commands of classification do."""

import torch

from torchworks.diffusion.classification.commands import Predict
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read
from torchworks.shared.runs.opening import open_run


def predict(arguments: Predict) -> int:
    """Print the most probable class of each image. Raises `UserError`, after all others are done, that names the files
    that cannot be read."""
    run = open_run(arguments.run, "diffusion", arguments.device)
    signature = run.predictor.signature
    channels, size = (int(length) for length in signature.inputs[0].shape[1:3])
    images, (files, bad) = {}, find_images(arguments.images)
    for path in files:
        try:
            images[path] = read(path, channels, size)
        except Unreadable as error:
            bad[path] = str(error)
    probability = run.compute(torch.stack([*images.values()])) if images else ()
    for path, row in zip(images, probability, strict=True):
        print(f"{path}  {signature.outputs[0].labels[int(row.argmax())]} {row.max():.1%}")
    if bad:
        raise UserError(f"Some images cannot be read: {'; '.join(f'{path} ({why})' for path, why in bad.items())}.")
    return 0
