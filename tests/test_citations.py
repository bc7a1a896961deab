"""Files that the sources and documents cite are in the clone."""

import re

from toys import ROOT

CITED = re.compile(
    r"(?<![\w./{<-])((?:docs|sslslr|tests|workflow|config|scripts|benchmarks|shared)/[\w./-]*\.\w+)"
)
MARKDOWN_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
# Files that a reader is told to write, and files of the past that an experiment names.
EXEMPT = {"docs/extend.md", "docs/experiments.md", "docs/performance.md"}
MADE_LATER = {
    "config/checksums.lock",
    "tests/ROOM/test_MODULE.py",
}  # by the first download; a pattern
FOLDERS = ("sslslr", "workflow", "config", "scripts", "benchmarks", "docs", "profiles")


def documents():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".md", ".smk", ".yaml", ".rst", ".jinja"}:
                yield path
    names = ("README.md", "CONTRIBUTING.md", "Makefile", "Snakefile", "pyproject.toml")
    yield from (ROOT / name for name in names)


def test_cited_files_exist():
    missing = []
    for path in documents():
        name = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        cited = set() if name in EXEMPT else set(CITED.findall(text)) - MADE_LATER
        missing += [f"{name} cites {file}" for file in sorted(cited) if not (ROOT / file).exists()]
        if path.suffix == ".md":
            links = MARKDOWN_LINK.findall(text)
            missing += [f"{name} links {to}" for to in links if not (path.parent / to).exists()]
    assert not missing, "\n".join(missing)
