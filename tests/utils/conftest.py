"""A server of the test's own with one file, and how it is asked."""

import pytest
from downloads import DATA, PATH

from servers import download_settings, serving


@pytest.fixture
def server():
    with serving({PATH: DATA}) as running:
        yield running


@pytest.fixture
def settings(tmp_path):
    return download_settings(tmp_path, cache=None, checksums=tmp_path / "config" / "checksums.lock")
