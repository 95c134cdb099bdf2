"""Small games, drawn and ruled here. Importing this registers them with Gymnasium:

    gymnasium.make("torchworks.rl.environments.games:Snake10-v0")

A game's file needs NumPy and Gymnasium alone, and all its state is in plain attributes. What people would see of it, if
that is not what agents see, is given by its method `shown`.
"""

from typing import Any

import gymnasium

GAMES: dict[str, dict[str, Any]] = {
    "Snake10-v0": {"entry_point": f"{__name__}.snake:Snake"},
    "Snake10Ways-v0": {"entry_point": f"{__name__}.snake:Snake", "kwargs": {"ways": True}},
    "Breakout10-v0": {"entry_point": f"{__name__}.breakout:Breakout", "max_episode_steps": 1000},
    "Breakout10Sticky-v0": {
        "entry_point": f"{__name__}.breakout:Breakout",
        "max_episode_steps": 1000,
        "kwargs": {"sticky": 0.1},
    },
    "PixelBreakout10-v0": {"entry_point": f"{__name__}.pixels:make_pixel_breakout", "max_episode_steps": 1000},
    "ConnectFour-v0": {"entry_point": f"{__name__}.connect_four:ConnectFour"},
}

for _name, _options in GAMES.items():
    if _name not in gymnasium.registry:
        gymnasium.register(_name, **_options)
