"""`sslslr data`: fetch, build, import, look at, check and publish clip stores."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sslslr.cli._runs import from_json

app = typer.Typer(help="Fetch, build, import, look at and check clip stores.", no_args_is_help=True)

Store = Annotated[Path, typer.Argument(help="Folder of a clip store.", metavar="STORE")]
Out = Annotated[Path, typer.Option("--out", help="Clip store to make (replaced if it exists).")]
Source = Annotated[str, typer.Option("--source", help="File in sslslr/datasets/.")]
Settings = Annotated[str, typer.Option("--options", help="The data set's options, as JSON.")]
PART_NAMES = {"left_hand": "left hand", "right_hand": "right hand", "body": "body"}


@app.command()
def download(
    source: Source,
    raw: Annotated[Path, typer.Option("--raw", help="Folder for the downloaded files.")],
    options: Settings = "{}",
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-licence",
            envvar="SSLSLR_ACCEPT_LICENCES",
            help="Id of a licence that you accept; repeatable.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            envvar="SSLSLR_DOWNLOADS",
            help="Where downloads grow and are kept [.downloads beside RAW].",
        ),
    ] = None,
    checksums: Annotated[
        Path, typer.Option("--checksums", help="Sums of the first download, verified ever after.")
    ] = Path("config/checksums.lock"),
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, envvar="SSLSLR_PARALLEL", help="Files at once.")
    ] = 4,
    allow_http: Annotated[
        bool,
        typer.Option(
            "--allow-http", envvar="SSLSLR_ALLOW_HTTP", help="Permit addresses without TLS."
        ),
    ] = False,
) -> None:
    """Fetch a data set's files, resumed and checked by sha256; whole files or none."""
    from sslslr import datasets
    from sslslr.http_client import Settings

    settings = Settings(
        cache=cache,
        checksums=checksums,
        parallel=parallel,
        allow_http=allow_http,
        accepted=tuple(accept or ()),
        say=typer.echo,
    )
    datasets.download(source, from_json(options, "--options"), raw, settings)
    typer.echo(f"{source}: downloaded to {raw}.")


@app.command()
def build(
    name: Annotated[str, typer.Option("--name", help="Name the data set gets.")],
    source: Source,
    out: Out,
    options: Settings = "{}",
    raw: Annotated[
        Path | None, typer.Option("--raw", help="Folder of the downloaded files.")
    ] = None,
) -> None:
    """Make a clip store of a known data set; says what was dropped and why."""
    from sslslr import datasets

    datasets.build(name, source, from_json(options, "--options"), out, raw, say=typer.echo)


@app.command(name="import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder with clips.npz, or with one .npy a clip.")],
    out: Out,
    name: Annotated[str, typer.Option("--name", help="Name the data set gets.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Table of the clips [FOLDER/instances.csv].")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Sign language, ISO 639-3, of rows without.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Shown in the report.")] = None,
    bad_clips: Annotated[
        Literal["error", "drop"],
        typer.Option("--bad-clips", help="Stop at a bad clip, or leave it out and say so."),
    ] = "error",
    min_frames: Annotated[int, typer.Option("--min-frames", min=1, help="Shorter is bad.")] = 2,
) -> None:
    """Make a clip store of your own keypoints: clips.npz or .npy files, and a table."""
    from sslslr.errors import UserError
    from sslslr.importing import NPZ, TABLE, import_npy, import_npz

    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.")
    table = csv or folder / TABLE
    said = {"language": language, "licence": licence, "say": typer.echo}
    rules = {"min_frames": min_frames, "on_bad": bad_clips}
    if (folder / NPZ).is_file():
        import_npz(folder, out, name, table=table, **said, **rules)
    elif next(folder.rglob("*.npy"), None) is not None:
        import_npy(folder, table, out, name, **said, **rules)
    else:
        raise UserError(f"{folder}: holds neither {NPZ} nor .npy files.")


@app.command()
def check(store: Store) -> None:
    """Read a whole clip store and list what is wrong; exit status 1 if anything is."""
    from sslslr.clips import ClipStore

    opened = ClipStore.open(store)
    findings = opened.check()
    for finding in findings:
        typer.echo(finding)
    if findings:
        typer.echo(f"{store}: {len(findings)} findings.")
        raise typer.Exit(1)
    typer.echo(f"{store}: sound; {len(opened)} clips, {len(opened.keypoints)} frames.")


@app.command()
def info(store: Store) -> None:
    """Counts, lengths, missing joints, drops and licence of a clip store."""
    from rich.console import Console

    from sslslr.clips import ClipStore

    opened = ClipStore.open(store)
    console, card = Console(), opened.card
    glosses = opened.clips["gloss"].nunique()
    console.print(f"[bold]{_escaped(opened.name)}[/bold]: {len(opened)} clips of {glosses} glosses")
    for key in ("licence", "citation", "origin", "split_rule"):
        if card.get(key):
            console.print(f"{key.replace('_', ' ')}: {card[key]}", highlight=False, markup=False)
    for column in ("split", "language", "signer"):
        console.print(_counts(opened.clips, column))
    console.print(_lengths(opened.clips["n_frames"]))
    if card.get("counts"):
        console.print(_expected(card["counts"]))
    console.print(_missing(card["joints"]))
    console.print(_drops(card["dropped"]))


@app.command()
def splits(
    store: Store,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file to write.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Published JSON file to compare with.")
    ] = None,
) -> None:
    """Clip ids of each split with their hash, to publish (--out) or to compare (--check)."""
    import json

    from sslslr.clips import ClipStore
    from sslslr.files import read_json, write_json
    from sslslr.membership import differences, membership, published

    opened = ClipStore.open(store)
    mine = membership(opened.clips, opened.card)
    if check is not None:
        lines = differences(mine, published(read_json(check), check))
        typer.echo(
            "\n".join(lines or [f"{store}: the same clips as {check}, sha256 {mine['sha256']}."])
        )
        raise typer.Exit(int(bool(lines)))
    if out is None:
        typer.echo(json.dumps(mine, indent=2, ensure_ascii=False))
    else:
        write_json(out, mine)
        typer.echo(f"{out}: sha256 {mine['sha256']}")


def _table(title: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _counts(clips: Any, column: str, most: int = 20) -> Any:
    table = _table(f"By {column}", column, "clips", "glosses", "frames")
    groups = clips.assign(**{column: clips[column].fillna("not stated")}).groupby(column)
    sizes = groups.size().sort_values(ascending=False, kind="stable")
    frames, glosses = groups["n_frames"].sum(), groups["gloss"].nunique()
    for name in sizes.index[:most]:
        table.add_row(_escaped(str(name)), str(sizes[name]), str(glosses[name]), str(frames[name]))
    if len(sizes) > most:
        table.add_row(f"{len(sizes) - most} more", str(sizes.iloc[most:].sum()), "", "")
    return table


def _lengths(lengths: Any, bins: int = 10, width: int = 40) -> Any:
    import numpy as np

    low, median, high = np.percentile(lengths, [10, 50, 90])
    title = f"Frames a clip: median {median:g}, p10 {low:g}, p90 {high:g}"
    table = _table(title, "frames", "clips")
    table.add_column("")
    edges = np.unique(np.linspace(lengths.min(), lengths.max() + 1, bins + 1).astype(int))
    counts, _ = np.histogram(lengths, edges)
    for first, last, count in zip(edges[:-1], edges[1:] - 1, counts, strict=True):
        span = str(first) if first == last else f"{first} to {last}"
        table.add_row(span, str(count), "█" * round(width * count / counts.max()))
    return table


def _missing(joints: dict[str, float]) -> Any:
    table = _table("Missing joints", "part", "share of frames missing")
    for part, present in joints.items():
        table.add_row(PART_NAMES.get(part, part), f"{100 * (1 - present):.1f} %")
    return table


def _expected(counts: list[dict[str, Any]]) -> Any:
    table = _table("Expected, found, kept", "split", "expected", "found", "kept")
    table.add_column("dropped because", overflow="fold")
    for row in counts:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in row["dropped"].items())
        numbers = (str(row[key]) for key in ("expected", "found", "kept"))
        table.add_row(_escaped(row["split"]), *numbers, _escaped(reasons))
    return table


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _drops(dropped: dict[str, Any]) -> Any:
    table = _table(f"Dropped: {dropped['count']} clips", "reason", "clips")
    for reason, count in dropped["by_reason"].items():
        table.add_row(_escaped(reason), str(count))
    return table
