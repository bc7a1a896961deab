"""Logistic regression fitted to its optimum, one problem at a time.

Minimises, for n clips of equal weight,

    F(W, b) = sum_i CE(x_i W + b, y_i) / n  +  |W|^2 / (2 C n)

which is scikit-learn's LogisticRegression(C). Newton's method without its Hessian over features
times classes: each step solves H s = -gradient by conjugate gradients, which need products with H
alone, and only as exactly as the gradient is small (Dembo, Eisenstat and Steihaug 1982). They are
preconditioned class by class: with the few clips that curve a class most, and with H's own diagonal for
the others, which says nearly all of them where the features are turned into the clips' principal axes
beforehand. The gradient is in double precision; the direction of a step, which it corrects, in single.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslslr.evaluation.protocols._blocks import blocks

TOLERANCE = 1e-8  # largest entry of the gradient where a fit stops
INNER_STEPS = 200  # of conjugate gradients, in one step of Newton's
PATIENCE = (
    40  # products with H in one step, above which those that follow are preconditioned better:
)
OUTSTANDING = 32  # by so many clips of each class exactly,
OUTSTANDING_VALUES = 2**25  # of so many features in all (128 MB, and as much again),
LARGEST_PART = 1e4  # each with so much curvature beside all other clips' at most
HALVINGS = 30  # of a step that would not descend
FIT_PASSES = 60  # forward passes of a linear head that a fit costs, about: for estimates
DESCENT = 1e-4  # share of the descent that the slope promises (Armijo)


@dataclass(frozen=True)
class Fitted:
    """A fitted problem.

    Attributes:
        weights, bias: (d, classes) and (1, classes), in double precision.
        gradient: largest entry of the gradient there, in absolute value.
        accuracy: share of the fitted clips that it gets right.
    """

    weights: Tensor
    bias: Tensor
    gradient: float
    accuracy: float


def fit_logistic(
    features: Tensor,
    labels: Tensor,
    n_classes: int,
    c: float,
    max_iter: int = 100,
    start: Fitted | None = None,
) -> Fitted:
    """Fit one problem.

    Args:
        features: (n, d), standardised, best along their principal axes.
        labels: int64 (n,).
        c: scikit-learn's C.
        max_iter: steps of Newton's method at most, where the gradient does not reach `TOLERANCE`.
        start: a fit of the same clips with another C.
    """
    n = len(features)
    # Of two classes scikit-learn has one margin m; here they are -m / 2 and m / 2, whose weights
    # together are half as long.
    strength = c / 2 if n_classes == 2 else c
    x = torch.cat([features.double(), features.new_ones(n, 1).double()], dim=1)
    w = x.new_zeros(x.shape[1], n_classes)
    if start is not None:
        w = torch.cat([start.weights, start.bias])
    # Penalise the weights, not the intercept (the last row).
    penalty = torch.cat([x.new_ones(x.shape[1] - 1, 1), x.new_zeros(1, 1)]) / (strength * n)
    single = x.float()

    def loss(w: Tensor) -> tuple[Tensor, Tensor]:
        log_p = torch.log_softmax(x @ w, dim=1)
        entropy = -log_p.gather(1, labels[:, None]).mean()
        return entropy + 0.5 * (penalty * w * w).sum(), log_p

    def slope(w: Tensor, log_p: Tensor) -> Tensor:
        residual = log_p.exp()
        residual[torch.arange(n, device=x.device), labels] -= 1
        return x.T @ residual / n + penalty * w

    value, log_p = loss(w)
    gradient = slope(w, log_p)
    outstanding = 0
    for _ in range(max_iter):
        if (largest := gradient.abs().max().item()) <= TOLERANCE:
            break
        p = log_p.float().exp()
        step, products = _direction(
            single, p, penalty.float(), gradient / largest, largest, outstanding
        )
        step = step.double() * largest
        if products > PATIENCE:
            outstanding = OUTSTANDING
        descent = (gradient * step).sum()
        size = 1.0
        for _ in range(HALVINGS):
            ahead, ahead_log_p = loss(w + size * step)
            # Near the optimum a descent is smaller than the rounding of the loss.
            if ahead <= value + DESCENT * size * descent + 1e-14 * value.abs():
                break
            size /= 2
        w, value, log_p = w + size * step, ahead, ahead_log_p
        gradient = slope(w, log_p)
    right = (log_p.argmax(dim=1) == labels).double().mean().item()
    return Fitted(w[:-1], w[-1:], gradient.abs().max().item(), right)


def _direction(
    x: Tensor, p: Tensor, penalty: Tensor, gradient: Tensor, largest: float, outstanding: int
) -> tuple[Tensor, int]:
    """Newton's step against `gradient`, (d, classes), by preconditioned conjugate gradients.

    Args:
        p: (n, classes), the classes' probabilities.
        gradient: scaled to a largest entry of 1; `largest` is what it was.
        outstanding: so many clips of each class the preconditioner has exactly.

    Returns:
        The step, and how many products with H it took.
    """
    share = p / len(x)

    def product(v: Tensor) -> Tensor:
        moved = share * (x @ v)
        return x.T @ (moved - p * moved.sum(dim=1, keepdim=True)) + penalty * v

    return _conjugate_gradients(
        product,
        _preconditioner(x, share * (1 - p), penalty, outstanding),
        -gradient.float(),
        relative=min(0.3, largest**0.5),
    )


def _preconditioner(
    x: Tensor, curvature: Tensor, penalty: Tensor, outstanding: int
) -> Callable[[Tensor], Tensor]:
    """The inverse of H's part within each class: the clips that curve it most, and the others' diagonal.

    Where a fit is nearly done, a class is curved by few clips, its own and those that are taken for it. The
    diagonal says little of them where there are as many features as clips; they are inverted exactly
    (Woodbury's identity).

    Args:
        curvature: (n, classes), p (1 - p) / n.
    """
    most = min(len(x), outstanding, OUTSTANDING_VALUES // (x.shape[1] * curvature.shape[1]))
    values, rows = curvature.topk(most, dim=0)
    diagonal = (x * x).T @ curvature.scatter(0, rows, 0.0) + penalty
    # What all classes share has no curvature but the penalty's, and the intercept none at all.
    diagonal = diagonal.clamp_min(1e-6 * diagonal.max())

    if most:
        clips, others = x[rows.T], diagonal.T[:, None]  # (classes, most, d), (classes, 1, d)
        # Beyond this a clip's part, beside the others', leaves single precision no digits for theirs.
        weights = values.T.minimum(LARGEST_PART / (clips.square() / others).sum(dim=2))
        clips *= weights.sqrt()[..., None]
        scaled = clips / others
        within = torch.eye(most, device=x.device) + scaled @ clips.transpose(1, 2)
        root = torch.linalg.solve_triangular(torch.linalg.cholesky(within), scaled, upper=False)

    def precondition(r: Tensor) -> Tensor:
        z = r / diagonal
        if most:
            z -= (root.transpose(1, 2) @ (root @ r.T[..., None]))[..., 0].T
        return z - z.mean(dim=1, keepdim=True)  # what all classes share moves no probability

    return precondition


def _conjugate_gradients(
    product: Callable[[Tensor], Tensor],
    precondition: Callable[[Tensor], Tensor],
    target: Tensor,
    relative: float,
) -> tuple[Tensor, int]:
    """Solve product(s) = target until the preconditioned residual has shrunk to `relative`.

    Returns:
        s, and how many products it took.
    """
    s, r = torch.zeros_like(target), target.clone()
    z = precondition(r)
    direction, size = z, (r * z).sum()
    enough = relative**2 * size
    for products in range(1, INNER_STEPS + 1):
        image = product(direction)
        length = size / (direction * image).sum()
        s, r = s + length * direction, r - length * image
        z = precondition(r)
        before, size = size, (r * z).sum()
        if size <= enough or products == INNER_STEPS:
            break
        direction = z + size / before * direction
    return s, products


def linear_scores(scored: Tensor, fitted: Fitted) -> Iterator[np.ndarray]:
    """Blocks (clips, classes) of scored (clips, d) @ weights + bias."""
    for rows in blocks(torch.arange(len(scored), device=scored.device), fitted.weights.shape[1]):
        yield (scored[rows] @ fitted.weights + fitted.bias).float().cpu().numpy()


def standardised(features: Tensor, rows: Tensor) -> Tensor:
    """Features with mean 0 and standard deviation 1 over `rows`; constant features become 0."""
    chosen = features[rows].double()
    mean, std = chosen.mean(dim=0), chosen.std(dim=0, unbiased=False)
    return (features.double() - mean) / torch.where(std > 1e-12, std, torch.inf)


def principal_axes(fitted: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
    """The same clips along the principal axes of those a probe is fitted on; scores do not change.

    An L2-regularised linear model does not see a rotation, and its weights lie in the span of the clips it
    is fitted on. So it is exact to express all clips in an orthonormal basis of that span: raw keypoints
    (4,500 values) have no more dimensions than there are clips. Of these bases the principal axes let
    :func:`fit_logistic` converge fastest.

    Returns:
        fitted (n, k) and scored (m, k), k the smaller of n and the features' number d.
    """
    if fitted.shape[1] > fitted.shape[0]:
        basis, _ = torch.linalg.qr(fitted.T)
        fitted, scored = fitted @ basis, scored @ basis
    _, axes = torch.linalg.eigh(fitted.T @ fitted)
    return fitted @ axes, scored @ axes
