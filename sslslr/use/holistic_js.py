"""MediaPipe Holistic for the browser, from npm: fetched once, checked, put beside the page with its licence.

    with holistic_files() as folder:
        ...                               # holistic.js and what it loads

The package (`@mediapipe/holistic`, Apache-2.0) carries its weights. It is no part of this repository.
"""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sslslr.utils.errors import UserError

PACKAGE, VERSION = "@mediapipe/holistic", "0.5.1675471629"
ADDRESS = f"https://registry.npmjs.org/{PACKAGE}/-/holistic-{VERSION}.tgz"
SHA512 = "qY+cxtDeSOvVtevrLgnodiwXYaAtPi7dHZtNv/bUCGEjFicAOYtMmrZSqMmbPkTB2+4jLnPF1vgshkAqQRSYAw=="
# What the page loads; the weights of complexity 1 and 2 are left out.
FILES = (
    "holistic.js",
    "holistic.binarypb",
    "holistic_solution_packed_assets.data",
    "holistic_solution_packed_assets_loader.js",
    "holistic_solution_simd_wasm_bin.js",
    "holistic_solution_simd_wasm_bin.data",
    "holistic_solution_simd_wasm_bin.wasm",
    "holistic_solution_wasm_bin.js",
    "holistic_solution_wasm_bin.wasm",
    "pose_landmark_lite.tflite",
)
COMPLEXITY = 0
NOTICE, LICENCE = "NOTICE.txt", "LICENSE.txt"
SECONDS = 900  # that npm may take: on a busy machine it took more than 300


class NoHolistic(UserError):
    """MediaPipe Holistic cannot be had; the page can do without it."""


@contextmanager
def holistic_files(tarball: Path | None = None) -> Iterator[Path]:
    """A temporary folder with `FILES`, a notice and the licence.

    Args:
        tarball: the package as npm packs it; without it npm fetches it, and without npm its registry.

    Raises:
        NoHolistic: it cannot be fetched, or its sha512 is not the recorded one.
    """
    with tempfile.TemporaryDirectory(prefix="sslslr_") as temporary:
        tarball = tarball or _fetched(Path(temporary))
        _check(tarball)
        out = Path(temporary) / "holistic"
        out.mkdir()
        with tarfile.open(tarball) as archive:
            for name in FILES:
                with (
                    archive.extractfile(f"package/{name}") as source,
                    open(out / name, "wb") as copy,
                ):
                    shutil.copyfileobj(source, copy)
        (out / NOTICE).write_text(_notice(), encoding="utf-8")
        shutil.copyfile(Path(__file__).parent / "page" / "apache-2.0.txt", out / LICENCE)
        yield out


def _fetched(folder: Path) -> Path:
    if shutil.which("npm"):  # it knows the mirror that this machine uses
        command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unreachable(str(error)) from None
        files = list(folder.glob("*.tgz"))
        if done.returncode or not files:
            raise _unreachable((done.stderr.strip() or "npm fetched nothing").splitlines()[-1])
        return files[0]
    file = folder / "holistic.tgz"
    try:
        with urllib.request.urlopen(ADDRESS, timeout=60) as answer, open(file, "wb") as copy:
            shutil.copyfileobj(answer, copy)
    except OSError as error:
        raise _unreachable(str(error)) from None
    return file


def _unreachable(reason: str) -> NoHolistic:
    return NoHolistic(
        f"{PACKAGE} {VERSION} cannot be fetched from npm ({reason[:200]}). Give the file with "
        "--holistic, or make the page --without-video."
    )


def _check(tarball: Path) -> None:
    if not Path(tarball).is_file():
        raise NoHolistic(
            f"{tarball}: there is no such file. `npm pack {PACKAGE}@{VERSION}` makes it."
        )
    with open(tarball, "rb") as stream:
        found = base64.b64encode(hashlib.file_digest(stream, "sha512").digest()).decode()
    if found != SHA512:
        raise NoHolistic(
            f"{tarball}: its sha512 is {found[:16]}..., that of {PACKAGE} {VERSION} is "
            f"{SHA512[:16]}... . Fetch it again, or make the page --without-video."
        )


def _notice() -> str:
    return (
        f"{PACKAGE} {VERSION}, MediaPipe Holistic, Copyright The MediaPipe Authors.\n"
        f"Licensed under the Apache License 2.0 (LICENSE.txt).\nFrom {ADDRESS}\nsha512-{SHA512}\n"
        "The files are unchanged; those that this page does not load are left out.\n"
    )
