"""A folder of videos into a clip store by one call: model, shards, store.

The workflow does the same in jobs (`workflow/rules/pose.smk`). A shard that is there and was made
from the same files with the same settings is kept, so a killed call goes on where it was.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sslslr.data import datasets
from sslslr.data.datasets.videos import extraction, listed, shard_folders
from sslslr.data.store import ClipStore
from sslslr.data.writer import refuse_other
from sslslr.pose.extract import extract_shard, up_to_date
from sslslr.pose.model import (
    MODEL,
    Extraction,
    backend_options,
    local_weights,
    prepare_model,
    prepared_model,
)
from sslslr.pose.preview import strip_of
from sslslr.pose.shards import shard_of
from sslslr.utils.files import read_json, write_json


def extract_folder(
    name: str,
    values: dict[str, Any],
    out: Path,
    work: Path,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Make the clip store `out` of a folder of videos.

    Args:
        name: what the data set is called.
        values: options of the data set `videos`.
        work: folder of the model and the shards; may be removed afterwards.
        progress: called with (videos done, videos).

    Raises:
        UserError: an option, the table or the backend; a bad video is listed, not raised.
    """
    refuse_other(out)  # before hours of work
    options = datasets.options_of("videos", values)
    settings, folder = extraction(options), Path(options.folder)
    entries, _ = listed(options)
    model = _model(settings, work)
    shards = shard_folders(options, work / "shards")
    for number, shard in enumerate(shards):
        videos = shard_of(entries, options.shard_size, number)
        if up_to_date(shard, folder, videos, settings, model):
            say(f"shard {number + 1} of {len(shards)}: kept, {len(videos)} videos.")
            continue
        before = number * options.shard_size
        advance = _advance(progress, before, len(entries))
        extract_shard(settings, work / "model", folder, videos, shard, advance, say)
    _remove_others(work / "shards", keep=len(shards))
    datasets.build(name, "videos", values, out, work / "shards", say=say)
    store, picture = ClipStore.open(out), out.with_name(f"{out.name}.preview.png")
    source = store.clips["source"][0]
    strip_of(folder / source, np.asarray(store.frames(0)), picture, options.resample_fps)
    say(
        f"{picture}: {source}, to be looked at first: the left hand is blue, the right hand vermilion."
    )


def _model(settings: Extraction, work: Path) -> dict[str, Any]:
    """The prepared model; prepared anew where options, or files of weights, are not those noted."""
    states = [file.stat() for file in local_weights(settings)]
    wanted = {
        "backend": settings.backend,
        "options": backend_options(settings).model_dump(mode="json"),
        "weights": [[state.st_size, state.st_mtime_ns] for state in states],
    }
    made_for = work / "model" / "made_for.json"
    known = made_for.is_file() and (work / "model" / MODEL).is_file()
    if not known or read_json(made_for) != wanted:
        prepare_model(settings, work / "model")
        write_json(made_for, wanted)
    return prepared_model(settings, work / "model")


def _advance(
    progress: Callable[[int, int], None] | None, before: int, total: int
) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, _: progress(before + done, total)


def _remove_others(folder: Path, keep: int) -> None:
    """Remove what a kill left half-written, and shards that a smaller table no longer has."""
    kept = {str(number) for number in range(keep)}
    for path in folder.iterdir():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
