"""Fine-tuning: which layers of a pretrained net train, when, and how fast."""
