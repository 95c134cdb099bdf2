"""Runs a bundle's model by PyTorch: weights and the builder that the training package offers."""

import numpy as np
import torch

from torchworks.serving.bundle import Bundle
from torchworks.shared.predict import load_predictor


class TorchEngine:
    """An `Engine` on a processor or a GPU."""

    def __init__(self, bundle: Bundle, *, threads: int, device: str):
        torch.set_num_threads(threads)
        self.device = torch.device(device)
        self.signature = bundle.manifest.signature
        self.model = load_predictor(bundle.folder).to(self.device)

    @torch.inference_mode()
    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name."""
        given = [torch.from_numpy(inputs[spec.name]).to(self.device) for spec in self.signature.inputs]
        found = self.model(*given)
        answers = found if isinstance(found, tuple) else (found,)
        return {spec.name: answer.cpu().numpy() for spec, answer in zip(self.signature.outputs, answers, strict=True)}
