"""A small study of one run, pretrained and evaluated, for the tests of this folder."""

import pandas as pd

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.evaluation.evaluate import evaluate
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid

PROTOCOLS = {
    "linear": {"epochs": 30, "warmup_epochs": 2, "seeds": [0, 1]},
    "logistic": {},
    "fine_tune": {"epochs": 30, "batch_size": 16, "learning_rate": 0.003},
}


def make_study(
    method: str = "sl_fpn", variant: str = "transformer", **evaluate_settings
) -> StudyConfig:
    return parse(
        StudyConfig,
        {
            "datasets": {"toy": {"source": "synthetic"}},
            "encoder": {"depth": 1, "width": 32, "heads": 4, "variant": variant},
            "preprocess": {"frames": 12},
            "methods": {"sl_fpn": {}, "random": {}, "raw_keypoints": {}, "supervised": {}},
            "pretrain": {"epochs": 1, "batch_size": 16},
            "runs": [{"methods": [method], "datasets": ["toy"]}],
            "evaluate": {"protocols": PROTOCOLS, **evaluate_settings},
        },
        "test",
    )


def run(study: StudyConfig, store, folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    (spec,) = grid.runs(study).values()
    pretrain(spec, store, folder / "encoder", folder / "ckpt", "code", say=lambda text: None)
    evaluate(
        grid.evaluate_spec(study, spec),
        folder / "encoder",
        {"toy": store.path},
        folder / "metrics",
        folder / "features",
        say=lambda text: None,
    )
    metrics = pd.read_csv(folder / "metrics" / "metrics.csv")
    return metrics, pd.read_parquet(folder / "metrics" / "predictions.parquet")
