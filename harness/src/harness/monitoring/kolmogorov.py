"""P-values of many Kolmogorov-Smirnov statistics at once: to the last bit `scipy.stats.kstwo.sf`, which takes a millisecond for each.

For most statistics of small windows SciPy runs a recursion (Pomeranz 1974) or takes powers of a matrix (Durbin; Marsaglia, Tsang and
Wang 2003) in Python, one statistic after the other. Here those go through it together whose recursion or matrix has the same shape, each
operation being the one that SciPy does, by the same routine on operands of the same length. For all others SciPy is asked.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.stats import kstwo

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Scaled = tuple[Numbers, Counts]
"""Numbers, and the power of two that each is yet to be multiplied by."""

# Where SciPy goes from one way to the next, with n the rows, x the statistic and t = n * x (Simard and L'Ecuyer 2011).
_FEW_ROWS, _MATRIX_UP_TO, _RECURSION_UP_TO = 140, 0.754693, 4.0
_MANY_ROWS, _MATRIX_OF_MANY_UP_TO, _TAIL_FROM = 100_000, 1.4, 2.2
# So few of one shape are quicker one by one.
_FEWEST = 4
_BITS = 128
_UP, _DOWN = np.ldexp(np.longdouble(1), _BITS), np.ldexp(np.longdouble(1), -_BITS)
_HALF = 0.5
# The last of so few products is summed by a loop of numpy's own, any other by the library for linear algebra.
_SHORT, _LONGEST = 11, 48


def ks_pvalues(statistics: Numbers, rows: Counts) -> Numbers:
    """Return the p-value of each two-sided statistic of so many rows."""
    pairs, places = np.unique(np.stack((statistics, rows.astype(np.float64))), axis=1, return_inverse=True)
    x, n = pairs[0], pairs[1].astype(np.int64)
    found, left = np.empty(len(x)), np.ones(len(x), np.bool_)
    matrix, recursion = _ways(n, x)
    t, whole = n * x, np.floor(n * x)
    for mask, shape, compute, grows in (
        (recursion, (whole, t > whole, t - whole > _HALF), _by_recursion, True),
        (matrix, (n, np.ceil(t)), _by_matrix, False),
    ):
        groups = list(_alike(np.flatnonzero(mask), np.stack([part.astype(np.float64) for part in shape])))
        if groups:
            held = np.concatenate(groups)
            parts = [compute(n[group], x[group]) for group in groups]
            values, exponents = (np.concatenate(each) for each in zip(*parts, strict=True))
            found[held], left[held] = _survival(n[held], values, exponents, grows=grows), False
    found[left] = kstwo.sf(x[left], n[left])
    return found[places.reshape(-1)]


def _ways(n: Counts, x: Numbers) -> tuple[Mask, Mask]:
    """Return for which statistics SciPy takes powers of a matrix, and for which it runs the recursion."""
    t = n * x
    squared = t * x
    inner = (t > 1.0) & (t < n - 1) & (x < _HALF)
    few, many = inner & (n <= _FEW_ROWS), inner & (n > _FEW_ROWS) & (n <= _MANY_ROWS) & (squared < _TAIL_FROM)
    # A little less: the power may differ in the last bit from SciPy's, which decides by it.
    low = n * x**1.5 <= _MATRIX_OF_MANY_UP_TO * (1 - 1e-9)
    recursion = few & (squared > _MATRIX_UP_TO) & (squared <= _RECURSION_UP_TO)
    return (few & (squared <= _MATRIX_UP_TO)) | (many & low), recursion & _sums_alike()


def _alike(places: Places, shapes: Numbers) -> Iterator[Places]:
    """Yield those places together whose shapes are equal, where they are enough."""
    _, kinds = np.unique(shapes[:, places], axis=1, return_inverse=True)
    kinds = kinds.reshape(-1)
    order = np.argsort(kinds, kind="stable")
    for part in np.split(places[order], np.flatnonzero(np.diff(kinds[order])) + 1):
        if len(part) >= _FEWEST:
            yield part


def _by_matrix(rows: Counts, x: Numbers) -> Scaled:
    """Return the middles of the matrices' powers: the probabilities but for n!/n^n. All are of equally many rows, and of one size."""
    n = int(rows[0])
    t = n * x
    k = int(np.ceil(t[0]))
    powers, exponents = _power(_matrices(k - t, 2 * k - 1), n, k - 1)
    return powers[:, k - 1, k - 1], exponents


def _matrices(h: Numbers, size: int) -> npt.NDArray[np.float64]:
    orders = np.arange(1, size + 1)
    edge, inverse, factorial = 1.0 - h[:, None] ** orders, np.empty(size), 1.0
    for order in range(1, size + 1):
        inverse[order - 1] = factorial
        factorial /= order
        edge[:, order - 1] *= factorial
    # Of single numbers, as SciPy: a power of an array may differ in the last bit.
    corner = [max(2 * each - 1.0, 0.0) ** size - 2 * each**size for each in h.tolist()]
    edge[:, -1] = (1.0 + np.array(corner)) * factorial
    found = np.zeros((len(h), size, size))
    for column in range(1, size):
        found[:, column - 1 :, column] = inverse[: size - column + 1]
    found[:, :, 0] = edge
    found[:, -1, :] = edge[:, ::-1]
    return found


def _power(matrices: npt.NDArray[np.float64], exponent: int, middle: int) -> tuple[npt.NDArray[np.float64], Counts]:
    """Return each matrix to a power, and the power of two that was taken out lest it grow too large."""
    found, taken, own = np.broadcast_to(np.eye(matrices.shape[1]), matrices.shape), *np.zeros((2, len(matrices)), np.int64)
    while exponent:
        if exponent % 2:
            found, taken = np.matmul(found, matrices), taken + own
        exponent //= 2
        if exponent:
            matrices, own = np.matmul(matrices, matrices), 2 * own
            large = np.abs(matrices[:, middle, middle]) > float(_UP)
            matrices[large] = np.ldexp(matrices[large], -_BITS)
            own = own + _BITS * large
    return found, taken


def _by_recursion(rows: Counts, x: Numbers) -> Scaled:
    """Return the recursions' last numbers: the probabilities but for n!.

    All t have one whole part; and they are whole or not, and above it by more than a half or not, alike.
    """
    order = np.argsort(-rows, kind="stable")
    n, t = rows[order], rows[order] * x[order]
    whole = int(np.floor(t[0]))
    share = t - whole
    above, half = int(share[0] > 0), int(share[0] > _HALF)
    less, width = np.minimum(share, 1.0 - share), 2 * (whole + 1)
    outer, odd, even = (_powers(each, width) for each in (less / n, 2 * less / n, (1 - 2 * less) / n))
    band, last, exponents = np.zeros((len(n), width)), np.empty(len(n)), np.zeros(len(n), np.int64)
    band[:, 0] = 1.0
    first, alive = 0, len(n)
    for step in range(1, 2 * int(n[0]) + 2):
        row, is_even = divmod(step + 1, 2)
        going = alive if is_even else int(np.searchsorted(-n[:alive], -row, side="right"))
        for place in range(going, alive):  # those whose last step this is
            length = int(n[place]) - first + 1
            ended = np.convolve(band[place, :length], outer[place, ::-1][:length])[max(row - whole - above - first, 0) : length]
            small = 0 < ended.max() < float(_DOWN)
            last[place] = np.ldexp(ended[-1], _BITS * small)
            exponents[place] -= _BITS * small
        alive = going
        begin = max(row - whole - (0 if is_even else half), 0)
        end = row + whole + (half - 1 if is_even else above - 2)
        powers = outer if step == 1 else even if is_even else odd
        band = _next(band[:alive], powers[:alive], range(begin - first, end - first + 1), np.minimum(end, n[:alive]) - first)
        largest = band.max(axis=1, initial=0.0)
        small = (largest > 0) & (largest < float(_DOWN))
        band[small] = np.ldexp(band[small], _BITS)
        exponents[:alive] -= _BITS * small
        first = begin
    back = np.argsort(order)
    return last[back], exponents[back]


def _powers(shares: Numbers, width: int) -> Numbers:
    """Return each share's powers over the factorials, from high to low."""
    found = np.ones((len(shares), width))
    for order in range(1, width):
        found[:, width - 1 - order] = found[:, width - order] * shares / order
    return found


def _next(band: Numbers, powers: Numbers, places: range, last: Counts) -> Numbers:
    """Return the next row of every recursion: the places wanted of its convolution with the powers; `last` is each one's last."""
    found, width = np.zeros(band.shape), band.shape[1]
    for number, place in enumerate(places):
        found[:, number] = np.vecdot(band[:, : place + 1], powers[:, width - 1 - place :])
        if place < _SHORT:
            ending = np.flatnonzero(last == place)
            if len(ending):
                found[ending, number] = _plain_sum(band[ending, : place + 1], powers[ending, width - 1 - place :])
    ended = int(np.searchsorted(-last, -places[-1], side="right"))
    found[ended:, : len(places)][np.array(places) > last[ended:, None]] = 0.0
    return found


def _plain_sum(left: Numbers, right: Numbers) -> Numbers:
    total = np.zeros(len(left))
    for number in range(left.shape[1]):
        total = total + left[:, number] * right[:, number]
    return total


def _survival(n: Counts, values: Numbers, exponents: Counts, *, grows: bool) -> Numbers:
    """Return the p-values, given the probabilities of smaller statistics but for n! (`grows`) or n!/n^n.

    A number that was scaled on the way goes on in numpy's widest precision, as SciPy's does.
    """
    order = np.argsort(-n, kind="stable")
    n, value, exponents = n[order], values[order], exponents[order].copy()
    wide, is_wide = np.zeros(len(n), np.longdouble), np.zeros(len(n), np.bool_)
    for factor in range(1, int(n[0]) + 1):
        alive = slice(int(np.searchsorted(-n, -factor, side="right")))
        if not grows:
            value[alive], wide[alive] = factor * value[alive] / n[alive], factor * wide[alive] / n[alive]
        size = np.abs(np.where(is_wide[alive], wide[alive], value[alive]))
        beyond = np.flatnonzero(size > _UP if grows else size < _DOWN)
        if len(beyond):
            held = np.where(is_wide[beyond], wide[beyond], value[beyond])
            wide[beyond], value[beyond], is_wide[beyond] = held * (_DOWN if grows else _UP), 0.0, True
            exponents[beyond] += _BITS if grows else -_BITS
        if grows:
            value[alive], wide[alive] = factor * value[alive], factor * wide[alive]
    less = np.clip(np.ldexp(value, exponents), 0.0, 1.0)
    less_wide = np.clip(np.ldexp(wide, exponents), 0.0, 1.0)
    found = np.empty(len(n))
    found[order] = np.where(is_wide, (1 - less_wide).astype(np.float64), 1 - less)
    return found


@cache
def _sums_alike() -> bool:
    """Return whether products are summed here as `numpy.convolve` sums them, which a build of numpy for another processor may not do."""
    numbers = 1 / np.arange(3.0, 3.0 + 2 * _LONGEST)
    for size in range(2, _LONGEST):
        left, right = numbers[None, :size], numbers[None, _LONGEST : _LONGEST + size]
        own = _plain_sum(left, right) if size <= _SHORT else np.vecdot(left, right)
        if own[0] != np.convolve(left[0], right[0, ::-1])[size - 1]:
            return False
    return True
