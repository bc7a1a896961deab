"""Simulated runs whose truth is known, and claims of them."""

import numpy as np
import pandas as pd

from sslslr.config.settings import parse
from sslslr.statistics import claims as c

N = 400


def runs(method, accuracies, n=N, dataset="lsa64", noise=0, probes=1, **columns):
    """Metrics and predictions of one method: a run an accuracy, right on clips by chance."""
    shared = {
        "method": method,
        "augmentation": "none" if method == "random" else "temporal_permutation",
        "variant": "transformer",
        "tag": "",
        "pretrain_dataset": "none" if method == "random" else dataset,
        "dataset": dataset,
        "protocol": "linear",
        "label_fraction": 1.0,
        "shots": 0,
        **columns,
    }
    metrics, predictions = [], []
    for seed, accuracy in enumerate(accuracies):
        rng = np.random.default_rng([noise, seed, *method.encode(), *shared["tag"].encode()])
        run_id = ".".join([method, shared["augmentation"], shared["tag"],
                           shared["pretrain_dataset"], f"s{seed}"])  # fmt: skip
        for probe in range(probes):
            right = rng.random(n) < accuracy
            keys = {"run_id": run_id, **shared, "probe_seed": probe}
            metrics.append({**keys, "seed": seed, "metric": "top1", "value": right.mean()})
            frame = pd.DataFrame({"clip_id": np.arange(n).astype(str), "label": "a"})
            frame["best"] = [["a", "b"] if hit else ["b", "a"] for hit in right]
            kept = ("run_id", "dataset", "protocol", "label_fraction", "shots", "probe_seed")
            predictions.append(frame.assign(**{name: keys[name] for name in kept}))
    return pd.DataFrame(metrics), pd.concat(predictions, ignore_index=True)


def joined(*parts):
    return tuple(pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))


def make_claims(methods=("simclr",), **changes) -> c.Claims:
    claim = {
        "id": "beats",
        "statement": "It beats them.",
        "source": "paper",
        "subject": {"method": "sl_fpn", "augmentation": "temporal_permutation"},
        "against": [{"method": list(methods)}],
        **changes,
    }
    return parse(c.Claims, {"resamples": 500, "flips": 1000, "claims": [claim]}, "test")


def make_against(*against, **changes) -> c.Claims:
    return make_claims(**{**changes, "against": list(against)})


def judged(claims, found) -> tuple[pd.Series, pd.DataFrame]:
    comparisons = c.decide(claims, *found)
    return c.verdicts(claims, comparisons, found[0]).iloc[0], comparisons
