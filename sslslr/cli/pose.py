"""`sslslr pose`: keypoints from videos, a look at them, and how good they are."""

from pathlib import Path
from typing import Annotated

import typer

from sslslr.cli._arguments import from_json

app = typer.Typer(help="Keypoints from videos: extract, look at, judge them.", no_args_is_help=True)

Backend = Annotated[str, typer.Option("--backend", help="mmpose, rtmlib or mediapipe.")]
BackendOptions = Annotated[
    str, typer.Option("--backend-options", help="Options of the backend, as JSON.")
]
Settings = Annotated[
    str, typer.Option("--settings", help="backend, backend_options, resample_fps, as JSON.")
]


@app.command()
def extract(
    folder: Annotated[Path, typer.Argument(help="Folder of the videos.")],
    out: Annotated[Path, typer.Option("--out", help="Clip store to make.")],
    name: Annotated[str, typer.Option("--name", help="Name the data set gets.")],
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Table: file, gloss, ...; without it a sub-folder a gloss."),
    ] = None,
    backend: Backend = "mmpose",
    backend_options: BackendOptions = "{}",
    options: Annotated[
        str, typer.Option("--options", help="More options of the data set `videos`, as JSON.")
    ] = "{}",
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder of model and shards [OUT.work].")
    ] = None,
) -> None:
    """Make a clip store of a folder of videos; a bad one is listed, the rest goes on."""
    from sslslr.data.datasets._extract_folder import extract_folder
    from sslslr.utils.progress import progress_bar, say

    values = {
        "folder": str(folder),
        "table": str(csv) if csv else None,
        "backend": backend,
        "backend_options": from_json(backend_options, "--backend-options"),
        **from_json(options, "--options"),
    }
    work = work or out.with_name(f"{out.name}.work")
    with progress_bar("videos") as progress:
        extract_folder(name, values, out, work, progress, say)


@app.command()
def model(
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", help="Folder of the prepared model.")],
) -> None:
    """Make a backend's model ready: fetch and check its weights (a job of the workflow)."""
    from sslslr.config.settings import parse
    from sslslr.pose.model import Extraction, prepare_model

    made = prepare_model(parse(Extraction, from_json(settings, "--settings"), "--settings"), out)
    typer.echo(f"{made['model']}: ready in {out}.")
    detector = made.get("detector", {"weights_sha256": {}})
    for file, sha256 in [*made["weights_sha256"].items(), *detector["weights_sha256"].items()]:
        typer.echo(f"  {file}: sha256 {sha256}")


@app.command()
def shard(
    settings: Settings,
    folder: Annotated[Path, typer.Option("--folder", help="Folder of the videos.")],
    shard_size: Annotated[int, typer.Option("--shard-size", min=1, help="Videos a shard.")],
    number: Annotated[int, typer.Option("--number", min=0, help="Which shard, from 0.")],
    model: Annotated[Path, typer.Option("--model", help="Folder of the prepared model.")],
    out: Annotated[Path, typer.Option("--out", help="Shard to make.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Table of the videos.")] = None,
) -> None:
    """Estimate the keypoints of one shard of videos (a job of the workflow)."""
    from sslslr.config.settings import parse
    from sslslr.pose.extract import extract_shard
    from sslslr.pose.model import Extraction
    from sslslr.pose.shards import list_videos, shard_of
    from sslslr.utils.progress import progress_bar, say

    chosen = parse(Extraction, from_json(settings, "--settings"), "--settings")
    entries = shard_of(list_videos(folder, csv)[0], shard_size, number)
    with progress_bar(f"shard {number}") as progress:
        extract_shard(chosen, model, folder, entries, out, progress, say)


@app.command()
def preview(
    video: Annotated[Path, typer.Argument(help="A video.")],
    out: Annotated[Path, typer.Option("--out", help="x.mp4: overlay. x.png: a strip of frames.")],
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", help="mmpose, rtmlib, mediapipe (default: one that is ready here)."
        ),
    ] = None,
    backend_options: BackendOptions = "{}",
    model: Annotated[
        Path | None, typer.Option("--model", help="Prepared model (default: made for this call).")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option("--min-confidence", help="Joints below are not drawn.")
    ] = None,
) -> None:
    """Draw a video's keypoints over it, so that a person can look before trusting."""
    from sslslr.config.settings import parse
    from sslslr.pose.backends import ready_backend
    from sslslr.pose.model import MODEL, Extraction
    from sslslr.pose.preview import preview as draw
    from sslslr.utils.files import read_object
    from sslslr.utils.progress import progress_bar, say

    options = from_json(backend_options, "--backend-options")
    if backend is None:
        backend = ready_backend() if model is None else read_object(model / MODEL).get("backend")
    settings = parse(Extraction, {"backend": backend, "backend_options": options}, "preview")
    with progress_bar("frames") as progress:
        say(draw(settings, video, out, model, min_confidence, progress))


@app.command()
def quality(
    store: Annotated[Path, typer.Argument(help="Folder of a clip store.", metavar="STORE")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the report [STORE.quality].")
    ] = None,
) -> None:
    """Judge a clip store's keypoints: quality.csv, quality.md and the worst clips drawn."""
    from sslslr.report.page.quality import write_report

    for line in write_report(store, out or store.with_name(f"{store.name}.quality")):
        typer.echo(line)
