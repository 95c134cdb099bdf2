"""The recipe of properties of molecules; its docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.molecules.config import MoleculeConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def molecules() -> MoleculeConfig:
    """Solubility of a molecule in water, or what else was measured, by messages along its bonds (GINE).

    hybrid-multimodal train molecules
    """
    return MoleculeConfig(
        recipe="molecules",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1240, batch_size=32, eval_every=310),
    )
