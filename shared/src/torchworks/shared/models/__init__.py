"""Finished models: signature of inputs and outputs, manifest `model.json`, predictor to save, load and run."""
