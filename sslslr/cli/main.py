"""`sslslr VERB`: one verb a stage. Verbs are thin; what they call is imported when they run."""

import atexit
import errno
import gc
import io
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from sslslr import __version__
from sslslr.cli import config, data, evaluate, init, lookup, pose, pretrain, provenance, report, use
from sslslr.training.stop import EXIT_CODE, Stopped
from sslslr.utils.errors import UserError
from sslslr.utils.files import sweep_beside
from sslslr.utils.user_files import printable, shown

# What no reader foresees of each file that it opens, and a person can mend.
OF_A_FILE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG),
    *(errno.ELOOP, errno.EMFILE, errno.ENFILE),
)
# torch says it so, in errors of its own, of the machine's memory and of a GPU's.
NO_MEMORY = re.compile("can't allocate memory|out of memory|[Cc]annot allocate memory")


def _seal(_: object, version: bool, seal: Path | None, outputs: str) -> None:
    """The verb has succeeded: seal what the rule says that it writes."""
    if seal is not None:
        from sslslr.workflow import seals

        seals.write(seal, outputs.split())


app = typer.Typer(
    help="Self-supervised representation learning for sign language recognition: the paper's study, run again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    result_callback=_seal,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sslslr {__version__}")
        raise typer.Exit


@app.callback()
def _before(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    seal: Annotated[
        Path | None, typer.Option(help="Note hashes of the verb's outputs in this file.")
    ] = None,
    outputs: Annotated[
        str, typer.Option(help="Files and folders to seal, with blanks between them.")
    ] = "",
) -> None:
    for path in map(Path, sys.argv[1:]):
        # One that a kill took away while it was replaced, where the disk has no exchange, is put back.
        if not os.path.lexists(path):
            sweep_beside(path)
    if seal is not None:
        from sslslr.workflow import seals

        seals.clear(seal)  # its files are about to be replaced


app.command("init")(init.init)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
app.add_typer(pose.app, name="pose")
app.command("pretrain")(pretrain.pretrain)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(report.app, name="report")
app.command("embed")(use.embed)
app.command("export")(use.export)
app.command("review")(use.review)
app.add_typer(lookup.app, name="lookup")
app.command("why")(provenance.why)
app.command("verify")(provenance.verify)
app.command("archive")(provenance.archive)
app.command("check-results")(provenance.check_results)


def main() -> None:
    """What the user can mend is one line and status 2, a stop is status 75; signals: `interruption`."""
    for stream in (sys.stdout, sys.stderr):  # whatever a licence holds, or the locale lacks
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # torch, imported later, then asks for large pages where it needs much memory: 6 % of a step.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # At its end Python would look through all that torch has made for what to free: 0.3 s of a job.
    atexit.register(gc.freeze)
    try:
        app()
    except Stopped as stop:
        print(f"sslslr: {stop}", file=sys.stderr)
        sys.exit(EXIT_CODE)
    except (UserError, ModuleNotFoundError, MemoryError, OSError, RuntimeError) as error:
        if (sentence := _sentence(error)) is None:
            raise
        print(f"sslslr: error: {sentence}", file=sys.stderr)
        sys.exit(2)


def _sentence(error: Exception) -> str | None:
    """What to tell the user of an error; None for a defect of ours, which keeps its traceback."""
    if isinstance(error, UserError):
        # It may repeat what a stranger's file holds: nothing of it commands the screen.
        return "\n".join(map(printable, str(error).split("\n")))
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "sslslr").partition(".")[0]
        if package != "sslslr":
            return (
                f"this needs the package {package!r}, which is not installed. "
                'Install what a study needs: pip install "sslslr[study]"'
            )
    if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
        return "there is not enough memory. Close other programs, or use fewer clips or smaller batches."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}no space left on the device. Free some, or name another folder (TMPDIR, --out)."
    if isinstance(error, OSError) and error.errno in OF_A_FILE:
        where = f"{shown(error.filename)}: " if isinstance(error.filename, str) else ""
        said = os.strerror(error.errno)
        return f"{where}{said}. Look at the file, its folder and their rights (ls -l), or name another."
    return None


if __name__ == "__main__":
    main()
