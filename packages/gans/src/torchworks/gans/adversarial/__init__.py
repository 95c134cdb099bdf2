"""What every adversarial training shares: losses, differentiable augmentation, the doctor that watches a game."""
