"""Importing this file registers environments of Gymnasium that have no limit of steps with one, since an agent that has
not learnt to reach their end would play forever.

| id | is |
|---|---|
| LimitedCliffWalking-v1 | CliffWalking-v1, cut off after 200 steps |
"""

import gymnasium

_CLIFF = "gymnasium.envs.toy_text:CliffWalkingEnv"
gymnasium.register("LimitedCliffWalking-v1", _CLIFF, max_episode_steps=200)
