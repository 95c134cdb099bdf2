"""Training: the loop, what guards it, checkpoints, optimizers, metrics, several processes.

Read `trainer.py` first, then `experiment.py`, which takes a configuration to a finished run.
"""
