"""What a job of the workflow imports: start-up is most of a small job (docs/performance.md).

No second is asserted. What costs seconds is known by name, and must not be there when a job ends.
"""

import json
import subprocess
import sys

from sslslr import grid
from sslslr.config import StudyConfig
from sslslr.strict import parse
from sslslr.training import on_cpu
from toys import ROOT

# torch's compiler and what brings it along; what belongs to other stages or to a terminal.
HEAVY = (
    *("torch._dynamo", "torch._inductor", "sympy", "lightning_fabric", "lightning"),
    *("scipy", "sklearn", "matplotlib", "PIL", "jinja2", "requests", "rich", "av", "snakemake", "dvc"),
)  # fmt: skip
JOBS = """
import json, sys
from sslslr.cli.main import app
for arguments in json.load(sys.stdin):
    app(arguments, standalone_mode=False)
    heavy = [name for name in sys.argv[1:] if name in sys.modules]
    if heavy:
        sys.exit(f"{arguments[0]} imports {', '.join(heavy)}")
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
                "fine_tune": {"epochs": 1},
                "semi_supervised": {"fractions": [0.5], "shots": [], "draws": 1},
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
    jobs = [
        [
            *("--seal", f"{tmp_path}/seals/pretrain/run.json", "pretrain"),
            *("--spec", run.model_dump_json(), "--store", str(toy_store.path)),
            *("--out", f"{tmp_path}/encoders/{run.run_id}", "--checkpoint", f"{tmp_path}/run.ckpt"),
        ],
        ["evaluate", "--spec", evaluation, "--results", str(tmp_path)],
    ]
    command = [sys.executable, "-c", JOBS, *HEAVY]
    done = subprocess.run(
        command, input=json.dumps(jobs), cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "metrics" / run.run_id / "metrics.csv").is_file()


def test_fabric_would_have_trained_the_same_encoder(toy_store, tmp_path, monkeypatch):
    from sslslr.pretrain import pretrain

    (run,) = grid.runs(study(tmp_path, epochs=2)).values()

    def encoder(name: str) -> bytes:
        pretrain(run, toy_store, tmp_path / name, tmp_path / "ckpt", "code", say=lambda text: None)
        return (tmp_path / name / "encoder.safetensors").read_bytes()

    alone = encoder("alone")
    asked: list[tuple] = []
    monkeypatch.setattr(on_cpu, "suffices", lambda *settings: bool(asked.append(settings)))
    assert encoder("fabric") == alone
    assert asked == [("cpu", 1, "32-true")]
