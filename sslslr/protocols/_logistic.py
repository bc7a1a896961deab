"""Many logistic regressions fitted at once: seeds, label fractions and strengths of regularisation.

Minimises, for each problem h with clip weights v (0 for a clip that it must not see),

    F_h(W, b) = sum_i v_hi CE(x_i W + b, y_i) / sum_i v_hi  +  |W|^2 / (2 C sum_i v_hi)

which is scikit-learn's LogisticRegression(C) on the weighted clips. Newton's method would need a
Hessian over features times classes; Böhning's bound (Ann. Inst. Stat. Math. 44, 1992) replaces the
class part by 1/2, so that one inverse of features by features serves all steps and classes. Steps
are accelerated (Nesterov) with a restart where the gradient turns (O'Donoghue and Candes 2015).
"""

import torch
from torch import Tensor


def fit_logistic(
    features: Tensor,
    labels: Tensor,
    n_classes: int,
    weights: Tensor,
    strengths: Tensor,
    max_iter: int = 500,
    tolerance: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Fit H problems on the same clips.

    Args:
        features: (n, d), standardised.
        labels: int64 (n,).
        weights: (H, n), each problem's weight of each clip; a clip of weight 0 is not seen.
        strengths: (H,), scikit-learn's C.
        max_iter, tolerance: stop where no gradient entry exceeds the tolerance.

    Returns:
        W (H, d, classes) and b (H, 1, classes), in double precision.
    """
    x = torch.cat([features.double(), features.new_ones(len(features), 1).double()], dim=1)
    share = (weights / weights.sum(dim=1, keepdim=True)).double()
    heads, d = len(weights), x.shape[1]
    l2 = 1 / (strengths.double() * weights.sum(dim=1).double())
    # Penalise the weights, not the intercept (the last row).
    penalty = l2[:, None] * torch.cat([x.new_ones(d - 1), x.new_zeros(1)])
    curvature = 0.5 * torch.einsum("hn,nd,ne->hde", share, x, x)
    curvature = curvature + torch.diag_embed(penalty + 1e-9)
    factor = torch.linalg.cholesky(curvature)
    truth = torch.nn.functional.one_hot(labels, n_classes).double()

    def gradient(w: Tensor) -> Tensor:
        residual = torch.softmax(x @ w, dim=2) - truth
        return x.T @ (residual * share[:, :, None]) + penalty[:, :, None] * w

    w = x.new_zeros(heads, d, n_classes)
    ahead, momentum = w, x.new_ones(heads, 1, 1)
    for iteration in range(max_iter):
        slope = gradient(ahead)
        if iteration % 10 == 0 and slope.abs().max() < tolerance:
            break
        stepped = ahead - torch.cholesky_solve(slope, factor)
        turned = ((slope * (stepped - w)).sum(dim=(1, 2), keepdim=True) > 0).double()
        momentum = turned + (1 - turned) * momentum
        following = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        ahead = stepped + ((momentum - 1) / following) * (1 - turned) * (stepped - w)
        w, momentum = stepped, following
    return w[:, :-1], w[:, -1:]


def softmax_strength(c: float, n_classes: int) -> float:
    """The C of :func:`fit_logistic` that regularises as scikit-learn's does.

    Of two classes scikit-learn has one margin m; here they are -m / 2 and m / 2, whose weights
    together are half as long.
    """
    return c / 2 if n_classes == 2 else c


def standardised(features: Tensor, rows: Tensor) -> Tensor:
    """Features with mean 0 and standard deviation 1 over `rows`; constant features become 0."""
    chosen = features[rows].double()
    mean, std = chosen.mean(dim=0), chosen.std(dim=0, unbiased=False)
    return (features.double() - mean) / torch.where(std > 1e-12, std, torch.inf)


def in_span(fitted: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
    """The same clips in no more dimensions than `fitted` has clips; scores do not change.

    The weights of an L2-regularised linear model lie in the span of the clips it is fitted on, so it
    is exact to express all clips in an orthonormal basis of that span. Raw keypoints (4,500 values)
    then cost no more than an encoder's features.
    """
    if fitted.shape[1] <= fitted.shape[0]:
        return fitted, scored
    basis, _ = torch.linalg.qr(fitted.T)
    return fitted @ basis, scored @ basis
