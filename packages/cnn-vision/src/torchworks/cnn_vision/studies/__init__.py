"""Studies over several runs: model sizes, seeds, hyperparameter search."""
