"""A clock that goes on evenly when the system's is set: durations, windows and times to keep something are by it."""

import time

_BEGAN = time.time() - time.monotonic()


def steady() -> float:
    """Seconds since 1970, as the system's clock had them when this process began."""
    return _BEGAN + time.monotonic()


def shown(moment: float) -> float:
    """A moment of `steady` as the system's clock has it now."""
    return moment + time.time() - steady()
