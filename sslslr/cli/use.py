"""`sslslr embed`, `export`, `review`: an encoder outside a study."""

from pathlib import Path
from typing import Annotated

import typer

Encoder = Annotated[
    Path, typer.Argument(help="A run's folder (results/encoders/RUN), or an exported one.")
]


def embed(
    encoder: Encoder,
    clips: Annotated[Path, typer.Argument(help="Clip store, keypoint files, or videos.")],
    out: Annotated[Path, typer.Option("--out", help="The table, such as features.parquet.")],
    backend: Annotated[
        str, typer.Option("--backend", help="Pose extractor of videos: mediapipe, mmpose.")
    ] = "mediapipe",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Table of the clips: file, gloss, ...")
    ] = None,
) -> None:
    """Features of clips as a table: clip_id, gloss, signer, split, features."""
    from sslslr.use.clips import clips_of
    from sslslr.use.embed import write_features
    from sslslr.use.load import load_encoder
    from sslslr.utils.words import counted

    encode = load_encoder(encoder)
    with clips_of(clips, backend, csv) as found:
        embedded = write_features(encode, found.store, out, found.unlabelled)
    typer.echo(f"{out}: {counted(len(embedded.indices), 'clip')}, {encode.width} features each.")
    for line in found.left_out(embedded.dropped):
        typer.echo(line)


def export(
    encoder: Annotated[
        Path,
        typer.Argument(help="A run's folder; or a study's results, of which the best is taken."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    clips: Annotated[
        Path | None,
        typer.Option(
            "--clips", help="Clip store to compare ONNX with torch on (default: the study's)."
        ),
    ] = None,
) -> None:
    """An encoder for others: encoder.safetensors, encoder.onnx, preprocess.json, a model card."""
    from sslslr.data.store import ClipStore
    from sslslr.use.best import best_encoder
    from sslslr.use.export import export
    from sslslr.use.load import load_encoder

    if (encoder / "encoders").is_dir():
        encoder, why = best_encoder(encoder)
        typer.echo(why)
    export(load_encoder(encoder), out, ClipStore.open(clips) if clips else None, typer.echo)
    typer.echo(f"{out}: exported.")


def review(
    store: Annotated[Path, typer.Argument(help="Clip store, keypoint files, or videos.")],
    encoder: Annotated[Path, typer.Option("--encoder", help="A run's folder, or an exported one.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the review.")],
) -> None:
    """What to look at again: wrong labels, copies, exchanged hands, signs and signers that stand out."""
    from sslslr.use.clips import clips_of
    from sslslr.use.load import load_encoder
    from sslslr.use.review import review

    encode = load_encoder(encoder)
    with clips_of(store, labelled=True) as clips:
        for line in clips.left_out():
            typer.echo(line)
        review(encode, clips.labelled(store), out, typer.echo)
