"""A plain logistic probe: L2-regularised logistic regression on standardised features."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sslslr.config import LogisticConfig
from sslslr.protocols import Prediction, Predictions, Task, register


@register
class Logistic:
    """The probe that needs no tuning; deterministic, so it has no seed of its own."""

    Options = LogisticConfig

    def run(self, task: Task, options: LogisticConfig, say) -> Predictions:
        features, labels = np.asarray(task.features, dtype=np.float64), np.asarray(task.labels)
        probe = make_pipeline(
            StandardScaler(), LogisticRegression(C=options.C, max_iter=options.max_iter, tol=1e-3)
        )
        probe.fit(features[task.train], labels[task.train])
        scores = probe.decision_function(features[task.test])
        if scores.ndim == 1:  # two classes: scikit-learn gives the second's margin alone
            scores = np.stack([-scores, scores], axis=1)
        yield Prediction(scores.astype(np.float32), n_train=len(task.train))
