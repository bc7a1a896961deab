"""A checkpoint that is cut, empty or of another shape: training begins anew, and says so."""

import pytest
import torch

from sslslr.training.checkpoint import TrainingState

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"epoch": 3}, "text", 7, None, torch.zeros(2)], ids=repr
)
def test_what_holds_no_state_is_not_gone_on_from(content, tmp_path):
    torch.save(content, tmp_path / "a.ckpt")
    state = TrainingState(None, None, None, "mine")
    assert "cannot be read" in state.resume(tmp_path / "a.ckpt", CPU)
    assert (state.epoch, state.step) == (0, 0)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04cos\nsystem\n.", bytes(100)])
def test_what_is_no_checkpoint_is_not_run(data, tmp_path):
    (tmp_path / "a.ckpt").write_bytes(data)
    state = TrainingState(None, None, None, "mine")
    assert "cannot be read" in state.resume(tmp_path / "a.ckpt", CPU)


def test_one_of_other_settings_is_said(tmp_path):
    torch.save({"identity": "another"}, tmp_path / "a.ckpt")
    said = TrainingState(None, None, None, "mine").resume(tmp_path / "a.ckpt", CPU)
    assert "of other settings" in said
