"""`sslslr data`: fetch, build, import, look at, check and publish clip stores."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sslslr.cli._arguments import from_json
from sslslr.utils.words import counted

app = typer.Typer(help="Fetch, build, import, look at and check clip stores.", no_args_is_help=True)

Store = Annotated[Path, typer.Argument(help="Folder of a clip store.", metavar="STORE")]
Out = Annotated[Path, typer.Option("--out", help="Clip store to make (replaced if it exists).")]
Source = Annotated[str, typer.Option("--source", help="File in sslslr/data/datasets/.")]
Settings = Annotated[str, typer.Option("--options", help="The data set's options, as JSON.")]


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
    from sslslr.data import datasets
    from sslslr.utils.download.http import DownloadSettings

    settings = DownloadSettings(
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
    from sslslr.data import datasets

    datasets.build(name, source, from_json(options, "--options"), out, raw, say=typer.echo)


@app.command()
def formats() -> None:
    """List the keypoint formats that are read."""
    from sslslr.data.readers import readers

    for reader in readers():
        typer.echo(f"{reader.name:12} {reader.title}")
    typer.echo(
        "Each is found by its content. docs/keypoints.md says how, and what to do where it cannot be told."
    )


@app.command(name="import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder, zip or tar of keypoints.")],
    name: Annotated[str, typer.Option("--name", help="Name the data set gets.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Clip store to make (replaced if it exists).")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Table of the clips (default: labels.csv in FOLDER)."),
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
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what was recognised, draw the first clip, and stop."),
    ] = False,
    layout: Annotated[
        str | None, typer.Option("--layout", help="Order of the points, such as body-left-right.")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", help="Reader, where the content does not tell.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="image (0 to 1), pixels or percent.")
    ] = None,
    width: Annotated[
        float | None, typer.Option("--width", help="Of the images, in pixels.")
    ] = None,
    height: Annotated[
        float | None, typer.Option("--height", help="Of the images, in pixels.")
    ] = None,
    aspect: Annotated[float | None, typer.Option("--aspect", help="Width / height.")] = None,
    min_confidence: Annotated[
        float | None, typer.Option("--min-confidence", help="Joints below it are missing.")
    ] = None,
    missing: Annotated[
        str, typer.Option("--missing", help="Is (0, 0) a missing joint (zeros) or found (nan)?")
    ] = "zeros",
    times: Annotated[
        str | None,
        typer.Option("--times", help="start and end: frames, milliseconds, seconds, none."),
    ] = None,
    exchange_hands: Annotated[
        bool, typer.Option("--exchange-hands", help="The files call the left hand right.")
    ] = False,
    fold_glosses: Annotated[
        bool,
        typer.Option("--fold-glosses", help="Join glosses that differ in case or blanks alone."),
    ] = False,
    split_by: Annotated[
        str | None,
        typer.Option(
            "--split-by", help="Deal splits out: signers, clips or folds (default: as given)."
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option("--folds", help="Number of folds, or signers: leave one signer out."),
    ] = None,
    fold: Annotated[int | None, typer.Option("--fold", help="The fold that is tested.")] = None,
) -> None:
    """Make a clip store of keypoints in any format that `data formats` lists."""
    from sslslr.data import datasets
    from sslslr.utils.errors import UserError

    given = {
        "folder": str(folder), "table": csv and str(csv), "language": language, "licence": licence,
        "layout": layout, "format": format, "unit": unit, "width": width, "height": height,
        "aspect": aspect, "min_confidence": min_confidence, "missing": missing, "times": times,
        "exchange_hands": exchange_hands, "fold_glosses": fold_glosses,
        "split_by": split_by, "folds": int(folds) if folds and folds.isdecimal() else folds, "fold": fold,
    }  # fmt: skip
    options = {key: value for key, value in given.items() if value is not None}
    if explain:
        _explain(options, name)
        return
    if out is None:
        raise UserError("--out is missing: the clip store to make.")
    datasets.build(
        name, "local", options, out, say=typer.echo, min_frames=min_frames, on_bad=bad_clips
    )


def _explain(options: dict[str, Any], name: str) -> None:
    """Say what was recognised and why, and draw the first clip."""
    from sslslr.data.datasets import options_of
    from sslslr.data.opened import first_clip, opened
    from sslslr.report.figures._skeletons import clip_strip

    with opened(options_of("local", options)) as source:
        for line in source.why:
            typer.echo(line)
        clip = first_clip(source)
        faults = [row for row in source.rows if row.fault]
        typer.echo(
            f"{len(source.rows) - len(faults)} clips have their file, {len(faults)} rows a fault."
        )
        for row in faults[:3]:
            typer.echo(f"row {row.number}: {row.clip_id}: {row.fault}.")
        for line in (*source.warnings(), *source.tally.lines()):
            typer.echo(line)
        if clip is None:
            typer.echo("Not one clip can be read.")
            raise typer.Exit(1)
        picture = Path(f"{name}.explain.png")
        clip_id, keypoints, wide = clip
        upright = keypoints * (wide or 1.0, 1.0)
        clip_strip([(clip_id, upright, len(upright))]).savefig(picture, dpi=150)
        typer.echo(
            f"{picture}: the first clip, {clip_id}: left hand, right hand and body in their colours."
        )
    typer.echo("Nothing was imported: leave out --explain to do it.")


@app.command()
def export(
    store: Store,
    out: Annotated[Path, typer.Option("--out", help="New folder.")],
    format: Annotated[
        Literal["pose", "npy", "parquet"], typer.Option("--format", help="Of the files.")
    ] = "pose",
) -> None:
    """Write the clips of a store as .pose files, as arrays, or as one table of joints."""
    from sslslr.data.export import export, unstated
    from sslslr.data.store import ClipStore

    opened = ClipStore.open(store)
    typer.echo(f"{out}: {export(opened, out, format)} clips as {format}, and labels.csv.")
    for line in unstated(opened, format):
        typer.echo(f"{out}: {line}")


@app.command()
def check(store: Store) -> None:
    """Read a whole clip store and list what is wrong; exit status 1 if anything is."""
    from sslslr.data.check import examine
    from sslslr.data.store import ClipStore

    opened = ClipStore.open(store)
    findings, notes = examine(opened)
    for finding in findings:
        typer.echo(finding)
    for note in notes:
        typer.echo(f"{store}: {note}")
    if findings:
        typer.echo(f"{store}: {counted(len(findings), 'finding')}.")
        raise typer.Exit(1)
    typer.echo(f"{store}: sound; {counted(len(opened), 'clip')}, {len(opened.keypoints)} frames.")


@app.command()
def info(store: Store) -> None:
    """What a clip store holds, on one screen: counts, lengths, missing joints, glosses, drops, licence."""
    from sslslr.cli._store import about
    from sslslr.data.store import ClipStore

    for line in about(ClipStore.open(store)):
        typer.echo(line)


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

    from sslslr.data.membership import differences, membership, published
    from sslslr.data.store import ClipStore
    from sslslr.utils.files import read_json, write_json

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
