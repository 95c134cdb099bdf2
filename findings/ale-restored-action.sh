#!/usr/bin/env bash
# A game of the Arcade Learning Environment that is restored from a copy of its state can go another way.
#
# Versions: ale-py 0.12.1, numpy 2.4.6, Python 3.11.
# Expected: cloneState(include_rng=True) has all that a game depends on, its random numbers included: restored, the same
#           actions lead to the same memory of the console at each frame, as in two games that begin with one seed.
# Seen:     with sticky actions (repeat_action_probability 0.25, the default of the ids ALE/...-v5) this holds only if
#           the emulator that is restored has last played the action that came before the copy. That action, which a
#           sticky frame takes again, is not in the state: it stays what it was. A training that is resumed in a new
#           process thus goes another way, and so does a search that restores a state many times. Without stickiness
#           all frames are the same.
# Output:   stickiness 0.25, the same emulator: another way from frame 0 on
#           stickiness 0.25, a new emulator: another way from frame 0 on
#           stickiness 0.25, an emulator that has just played the same action: the same 300 frames
#           stickiness 0.00, the same emulator: the same 300 frames
#           stickiness 0.00, a new emulator: the same 300 frames
#           stickiness 0.00, an emulator that has just played the same action: the same 300 frames
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ale-py==0.12.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
from ale_py import ALEInterface, LoggerMode, roms

ALEInterface.setLoggerMode(LoggerMode.Error)
chance = np.random.default_rng(4)
before, after = ([int(action) for action in chance.choice([0, 1, 3, 4], n)] for n in (200, 300))


def game(stickiness):
    ale = ALEInterface()
    ale.setFloat("repeat_action_probability", stickiness)
    ale.setInt("random_seed", 3)
    ale.loadROM(roms.get_rom_path("breakout"))
    return ale


def play(ale, actions):
    seen = []
    for action in actions:
        ale.act(action)
        seen.append(ale.getRAM().copy())
    return np.array(seen)


found = {}
for stickiness in (0.25, 0.0):
    first, new, played = (game(stickiness) for _ in range(3))
    play(first, before)
    state = first.cloneState(include_rng=True)
    wanted = play(first, after)
    play(played, before[-1:] * 20)
    emulators = {"the same emulator": first, "a new emulator": new}
    for name, ale in (emulators | {"an emulator that has just played the same action": played}).items():
        ale.restoreState(state)
        other = np.flatnonzero((play(ale, after) != wanted).any(1))
        found[stickiness, name] = not len(other)
        end = f"another way from frame {other[0]} on" if len(other) else "the same 300 frames"
        print(f"stickiness {stickiness:.2f}, {name}: {end}")
assert list(found.values()) == [False, False, True, True, True, True], "the behavior has changed"
PYTHON
