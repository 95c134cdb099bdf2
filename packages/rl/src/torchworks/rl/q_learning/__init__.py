"""Values of actions learnt from steps that are kept: DQN and what came after it."""
