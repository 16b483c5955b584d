"""Sums of coordinates in decimals, as a person would write them.

54.66 + 69.06 is 123.72 in decimals, and 123.72000000000001 in binary floats. With decimals, boxes
keep their digits when a format stores them as a corner and a size, or as a centre and a size.
"""

from decimal import Decimal
from math import isfinite

_HALF = Decimal("0.5")


def add(first: float, second: float) -> float:
    """The sum of two numbers.

    Examples:
        >>> add(54.66, 69.06)
        123.72
    """
    if not (isfinite(first) and isfinite(second)):
        return first + second
    return float(_exact(first) + _exact(second))


def middle(low: float, high: float) -> float:
    """The number halfway between two finite numbers.

    Examples:
        >>> middle(0.1, 0.3)
        0.2
    """
    return float((_exact(low) + _exact(high)) * _HALF)


def ends(center: float, length: float) -> tuple[float, float]:
    """Both ends of an interval, given its centre and length, which are finite.

    Examples:
        >>> ends(0.2, 0.2)
        (0.1, 0.3)
    """
    half = _exact(length) * _HALF
    return float(_exact(center) - half), float(_exact(center) + half)


def shortest(value: float | int) -> float | int:
    """A whole number without its decimal point; any other number as it is.

    Examples:
        >>> shortest(12.0), shortest(0.5)
        (12, 0.5)
    """
    return int(value) if float(value).is_integer() else float(value)


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
