"""Asked to stop between any two steps, a run goes on where it was and ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from test_ranks import spec_of

from sslslr.pretrain import pretrain
from sslslr.training.checkpoint import Training
from sslslr.training.stop import EXIT_CODE, Stopped, StopSwitch

DROPOUT = {"encoder": {"dropout": 0.2}}
FILES = ("encoder.safetensors", "history.csv")


def files_of(folder) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.parametrize("method", ["sl_fpn", "moco", "byol"])
@pytest.mark.parametrize("step", [1, 4, 6])  # within an epoch of three steps, and at its end
def test_a_sigterm_is_obeyed_after_the_step_and_changes_nothing(toy_store, tmp_path, method, step):
    spec = spec_of(method, pretrain={"epochs": 3, "precision": "32-true"}, **DROPOUT)
    pretrain(spec, toy_store, tmp_path / "whole", tmp_path / "whole.ckpt", "code", say=str)
    done: list[int] = []

    def ask(steps: int, total: int) -> None:
        done.append(steps)
        if steps == step:
            os.kill(os.getpid(), signal.SIGTERM)

    cut = (spec, toy_store, tmp_path / "cut", tmp_path / "cut.ckpt", "code")
    with pytest.raises(Stopped, match=r"asked to stop; saved .*cut.ckpt after epoch"):
        pretrain(*cut, say=str, progress=ask)
    assert done[-1] == step
    assert not (tmp_path / "cut").exists()
    said: list[str] = []
    pretrain(*cut, say=said.append, progress=lambda steps, total: done.append(steps))
    assert done == list(range(1, 10))  # no step was lost, none done twice
    assert any("resumed after epoch" in line for line in said)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_before_the_first_step_there_is_nothing_to_save(toy_store, tmp_path, monkeypatch):
    def ask(*_) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("sslslr.pretrain.preprocess", ask)
    with pytest.raises(Stopped, match="before the first step"):
        pretrain(spec_of("sl_fpn"), toy_store, tmp_path / "a", tmp_path / "ckpt", "code", say=str)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_switch_leaves_the_handler_of_before(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    with StopSwitch() as stop:
        stop.wait_for_a_step()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)
        assert stop.asked
    assert signal.getsignal(signal.SIGTERM) is before


def command(spec, store, folder) -> list[str]:
    return [
        *(sys.executable, "-m", "sslslr", "pretrain", "--spec", spec.model_dump_json()),
        *("--store", str(store.path), "--out", str(folder / "encoder"), "--requeue"),
        *("--checkpoint", str(folder / "run.ckpt")),
    ]


def stop_and_resume(spec, store, folder) -> tuple[int, str, str]:
    """Exit code and text of the process that was asked to stop, and the text of the next one."""
    first = subprocess.Popen(command(spec, store, folder), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (folder / "run.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    said = first.communicate(timeout=120)[1]
    again = subprocess.run(command(spec, store, folder), check=True, capture_output=True, text=True)
    return first.returncode, said, again.stderr


def test_the_real_process_exits_with_its_own_status(toy_store, tmp_path):
    spec = spec_of("sl_fpn", pretrain={"epochs": 60, "checkpoint_every": 5, "precision": "32-true"})
    whole = tmp_path / "whole"
    pretrain(spec, toy_store, whole / "encoder", whole / "run.ckpt", "code", say=str)
    code, said, resumed = stop_and_resume(spec, toy_store, tmp_path / "cut")
    assert code == EXIT_CODE == 75, said
    assert "The same command goes on from there." in said
    assert "Slurm" not in said  # there is none here, whatever --requeue says
    assert "resumed after epoch" in resumed
    assert files_of(tmp_path / "cut/encoder") == files_of(tmp_path / "whole/encoder")


@pytest.mark.slow  # three times two processes: half a minute
def test_all_of_several_processes_stop_at_the_same_step(toy_store, tmp_path):
    settings = {"epochs": 60, "checkpoint_every": 5, "devices": 2, "precision": "32-true"}
    spec = spec_of("sl_fpn", pretrain=settings, **DROPOUT)
    subprocess.run(command(spec, toy_store, tmp_path / "whole"), check=True, capture_output=True)
    code, said, resumed = stop_and_resume(spec, toy_store, tmp_path / "cut")
    assert code == EXIT_CODE, said
    assert said.count("asked to stop; saved") == 1
    assert "resumed after epoch" in resumed
    assert files_of(tmp_path / "cut/encoder") == files_of(tmp_path / "whole/encoder")


def test_a_checkpoint_holds_the_gradient_scaler(tmp_path):
    """Of 16-mixed: after a resume with a fresh one, the first steps would overflow and be skipped."""
    from lightning_fabric.plugins.precision import MixedPrecision

    def training(scale: float) -> Training:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        network = torch.nn.Linear(2, 1)
        precision = MixedPrecision("16-mixed", "cpu", scaler)
        return Training(network, torch.optim.AdamW(network.parameters()), precision, "same")

    training(8.0).save(tmp_path / "ckpt")
    other = training(2.0)
    assert other.resume(tmp_path / "ckpt", torch.device("cpu")).startswith("resumed")
    assert other.precision.state_dict()["scale"] == 8.0
