"""Numbers in sentences."""


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 clip`, `3 clips`; nouns that do more than take an s give their plural."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"
