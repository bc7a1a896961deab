"""Numbers and lists in sentences."""

from collections.abc import Iterable


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 clip`, `3 clips`; nouns that do more than take an s give their plural."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def some(names: Iterable[str]) -> str:
    """The first three of many texts, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
