"""A server of the test's own with one file, and how it is asked."""

import pytest
from downloads import DATA, PATH

from servers import serving
from sslslr.utils.download.http import DownloadSettings


@pytest.fixture
def server():
    with serving({PATH: DATA}) as running:
        yield running


@pytest.fixture
def settings(tmp_path):
    return DownloadSettings(
        checksums=tmp_path / "config" / "checksums.lock",
        allow_http=True,
        tries=3,
        backoff=0.01,
        timeout=5,
        say=lambda line: None,
    )
