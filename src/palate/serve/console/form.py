"""Numbers and times as people read them."""

from datetime import UTC, datetime
from time import time


def count(number: float) -> str:
    """
    >>> count(12345.0)
    '12,345'
    """
    return f"{number:,.0f}"


def share(part: float, whole: float) -> str:
    """
    >>> share(1, 8), share(0, 0)
    ('12.5 %', '–')
    """
    return f"{100 * part / whole:.1f} %" if whole else "–"


def ms(milliseconds: float) -> str:
    """
    >>> ms(0.456), ms(12.3), ms(1234.5), ms(float("nan"))
    ('0.46 ms', '12 ms', '1.2 s', '–')
    """
    if milliseconds != milliseconds:
        return "–"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"


def moment(seconds: float) -> str:
    """
    >>> moment(1_700_000_000), moment(0.0)
    ('2023-11-14 22:13:20', '–')
    """
    if not 0 < seconds < 4e9:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def ago(seconds: float, now: float | None = None) -> str:
    """
    >>> ago(1000, now=1042), ago(1000, now=1000 + 7300), ago(1000, now=1000 + 200_000)
    ('42 s', '2 h', '2 d')
    """
    age = max(0.0, (time() if now is None else now) - seconds)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if age >= size:
            return f"{age / size:.0f} {unit}"
    return f"{age:.0f} s"
