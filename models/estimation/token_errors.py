"""Token errors: what a slope would be if token counts are off, each alone or a lineage at once.

Let log compute be observed with an error u of standard deviation s, independent of the truth. Sums
of products of value and compute are then right on average, and the sum of squared deviations of
compute is too large: by s^2 (n - 1) if the errors are independent, by s^2 (n - sum of n_g^2 / n) if
all n_g models of a lineage have one error. The slope is corrected by taking that off (Fuller 1987,
Measurement Error Models, section 1.2). Errors that lineages share bend the slope less, and scatter
it more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.estimation.lineage_lines import centred

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class ErrorModel(NamedTuple):
    """How the logarithms of token counts err."""

    standard_deviation: float
    """Of log10 tokens."""
    is_shared: bool
    """Whether all models of a lineage have the same error."""


def corrected_slopes(x: Floats, value: Floats, membership: Floats, errors: ErrorModel) -> Floats:
    """(...) slopes of `value` on `x` without the errors in `x`, over the last axis.

    Args:
        x: (..., n), observed log10 compute.
        value: (..., n), ability or score; a model with NaN is left out.
        membership: (n, G), 1 where a model belongs to a lineage, 0 elsewhere.
        errors: of the observed compute.

    NaN with fewer than three models, or where errors of that size would leave no variation.
    """
    x, y, present = centred(x, value)
    count = present.sum(axis=-1)
    squares = (x * x).sum(axis=-1)
    sizes = (present @ membership) ** 2 if errors.is_shared else present @ membership
    with np.errstate(divide="ignore", invalid="ignore"):
        left = squares - errors.standard_deviation**2 * (count - sizes.sum(axis=-1) / count)
        slope = (x * y).sum(axis=-1) / left
    return np.where((count < 3) | ~(left > 1e-9 * squares), np.nan, slope)


def slope_deviations(x: Floats, value: Floats, membership: Floats, errors: ErrorModel) -> Floats:
    """(...) standard deviation of the least-squares slope over draws of the errors in `x`.

    To first order in the errors: the slope changes by (y - 2 slope x) / sum of x^2 times the error
    of a model, x and y taken from their means. Arguments as in `corrected_slopes`.
    """
    x, y, present = centred(x, value)
    squares = (x * x).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (x * y).sum(axis=-1, keepdims=True) / squares
        influence = (y - 2.0 * slope * x) / squares
    parts = influence @ membership if errors.is_shared else influence
    deviation = errors.standard_deviation * np.sqrt((parts**2).sum(axis=-1))
    return np.where(present.sum(axis=-1) < 3, np.nan, deviation)
