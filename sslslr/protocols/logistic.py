"""A plain logistic probe: L2-regularised logistic regression on standardised features."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslslr.config import LogisticConfig
from sslslr.protocols import Prediction, Predictions, Task, register
from sslslr.protocols._logistic import in_span


@register
class Logistic:
    """The probe that needs no tuning; deterministic, so it has no seed of its own."""

    Options = LogisticConfig

    def run(self, task: Task, options: LogisticConfig, say) -> Predictions:
        features, labels = np.asarray(task.features, dtype=np.float64), np.asarray(task.labels)
        scaler = StandardScaler().fit(features[task.train])
        train, test = in_span(
            torch.from_numpy(scaler.transform(features[task.train])),
            torch.from_numpy(scaler.transform(features[task.test])),
        )
        probe = LogisticRegression(C=options.C, max_iter=options.max_iter)
        scores = probe.fit(train.numpy(), labels[task.train]).decision_function(test.numpy())
        if scores.ndim == 1:  # two classes: scikit-learn gives the second's margin alone
            scores = np.stack([-scores, scores], axis=1)
        yield Prediction(scores.astype(np.float32), n_train=len(task.train))
