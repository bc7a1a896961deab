"""Settings that are given as JSON: what is not what was asked for is a sentence, no traceback."""

import pytest
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.utils.errors import UserError


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "pose preview a.mp4 --out b.png --backend-options []",
            r"--backend-options: '\[\]' must be",
        ),
        ("pose preview a.mp4 --out b.png --backend mmpos", "unknown pose backend 'mmpos'"),
        (
            "pose extract a --out b --name c --options []",
            r"--options: '\[\]' must be a JSON object",
        ),
        ("pretrain --spec 5", "--spec: '5' must be a JSON object"),
        ("evaluate --spec {", "--spec: '{' is not valid JSON"),
    ],
)
def test_json_of_another_kind_is_named(command, said):
    with pytest.raises(UserError, match=said):
        CliRunner().invoke(app, command.split(), catch_exceptions=False)


@pytest.mark.parametrize("verb", ["pretrain", "evaluate"])
def test_no_thread_at_all_is_refused_by_name(verb):
    ran = CliRunner().invoke(app, [verb, "--threads", "0"], catch_exceptions=False)
    assert ran.exit_code == 2
    assert "--threads" in ran.output
