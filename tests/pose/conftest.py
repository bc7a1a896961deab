"""The toy backend for every test of this folder."""

import pytest

from films import add_toy_backend


@pytest.fixture(autouse=True)
def _toy_backend():
    remove = add_toy_backend()
    yield
    remove()
