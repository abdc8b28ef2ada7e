"""One figure: what was measured, and whether it reaches its target. And the table of them."""

from __future__ import annotations

from dataclasses import dataclass

_WHAT, _VALUE, _TARGET, _VERDICT = 44, 12, 11, 13


@dataclass(frozen=True)
class Target:
    """A bound that a figure must not exceed, or must reach."""

    bound: float
    at_least: bool = False

    def is_held_by(self, value: float) -> bool:
        """Return whether `value` is on the right side."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Figure:
    """`value` in `unit` is what the target is about; `measured` says what it was made of, in absolute numbers."""

    what: str
    value: float
    unit: str
    measured: str
    target: Target | None = None

    @property
    def verdict(self) -> str:
        """Whether the target holds; empty without one."""
        if self.target is None:
            return ""
        return "holds" if self.target.is_held_by(self.value) else "does not hold"

    def as_json(self) -> dict[str, object]:
        """The figure for machines; `holds` is null without a target."""
        return {
            "what": self.what,
            "value": round(self.value, 4),
            "unit": self.unit,
            "measured": self.measured,
            "target": None if self.target is None else str(self.target),
            "holds": None if self.target is None else self.target.is_held_by(self.value),
        }


def header() -> str:
    """Return the headings of the table."""
    return _columns("FIGURE", "VALUE", "TARGET", "", "MEASURED")


def line(figure: Figure) -> str:
    """Return one line of the table."""
    value = f"{figure.value:.2f}" if figure.value < 1000 else f"{figure.value:,.0f}"
    return _columns(figure.what, f"{value} {figure.unit}", str(figure.target or ""), figure.verdict, figure.measured)


def _columns(what: str, value: str, target: str, verdict: str, measured: str) -> str:
    return f"{what:{_WHAT}} {value:>{_VALUE}}  {target:{_TARGET}} {verdict:{_VERDICT}} {measured}".rstrip()
