"""A folder of videos into a clip store by one call: model, shards, store.

The workflow does the same in jobs (`workflow/rules/pose.smk`). A shard that is there and was made
from the same files with the same settings is kept, so a killed call goes on where it was.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslslr import datasets
from sslslr.datasets.videos import extraction, listed, shard_folders
from sslslr.pose.extract import extract_shard, up_to_date
from sslslr.pose.extraction import MODEL, prepare_model, prepared_model
from sslslr.pose.shards import shard_of


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
    options = datasets.options_of("videos", values)
    settings, folder = extraction(options), Path(options.folder)
    entries, _ = listed(options)
    if not (work / "model" / MODEL).is_file():
        prepare_model(settings, work / "model")
    model = prepared_model(settings, work / "model")
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
