"""Small games, drawn and ruled here. Importing this registers them with Gymnasium:

gymnasium.make("torchworks.rl.environments.games:ConnectFour-v0")
"""

from typing import Any

import gymnasium

GAMES: dict[str, dict[str, Any]] = {
    "ConnectFour-v0": {"entry_point": f"{__name__}.connect_four:ConnectFour"},
}

for _name, _options in GAMES.items():
    if _name not in gymnasium.registry:
        gymnasium.register(_name, **_options)
