"""Environments: opening, stepping many at once, saving and restoring their state, drawing them."""
