"""`sslslr why`, `verify`, `archive`, `check-results`: where results come from, whether they hold."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[Path, typer.Option(help="Folder of the results.")]


def why(
    cell: Annotated[
        str, typer.Argument(help="FILE:ROW:COLUMN, as in results/tables/linear.csv:1:top1_mean.")
    ],
) -> None:
    """Runs, seeds, settings, hashes and commands behind a cell; exit status 1 if it is stale."""
    from sslslr.trace import cells
    from sslslr.trace import why as answering

    answer = answering.why(cells.find(cell))
    typer.echo(answer.text)
    if answer.stale:
        raise typer.Exit(1)


def archive(
    out: Annotated[Path, typer.Argument(help="The zip file to make.")],
    results: Results = Path("results"),
) -> None:
    """Pack results as an RO-Crate: encoders, metrics, tables, figures; no clips."""
    from sslslr.trace.archive import archive as pack

    typer.echo(f"{out}: {pack(results, out)} files, each with the hash that was recorded.")


def check_results(
    results: Results = Path("results"),
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Seal files without a seal as they are now.")
    ] = False,
    break_seals: Annotated[
        bool, typer.Option("--break", help="Have the next run make damaged files again.")
    ] = False,
) -> None:
    """Read every byte that a job wrote and compare its hash; exit status 1 if one differs."""
    from sslslr import seals

    damages, count = seals.examine(results, thorough=True)
    for damage in damages:
        typer.echo(f"changed since it was written: {damage}")
    left = [file for files in seals.unsealed(results).values() for file in files]
    if adopt and not damages:
        typer.echo(f"{results}: sealed {seals.adopt(results)} files as they are.")
    elif left:
        typer.echo(f"{results}: {len(left)} files have no seal, the first {left[0]} (--adopt).")
    if damages:
        broken = {damage.seal for damage in damages}
        if break_seals:
            for seal in sorted(broken):
                seals.break_seal(seal)
        advice = "The next run makes them again." if break_seals else "See --break."
        typer.echo(f"{results}: {len(damages)} of {count} files were changed. {advice}")
        raise typer.Exit(1)
    typer.echo(f"{results}: {count} files are what their jobs wrote.")
