"""A cell computed from scratch agrees with an honest table and not with another one."""

import json

import pytest
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.provenance import verify as checking
from sslslr.provenance.cells import find
from sslslr.utils.errors import UserError

pytestmark = pytest.mark.xdist_group("trace")  # its fixture is made once

RANDOM = "method=random,dataset=toy,protocol=linear"
TRAINED = "method=sl_fpn,tag=,dataset=toy,protocol=linear"


def here(command) -> None:
    """Run a command in this process: what it imports is there already."""
    done = CliRunner().invoke(app, command[1:])
    if done.exit_code:
        raise UserError(str(done.exception))


def verify(results, cell: str, **options):
    said: list[str] = []
    cell = find(f"{results}/tables/linear.csv:{cell}")
    return checking.verify(cell, said.append, execute=here, **options)


def test_an_honest_cell_is_computed_again_to_the_byte(results):
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    outcome = verify(results, f"{TRAINED}:top1_mean")
    assert (outcome.agrees, outcome.differing, outcome.comparable) == (True, [], True)
    assert float(outcome.computed) == pytest.approx(float(outcome.stored), abs=1e-4)
    assert "AGREES" in checking.report(outcome)[-1]
    assert before == {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}


def test_an_encoder_that_was_swapped_is_found_though_the_table_is_whole(results):
    path = results / "encoders/random.none.transformer.none.s1/encoder.safetensors"
    path.write_bytes(
        (results / "encoders/random.none.transformer.none.s0/encoder.safetensors").read_bytes()
    )
    outcome = verify(results, f"{RANDOM}:top1_mean")
    assert not outcome.agrees
    assert outcome.differing == ["encoders/random.none.transformer.none.s1/encoder.safetensors"]
    assert "DIFFERS" in checking.report(outcome)[-1]


def test_a_number_that_was_written_by_hand_is_found(results):
    path = results / "tables/linear.csv"
    cell = find(f"{path}:{RANDOM}:top1_mean")
    lines = path.read_text().splitlines()
    lines[cell.row + 1] = lines[cell.row + 1].replace(f",{cell.text},", ",0.99,", 1)
    path.write_text("\n".join(lines) + "\n")
    outcome = verify(results, f"{RANDOM}:top1_mean")
    assert (outcome.stored, outcome.agrees) == ("0.99", False)
    assert not checking._within("0.99", float(outcome.computed), 0.02)
    assert checking._within("0.99", float(outcome.computed), 1.0)


def test_results_of_another_device_may_differ_by_their_interval(results):
    """The record says that another GPU made it: bytes are not asked for."""
    for seed in (0, 1):
        path = results / f"encoders/random.none.transformer.none.s{seed}/run.json"
        run = json.loads(path.read_text())
        run["cost"]["device"] = "NVIDIA H100"
        path.write_text(json.dumps(run))
    outcome = verify(results, f"{RANDOM}:top1_mean")
    assert (outcome.comparable, outcome.agrees) == (False, True)
    assert any("another device" in line for line in checking.report(outcome))


def test_what_was_trained_in_a_precision_that_this_cpu_has_not_goes_by_its_interval(results):
    """`bf16-mixed` is followed on some processors, and is 32-true on others."""
    path = results / "encoders/sl_fpn.temporal_permutation.transformer.toy.s0/run.json"
    run = json.loads(path.read_text())
    run["cost"]["precision"] = "bf16-mixed"
    path.write_text(json.dumps(run))
    outcome = verify(results, f"{TRAINED}:top1_mean")
    assert not outcome.comparable
    assert any("another precision" in line for line in checking.report(outcome))


def test_cells_are_chosen_by_seed_and_are_scores(results):
    chosen = [str(cell) for cell in checking.choose(results, 3, 4)]
    assert chosen == [str(cell) for cell in checking.choose(results, 3, 4)]
    assert chosen != [str(cell) for cell in checking.choose(results, 4, 4)]
    assert len(set(chosen)) == 4
    with pytest.raises(UserError, match="the table has"):
        checking.choose(results, 0, 99)


def test_what_is_no_score_is_refused(results):
    with pytest.raises(UserError, match="not a score"):
        verify(results, "1:n_test")
    with pytest.raises(UserError, match=r"only cells of linear\.csv"):
        checking.verify(find(f"{results}/tables/ablations.csv:1:difference"))


def test_the_verb_says_what_it_would_cost(results):
    done = CliRunner().invoke(app, ["verify", "--cell", f"{TRAINED}:top1_mean", "--estimate"])
    assert done.exit_code == 0, done.output
    assert "1 cells; their runs took" in done.output


def test_a_command_that_fails_is_shown(results):
    with pytest.raises(UserError, match="ended with status 2"):
        checking.in_a_process(["sslslr", "pretrain", "no_such_run"])


@pytest.mark.parametrize("place", ["run.json", "evaluation.json", "metrics.csv", "targets"])
def test_results_whose_names_lead_elsewhere_are_refused_and_nothing_runs(results, place):
    """With `run_id: ../../..` it wrote outside of its temporary folder."""
    run_id, ran = "random.none.transformer.none.s0", []
    cell = f"{RANDOM}:top1_mean"
    if place == "metrics.csv":
        path = results / "metrics" / run_id / place
        path.write_text(path.read_text().replace(run_id, "../../../x"))
    else:
        name = "run.json" if place == "run.json" else "evaluation.json"
        folder = "encoders" if name == "run.json" else "metrics"
        path = results / folder / run_id / name
        record = json.loads(path.read_text())
        spec = record["spec"] if name == "run.json" else record["spec"]["run"]
        if place == "targets":
            targets = record["spec"]["targets"]
            targets["../../x"] = targets.pop(next(iter(targets)))
        else:
            spec["run_id"] = "../../../x"
        path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"\.\./x"):
        checking.verify(find(f"{results}/tables/linear.csv:{cell}"), execute=ran.append)
    assert ran == []
