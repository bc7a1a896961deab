"""Your own folder (or zip, or tar) of keypoints in any format that is read, and a table of labels.

See `sslslr.data.import_keypoints`, which `sslslr data import` is as well: docs/keypoints.md. A row
without its file, a file that cannot be used and a file that no row names are listed in the card with
the reason; the rest goes on.
"""

from pathlib import Path

from sslslr.data.datasets import Dataset, register
from sslslr.data.import_keypoints import import_clips
from sslslr.data.label_tables import table_of
from sslslr.data.opened import Options as LocalOptions
from sslslr.data.readers import endings
from sslslr.data.store import ClipWriter
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import at_home, files_and_links


@register
class Local(Dataset):
    Options = LocalOptions
    hashes_inputs = True  # while it reads them: the card names them
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "not stated",
        "citation": "",
        "origin": "A folder of the user's.",
        "split_rule": "as given in the table",
    }

    @staticmethod
    def inputs(options: LocalOptions) -> list[Path]:
        folder = at_home(options.folder)
        table = table_of(folder, options.table)
        for path in (folder, *filter(None, (table,))):
            if not path.exists():
                raise UserError(f"{path}: there is no such file or folder (data set 'local').")
        first = [table] if table is not None else []
        if not folder.is_dir():
            return [*first, folder]
        read = (*endings(), ".csv", ".tar")
        names, _ = files_and_links(folder)
        files = (folder / name for name in names if name.lower().endswith(read))
        return [*first, *(file for file in files if file != table)]

    @staticmethod
    def build(options: LocalOptions, raw: Path | None, writer: ClipWriter) -> None:
        import_clips(options, writer)
