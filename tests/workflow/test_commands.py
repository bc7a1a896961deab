"""The commands that are printed for a study: each must be one that the command line takes."""

from pathlib import Path

from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import _extract_folder as extracting
from sslslr.workflow import commands


def test_a_set_of_videos_is_made_by_one_command_with_the_study_s_options(monkeypatch):
    """`data build` alone, as of other sets, stops: the keypoints are not estimated yet."""
    options = {"folder": "my videos", "table": "labels.csv", "backend": "mediapipe"}
    study = {
        "datasets": {"mine": {"source": "videos", "options": {**options, "resample_fps": 25}}},
        "runs": [{"methods": ["sl_fpn"], "datasets": ["mine"]}],
    }
    (command,) = commands.data(parse(StudyConfig, study, "test"), "mine", Path("results"))
    asked = []
    monkeypatch.setattr(extracting, "extract_folder", lambda *given: asked.append(given))
    ran = CliRunner().invoke(app, command[1:], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    (name, values, out, _, _, _), *_ = asked
    assert (name, str(out)) == ("mine", "results/data/mine/clips")
    assert values == {**options, "resample_fps": 25, "backend_options": {}}
