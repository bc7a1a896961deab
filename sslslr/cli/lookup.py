"""`sslslr lookup`: a dictionary of signs that is looked up by showing one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Look signs up by example: build, page, find, score.", no_args_is_help=True)
Dictionary = Annotated[
    Path,
    typer.Argument(help="Folder of a dictionary (`sslslr lookup build`).", metavar="DICTIONARY"),
]
Splits = Annotated[list[str] | None, typer.Option("--splits", help="Only these; may be repeated.")]


@app.command()
def build(
    encoder: Annotated[Path, typer.Argument(help="A run's folder, or an exported one.")],
    store: Annotated[Path, typer.Argument(help="Clip store, folder of keypoints, or videos.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the dictionary.")],
    per_sign: Annotated[
        int | None,
        typer.Option("--per-sign", min=1, help="Entries a sign, at most (default: all)."),
    ] = None,
    splits: Splits = None,
) -> None:
    """Make a dictionary: entries, their features, the encoder, and where `not sure` begins."""
    from sslslr.use.clips import clips_of
    from sslslr.use.dictionary import build
    from sslslr.use.load import load_encoder

    encode = load_encoder(encoder)
    with clips_of(store, labelled=True) as clips:
        for line in clips.left_out():
            typer.echo(line)
        build(encode, clips.labelled(store), out, per_sign, splits, typer.echo)


@app.command()
def page(
    dictionary: Dictionary,
    out: Annotated[Path, typer.Option("--out", help="Folder of the page.")],
    holistic: Annotated[
        Path | None,
        typer.Option(
            "--holistic", help="MediaPipe Holistic as npm packs it (default: fetched from npm)."
        ),
    ] = None,
    without_video: Annotated[
        bool, typer.Option("--without-video", help="No MediaPipe: no webcam, no video files.")
    ] = False,
) -> None:
    """Make a page in which one signs to the dictionary: a static folder, nothing leaves the browser."""
    from sslslr.use.dictionary import Dictionary
    from sslslr.use.dictionary_page import make_page

    make_page(Dictionary.open(dictionary), out, holistic, without_video, typer.echo)


@app.command()
def find(
    dictionary: Dictionary,
    clips: Annotated[list[Path], typer.Argument(help="Keypoint files, videos, or stores.")],
    most: Annotated[int, typer.Option("--most", min=1, help="Answers a clip.")] = 6,
    backend: Annotated[
        str, typer.Option("--backend", help="Pose extractor of videos.")
    ] = "mediapipe",
) -> None:
    """Rank the dictionary's signs by how similar they are to each clip."""
    from sslslr.use.dictionary import Dictionary
    from sslslr.utils.errors import UserError

    opened, failed = Dictionary.open(dictionary), []
    for path in clips:
        try:
            for line in _answers(opened, path, most, backend):
                typer.echo(line)
        except UserError as error:
            if len(clips) == 1:
                raise
            failed.append(path)
            typer.echo(f"left out: {error}")
    if failed:
        raise UserError(
            f"{len(failed)} of {len(clips)} clips have no answer, for the reasons above; the first is {failed[0]}."
        )


def _answers(opened: Any, path: Path, most: int, backend: str) -> Iterator[str]:
    from sslslr.use.clips import clips_of
    from sslslr.utils.user_files import shown

    with clips_of(path, backend) as found:
        embedded = opened.embed(found.store)
        ids = found.store.clips["clip_id"].to_numpy(dtype=object)[embedded.indices]
        for clip_id, answer in zip(ids, opened.find(embedded.features, most), strict=True):
            sure = "" if answer["sure"].iloc[0] else " (not sure)"
            yield f"{path.name if len(ids) == 1 else clip_id}:{sure}"
            for place, row in enumerate(answer.itertuples(), start=1):
                near = ", ".join(map(shown, map(str, row.neighbours)))
                yield f"  {place}. {shown(row.gloss):<20} {row.similarity:6.3f}  {near}"
        yield from found.left_out(embedded.dropped)


@app.command()
def score(
    dictionary: Dictionary,
    store: Annotated[Path, typer.Argument(help="Clips that ask: store, keypoints or videos.")],
    splits: Splits = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also a random encoder and dynamic time warping.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The whole table as csv.")] = None,
) -> None:
    """Recall, MRR and DCG of the dictionary for clips whose signs are known, as ASL Citizen has them."""
    from sslslr.use.clips import clips_of
    from sslslr.use.dictionary import Dictionary
    from sslslr.use.score import as_lines, score
    from sslslr.utils.files import atomic_file
    from sslslr.utils.tables import write_csv

    opened = Dictionary.open(dictionary)
    with clips_of(store, labelled=True) as clips:
        for line in clips.left_out():
            typer.echo(line)
        table = score(opened, clips.labelled(store), splits, baselines, typer.echo)
    for line in as_lines(table):
        typer.echo(line)
    if out is not None:
        with atomic_file(out) as temporary:
            write_csv(table, temporary, float_format="%.6f")
