"""`sslslr VERB`: one verb a stage. Verbs are thin; what they call is imported when they run."""

import atexit
import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from sslslr.cli import config, data, evaluate, pose, pretrain, report, trace
from sslslr.errors import UserError
from sslslr.training.stop import EXIT_CODE, Stopped


def _seal(_: object, seal: list[Path] | None) -> None:
    """The verb has succeeded: seal what it wrote."""
    if seal:
        from sslslr import files, seals

        # Nothing written: another job had made it meanwhile, and sealed it.
        for name, written in seals.share_out(seal, files.finished()).items():
            if written:
                seals.write(name, written)


app = typer.Typer(
    help="Self-supervised representation learning for sign language recognition: the paper's study, run again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    result_callback=_seal,
)


@app.callback()
def _before(
    seal: Annotated[
        list[Path] | None,
        typer.Option(
            help="Note hashes of all files that the verb writes in this file; one a run, if several."
        ),
    ] = None,
) -> None:
    for path in seal or []:
        from sslslr import seals

        seals.clear(path)  # its files are about to be replaced


app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
app.add_typer(pose.app, name="pose")
app.command("pretrain")(pretrain.pretrain)
app.command("pretrain-stack")(pretrain.pretrain_stack)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(report.app, name="report")
app.command("why")(trace.why)
app.command("verify")(trace.verify)
app.command("archive")(trace.archive)
app.command("check-results")(trace.check_results)


def main() -> None:
    """Entry point; a UserError prints its text alone and exits with status 2, a stop with 75."""
    # At its end Python would look through all that torch has made for what to free: 0.3 s of a job.
    atexit.register(gc.freeze)
    try:
        app()
    except Stopped as stop:
        print(f"sslslr: {stop}", file=sys.stderr)
        sys.exit(EXIT_CODE)
    except UserError as error:
        print(f"sslslr: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
