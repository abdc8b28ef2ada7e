"""The outcome of a check for programs: numbers unrounded, what they are of in the measure's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from taplogs.core.assertions import Finding, Outcome, Value, Verdict
from taplogs.core.dimensions import Dimension
from taplogs.core.error_groups import ErrorGroup
from taplogs.output.stats_records import window_record


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as one document: whether all assertions hold, how they ended, the windows, each finding.

    Nothing is said to hold of windows of which something is missing: `gaps` names it.
    """
    document: dict[str, Any] = {"holds": not outcome.unmet and not outcome.gaps}
    document |= {verdict.value: outcome.number(verdict) for verdict in Verdict}
    document |= {"requests": outcome.requests, "window": window_record(outcome.window)}
    if outcome.earlier is not None:
        document["comparedWindow"] = window_record(outcome.earlier)
    document["gaps"] = list(map(to_builtins, outcome.gaps))
    return {**document, "assertions": finding_records(outcome)}


def finding_records(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a record for each finding; the keys of its group are null where it is about all requests."""
    return [_record(finding, outcome.dimensions) for finding in outcome.findings]


def _record(finding: Finding, dimensions: Sequence[Dimension]) -> dict[str, Any]:
    measure = finding.assertion.measure
    keys = finding.scope.group or (None,) * len(dimensions)
    return {
        "measure": measure.member,
        "scope": "all" if finding.scope.group is None else "group",
        **{dimension.member: key for dimension, key in zip(dimensions, keys, strict=True)},
        "verdict": finding.verdict.value,
        "measured": _number(finding.measured),
        "limit": _number(finding.assertion.limit),
        "bound": "min" if measure.is_least else "max",
        "requests": finding.sample,
        "neededRequests": finding.needed,
        "newErrors": [_error_record(error) for error in finding.new_errors],
    }


def _number(value: Value | None) -> float | None:
    """Return the nearest number that JSON readers can hold."""
    if value is None:
        return None
    return value.numerator if value.denominator == 1 else value.numerator / value.denominator


def _error_record(error: ErrorGroup) -> dict[str, Any]:
    return {"group": error.key.hash, **error.key._asdict(), "count": error.count}
