"""Policies learnt on the episodes that they have just played: REINFORCE, A2C, PPO."""
