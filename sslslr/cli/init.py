"""`sslslr init`: the files of a study, written into a folder from the installed package."""

import importlib.util
import shutil
from pathlib import Path
from typing import Annotated

import typer

from sslslr.utils.errors import UserError

PACKAGE = Path(__file__).parents[1]
FILES = ("Snakefile", "config", "profiles", "workflow")


def study_files() -> Path:
    """The folder that holds `FILES`: in the package (setup.py), or the repository around it.

    Raises:
        UserError: an installation without them.
    """
    for folder in (PACKAGE / "study_files", PACKAGE.parent):
        if all((folder / name).exists() for name in FILES):
            return folder
    raise UserError(
        f"{PACKAGE}: this installation has no files of a study. Install the package from its wheel "
        "or from a clone of its repository."
    )


def _content(place: Path) -> dict[str, bytes]:
    """Bytes of a file, or of the files of a folder that a study needs, by their paths."""
    if not place.is_dir():
        return {"": place.read_bytes()}
    inner = [(file, file.relative_to(place)) for file in place.rglob("*") if file.is_file()]
    return {
        str(path): file.read_bytes()
        for file, path in inner
        if not any(part == "__pycache__" or part.startswith(".") for part in path.parts)
    }


def write_study(folder: Path) -> None:
    """Copy the files of a study; files of another content stay, and then nothing is written.

    Raises:
        UserError: the folder has such files, or cannot be written.
    """
    from sslslr.utils.files import atomic_file, atomic_folder

    source = study_files()
    # What is the same may be what a killed command wrote: it is kept, and the rest is added.
    there = [name for name in FILES if (folder / name).exists()]
    if there := [name for name in there if _content(folder / name) != _content(source / name)]:
        raise UserError(
            f"{folder} has {' and '.join(there)} already; nothing was written. Name a folder without."
        )
    made: list[Path] = []
    try:
        for name in FILES:
            place = folder / name
            if place.exists():
                continue
            if (source / name).is_dir():
                with atomic_folder(place) as temporary:
                    junk = shutil.ignore_patterns("__pycache__", ".*")
                    shutil.copytree(source / name, temporary, dirs_exist_ok=True, ignore=junk)
            else:
                with atomic_file(place) as temporary:
                    shutil.copyfile(source / name, temporary)
            made.append(place)
    except BaseException:
        for place in made:
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        raise


def init(
    folder: Annotated[Path, typer.Argument(help="Where the study is to be; made if absent.")],
) -> None:
    """Write the files of a study: config/, Snakefile, profiles/, workflow/."""
    write_study(folder)
    print(f"{folder}: the files of a study. Its configuration is {folder / 'config/demo.yaml'}.")
    if importlib.util.find_spec("snakemake") is None:
        print('Running it needs more packages: pip install "sslslr[study]"')
    print(f"Next: cd {folder} && snakemake --cores 2")
