"""When two answers are the same."""

import math
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")


def plain(value):
    """A value as both sides write it. Whole numbers stay exact."""
    if isinstance(value, datetime):
        return (value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, str) and ZONED.fullmatch(value):
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    if isinstance(value, str) and LOCAL.fullmatch(value):
        return datetime.fromisoformat(value + "+00:00").timestamp()
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    value = float(value)
    return None if math.isnan(value) else value


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(left, right, tolerance=1e-9):
    if is_number(left) and is_number(right):
        if isinstance(left, int) and isinstance(right, int):
            return left == right
        return math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b, tolerance) for a, b in zip(left, right))
    return left == right and type(left) is type(right)


def order(row):
    """A key that sorts rows alike on both sides."""
    key = []
    for value in row:
        kind = "number" if is_number(value) else type(value).__name__
        key.append(
            (
                value is not None,
                kind,
                round(value, 6) if isinstance(value, float) else str(value) if isinstance(value, list) else value,
            )
        )
    return key


def alike(left, right, ordered, tolerance=1e-9):
    if len(left) != len(right):
        return False
    if not ordered:
        left, right = sorted(left, key=order), sorted(right, key=order)
    return all(same(a, b, tolerance) for a, b in zip(left, right))
