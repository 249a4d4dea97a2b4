"""Slope bounds: the least-squares slopes that compute within intervals leaves possible.

Each model's value is known and its log compute x lies somewhere in an interval; nothing is assumed
of where. The slopes of all such x are the identified set of the slope, and its two ends are what
the data say of it without further assumptions (Manski 2003, Partial Identification of Probability
Distributions, chapter 1; regression on an interval-measured covariate: Manski and Tamer 2002,
Econometrica 70(2):519-546). The slope is N / D, with N = sum of (y - mean of y) x, and D = sum of
squared deviations of x from its mean. The highest slope is found by the parametric method of
Dinkelbach (1967, Management Science 13(7):492-498): t is the highest slope when the largest value
of N - t D over all x is 0. The lowest slope is minus the highest slope of minus y.

- t > 0: N - t D is concave. For a given t its maximum is x = y / 2t + c, cut to the intervals, with
  the c at which the uncut line and the cut one have the same mean. The highest slope thus does not
  lie at ends of intervals only: models inside theirs are on a line of slope 2t.
- t < 0: N - t D is convex, so every x is an end of its interval. To choose the ends is a knapsack
  with a quadratic penalty, as hard in general as the largest variance of interval data (Ferson,
  Ginzburg, Kreinovich, Longpre and Aviles 2005, Reliable Computing 11(3):207-233). The relaxed
  problem has one fractional choice at most; by its reduced costs only a handful of other choices
  can be otherwise in a better solution, and these are all tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


class SlopeBounds(NamedTuple):
    """The lowest and the highest slope, and the log compute at which each is reached."""

    slope: Floats
    """(2, P), lowest and highest."""
    x: Floats
    """(2, P, n)."""


def bound_slopes(low: Floats, high: Floats, value: Floats) -> SlopeBounds:
    """The extreme least-squares slopes of each of P problems, for log compute in [low, high].

    Args:
        low: (P, n), smallest log10 compute; equal to `high` where compute is known.
        high: (P, n), largest log10 compute.
        value: (P, n), ability or score; a model with NaN is no part of the problem.

    A problem has NaN slopes where all of its models could have the same compute, since nothing then
    bounds the slope, or where it has no models.
    """
    present = np.isfinite(value)
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    y = np.where(present, value, 0.0)
    y = np.where(present, y - y.sum(axis=1, keepdims=True) / count, 0.0)
    # The mean of equal values is off by rounding, which is no variation.
    size = np.max(np.abs(value), axis=1, where=present, initial=0.0, keepdims=True)
    y = np.where(np.abs(y).max(axis=1, keepdims=True) <= 1e-12 * size, 0.0, y)
    # Compute is centred, so that sums of its squares keep their digits.
    centre = np.where(present, low + high, 0.0).sum(axis=1, keepdims=True) / (2 * count)
    low, high = (np.where(present, end - centre, 0.0) for end in (low, high))
    bounded = np.max(low, axis=1, where=present, initial=-np.inf) > np.min(
        high, axis=1, where=present, initial=np.inf
    )
    slopes, positions = [], []
    for sign in (-1.0, 1.0):
        slope = np.full(len(y), np.nan)
        x = np.where(sign * y > 0, high, low)
        # The largest N decides on which side of 0 the highest slope is.
        largest = (sign * y * x).sum(axis=1)
        rising = bounded & (largest > 0)
        x[rising] = _climb(low[rising], high[rising], sign * y[rising], present[rising])
        for row in np.flatnonzero(bounded & (largest < 0)):
            models = present[row]
            x[row, models] = _choose_ends(
                low[row, models], high[row, models], sign * y[row, models]
            )
        slope[bounded] = _ratio(x[bounded], y[bounded], present[bounded])
        slopes.append(slope)
        positions.append(np.where(present, x + centre, np.nan))
    return SlopeBounds(np.stack(slopes), np.stack(positions))


def _ratio(x: Floats, y: Floats, present: Flags) -> Floats:
    """(P,) slope of centred `y` on `x`."""
    mean = x.sum(axis=1, where=present, keepdims=True) / present.sum(axis=1, keepdims=True)
    deviation = np.where(present, x - mean, 0.0)
    slope: Floats = (y * deviation).sum(axis=1) / (deviation**2).sum(axis=1)
    return slope


def _climb(low: Floats, high: Floats, y: Floats, present: Flags) -> Floats:
    """(P, n) x of the highest slope, of problems where that is positive."""
    x = np.where(y > 0, high, low)
    slope = _ratio(x, y, present)
    active = np.arange(len(x))
    # The method converges faster than linearly and only ever rises: it ends at rounding.
    while len(active):
        line = y[active] / (2.0 * slope[active, None])
        better = _cut_line(line, low[active], high[active], present[active])
        risen = _ratio(better, y[active], present[active])
        improved = risen > slope[active] * (1.0 + 1e-14)
        active = active[improved]
        x[active], slope[active] = better[improved], risen[improved]
    return x


def _cut_line(line: Floats, low: Floats, high: Floats, present: Flags) -> Floats:
    """(P, n) `line` + c cut to [low, high], with the c at which cutting leaves the mean as it is.

    The sum of cut less uncut falls piecewise linearly with c: from above by one for each model that
    is cut to its low end, from below by one for each that is cut to its high end.
    """
    knots = np.concatenate([low - line, high - line], axis=1)
    steps = np.concatenate([present, -present.astype(np.float64)], axis=1)
    order = np.argsort(knots, axis=1, kind="stable")
    knots = np.take_along_axis(knots, order, axis=1)
    # Slope of the sum to the right of each knot; -n to the left of the first.
    count = present.sum(axis=1, keepdims=True)
    falls = np.cumsum(np.take_along_axis(steps, order, axis=1), axis=1) - count
    at_first = np.where(present, low - line, 0.0).sum(axis=1, keepdims=True) - count * knots[:, :1]
    later = np.cumsum(falls[:, :-1] * np.diff(knots, axis=1), axis=1)
    sums = np.concatenate([at_first, at_first + later], axis=1)
    # Positive to the left of all knots where a model is cut, negative to the right of all.
    last = np.maximum((sums >= 0).sum(axis=1, keepdims=True) - 1, 0)
    at, fall, knot = (np.take_along_axis(part, last, axis=1) for part in (sums, falls, knots))
    shift = knot - np.where(fall < 0, at / np.where(fall < 0, fall, 1.0), 0.0)
    return np.where(present, np.clip(line + shift, low, high), 0.0)


def _choose_ends(low: Floats, high: Floats, y: Floats) -> Floats:
    """(n,) ends of the intervals with the highest slope, of a problem where that is negative."""
    x = np.where(y > 0, high, low)
    present = np.ones((1, len(y)), dtype=np.bool_)
    slope = -np.inf
    while (risen := float(_ratio(x[None], y[None], present)[0])) > slope:
        slope, best = risen, x
        x = _best_ends(low, high, y, slope)
    return best


def _best_ends(low: Floats, high: Floats, y: Floats, slope: float) -> Floats:
    """(n,) ends x that maximise N - `slope` D, which is convex as `slope` is negative.

    With z = 1 for the high end, and 0 for the low one, it is `gain` z less a multiple of the
    squared sum of x, but for a constant.
    """
    width = high - low
    open_models = np.flatnonzero(width > 0)
    width = width[open_models]
    rate = y[open_models] - slope * (high + low)[open_models]
    order = np.argsort(-rate, kind="stable")
    open_models, width, rate = open_models[order], width[order], rate[order]
    gain, penalty = rate * width, -slope / len(y)
    sums = float(low.sum()) + np.concatenate([[0.0], np.cumsum(width)])
    # Relaxed: highest rates first, as long as a rate is above the marginal penalty.
    taken = int((rate >= 2.0 * penalty * sums[1:]).sum())
    total = float(sums[taken])
    if taken < len(rate) and rate[taken] > 2.0 * penalty * total:
        total = float(rate[taken]) / (2.0 * penalty)
    chosen = np.arange(len(rate)) < taken
    fraction = total - float(sums[taken])
    relaxed = float(gain[:taken].sum()) - penalty * total**2
    if fraction > 0.0:
        relaxed += float(rate[taken]) * fraction
    # Any other choice falls short of the relaxed optimum by these costs at least (it is concave).
    costs = np.abs(gain - 2.0 * penalty * total * width)

    def worth(flags: Flags) -> float:
        return float(gain[flags].sum()) - penalty * float(low.sum() + width[flags].sum()) ** 2

    best, best_worth = chosen, worth(chosen)
    # Cheapest first: a flip whose cost is beyond what can be gained ends the branch. Of models that
    # are the same in all that counts, only the first may be flipped alone.
    flips = np.argsort(costs, kind="stable")
    kinds = list(zip(rate[flips], width[flips], chosen[flips], strict=True))
    stack = [(chosen, relaxed, 0)]
    while stack:
        flags, bound, position = stack.pop()
        for next_position in range(position, len(flips)):
            model = flips[next_position]
            if bound - costs[model] <= best_worth:
                break
            if next_position > position and kinds[next_position] == kinds[next_position - 1]:
                continue
            flipped = flags.copy()
            flipped[model] = not flipped[model]
            if (found := worth(flipped)) > best_worth:
                best, best_worth = flipped, found
            stack.append((flipped, bound - float(costs[model]), next_position + 1))
    x = low.copy()
    x[open_models[best]] = high[open_models[best]]
    return x
