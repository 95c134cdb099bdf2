"""Seeds from what they are for. Imports no torch, so that a service can draw what a training package draws."""

_MASK = (1 << 64) - 1


def mix(*parts: int | str) -> int:
    """A well-spread 63-bit seed from integers and names (splitmix64, Steele et al. 2014)."""
    state = 0
    for part in parts:
        for value in (*part.encode(), -1) if isinstance(part, str) else (part,):
            state = (state ^ (value & _MASK)) + 0x9E3779B97F4A7C15 & _MASK
            state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
            state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
            state ^= state >> 31
    return state >> 1
