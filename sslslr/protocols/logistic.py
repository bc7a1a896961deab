"""A plain logistic probe: L2-regularised logistic regression on standardised features."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslslr.config import LogisticConfig
from sslslr.protocols import Prediction, Predictions, Task, register


@register
class Logistic:
    """The probe that needs no tuning; deterministic, so it has no seed of its own."""

    Options = LogisticConfig

    def run(self, task: Task, options: LogisticConfig, say) -> Predictions:
        features, labels = np.asarray(task.features, dtype=np.float64), np.asarray(task.labels)
        scaler = StandardScaler().fit(features[task.train])
        train, test = _compressed(
            scaler.transform(features[task.train]), scaler.transform(features[task.test])
        )
        probe = LogisticRegression(C=options.C, max_iter=options.max_iter)
        scores = probe.fit(train, labels[task.train]).decision_function(test)
        if scores.ndim == 1:  # two classes: scikit-learn gives the second's margin alone
            scores = np.stack([-scores, scores], axis=1)
        yield Prediction(scores.astype(np.float32), n_train=len(task.train))


def _compressed(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same clips in no more dimensions than there are training clips; scores do not change.

    The weights of an L2-regularised linear model lie in the span of the training clips, so it is
    exact to express all clips in an orthonormal basis of that span. Raw keypoints (4,500 values)
    then cost no more than an encoder's features.
    """
    if train.shape[1] <= train.shape[0]:
        return train, test
    basis, _ = np.linalg.qr(train.T)
    return train @ basis, test @ basis
