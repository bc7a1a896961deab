"""What a job of the workflow imports: start-up is most of a small job (docs/performance.md).

No second is asserted. What costs seconds is known by name, and must not be there when a job ends.
"""

import json
import subprocess
import sys

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.workflow import grid
from toys import ROOT

# What belongs to other stages or to a terminal.
FOREIGN = (
    *("sklearn", "matplotlib", "PIL", "jinja2", "requests", "rich", "av", "snakemake", "dvc"),
    *("scipy", "lightning"),
)
# torch's compiler and what brings it along: an optimiser does, so pretraining and fine-tuning have it.
COMPILER = ("torch._dynamo", "torch._inductor", "sympy", "lightning_fabric")
JOB = """
import json, sys
from sslslr.cli.main import app
app(json.load(sys.stdin), standalone_mode=False)
heavy = [name for name in sys.argv[1:] if name in sys.modules]
if heavy:
    sys.exit(f"imports {', '.join(heavy)}")
"""


def study(results, **pretrain) -> StudyConfig:
    values = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 16, "heads": 2},
        "preprocess": {"frames": 10},
        "methods": {"supervised": {}, "sl_fpn": {}},
        "pretrain": {"epochs": 1, "batch_size": 16, "accelerator": "cpu", **pretrain},
        "runs": [{"methods": ["sl_fpn"], "datasets": ["toy"]}],
        "evaluate": {
            "protocols": {
                "linear": {"epochs": 2, "warmup_epochs": 1},
                "few_labels": {"fractions": [0.5], "shots": [], "draws": 1},
                **{"logistic": {}, "knn": {}, "retrieval": {}},
            }
        },
        "results": str(results),
    }
    return parse(StudyConfig, values, "test")


def test_a_job_imports_neither_a_compiler_nor_another_stage(toy_store, tmp_path):
    made = study(tmp_path)
    (run,) = grid.runs(made).values()
    evaluation = grid.evaluate_spec(made, run).model_dump_json()
    (tmp_path / "data" / "toy").mkdir(parents=True)
    (tmp_path / "data" / "toy" / "clips").symlink_to(toy_store.path)
    jobs = {
        FOREIGN: [
            *("--seal", f"{tmp_path}/seals/pretrain/run.json", "pretrain"),
            *("--spec", run.model_dump_json(), "--store", str(toy_store.path)),
            *("--out", f"{tmp_path}/encoders/{run.run_id}", "--checkpoint", f"{tmp_path}/run.ckpt"),
        ],
        FOREIGN + COMPILER: ["evaluate", "--spec", evaluation, "--results", str(tmp_path)],
    }
    for heavy, arguments in jobs.items():
        command = [sys.executable, "-c", JOB, *heavy]
        done = subprocess.run(
            command, input=json.dumps(arguments), cwd=ROOT, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "metrics" / run.run_id / "metrics.csv").is_file()
