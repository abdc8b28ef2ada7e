"""Numbers as people read them: counts, shares, changes and lengths of time."""

from __future__ import annotations

_UNITS = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 error`, `2 errors`; `plural` where that is not made with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def percent(ratio: float | None) -> str:
    """Return a share as people read it; `-` unknown, and nothing above zero is shown as zero."""
    if ratio is None:
        return "-"
    if 0 < ratio < 0.0005:
        return "<0.1 %"
    if 0.9995 <= ratio < 1:
        return ">99.9 %"
    return f"{ratio * 100:.1f} %"


def signed_percent(ratio: float) -> str:
    """Return by which part something has changed: `+12.5 %`, and from ten times on `x12`."""
    return f"{signed(ratio * 100)} %" if abs(ratio) < 10 else f"x{ratio + 1:,.0f}"


def signed(number: float) -> str:
    """Return a difference to a tenth: `+1.5`, `-0.3`, and `0.0` for less than either shows."""
    text = f"{number:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def duration(seconds: float) -> str:
    """Return a length of time in its greatest unit, and the next one where that says more than a few percent."""
    if seconds < 9.95:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    for unit, size, lesser_unit, lesser_size in _UNITS:
        if whole >= size:
            number, rest = divmod(whole, size)
            lesser = rest // lesser_size
            return f"{number} {unit} {lesser} {lesser_unit}" if lesser and number < 10 else f"{number} {unit}"
    return f"{whole} s"
