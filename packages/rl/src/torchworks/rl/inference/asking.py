"""Words that a person enters, in a terminal or from a file."""

import contextlib

with contextlib.suppress(ImportError):  # lets the arrow keys of a terminal do what they do elsewhere
    import readline  # noqa: F401


def asked(prompt: str) -> str | None:
    """The next line, lower case, without space around it or signs that cannot be seen; None at the end of the input."""
    try:
        line = input(prompt)
        return "".join(sign for sign in line if sign.isprintable() or sign == "\t").strip().lower()
    except EOFError:
        print()
        return None
