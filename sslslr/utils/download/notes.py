"""Notes beside a part of a file: what tells the version that it is of from another."""

import json
import re
from pathlib import Path
from typing import Any

from sslslr.utils.download.addresses import public


def number_of(text: str | None) -> int | None:
    """The whole number that a header holds; None where it holds none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def content_range(answer: Any) -> tuple[int | None, int | None]:
    """First byte and length of the whole file, as Content-Range says; None for what it does not."""
    header = answer.headers.get("Content-Range", "").strip()
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", header)
    return (number_of(match[1]), number_of(match[2])) if match else (None, None)


def notes_of(url: str, answer: Any, have: int) -> dict[str, Any]:
    """What identifies this version of the file: kept beside the part."""
    total = content_range(answer)[1] if have else number_of(answer.headers.get("Content-Length"))
    headers = ("ETag", "Last-Modified")
    return {
        "url": public(url),
        "total": total,
        **{name: answer.headers.get(name) for name in headers},
    }


def same_version(known: dict[str, Any], fresh: dict[str, Any]) -> bool:
    """Do both describe one version? An answer to If-Range may leave the time out (RFC 9110)."""
    tags = ((known.get(name), fresh[name]) for name in ("ETag", "Last-Modified"))
    return known.get("total") == fresh["total"] and all(
        a == b for a, b in tags if a is not None and b is not None
    )


def read_notes(path: Path, url: str) -> dict[str, Any]:
    """What is known of the part; empty where it is of another address or cannot be read."""
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) and notes.get("url") == public(url) else {}


def strong_tag(notes: dict[str, Any]) -> str | None:
    """What `If-Range` may name: an ETag that is not weak, else the time of the last change."""
    tag, changed = notes.get("ETag"), notes.get("Last-Modified")
    if isinstance(tag, str) and tag.startswith('"'):
        return tag
    return changed if isinstance(changed, str) else None
