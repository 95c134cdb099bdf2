"""Words that a person enters, in a terminal or from a file."""


def asked(prompt: str) -> str | None:
    """The next line, lower case, without space around it; None at the end of the input."""
    try:
        return input(prompt).strip().lower()
    except EOFError:
        print()
        return None
