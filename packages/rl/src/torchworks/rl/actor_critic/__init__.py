"""Actions that are numbers, learnt from kept steps: SAC and TD3."""
