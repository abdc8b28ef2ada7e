"""What is asserted of requests, as data, and the verdicts: exact, and never a pass where too few requests speak."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from msgspec import Struct

from taplogs.core.dimensions import Dimension, Group, in_order, status_class
from taplogs.core.duration import exact_milliseconds
from taplogs.core.error_groups import ErrorGroup
from taplogs.core.filters import StatusFilter
from taplogs.core.gap import Gap
from taplogs.core.stats import OTHERS, Figures
from taplogs.core.timespan import Window
from taplogs.errors import UsageError

Value = Fraction | int
"""A share, milliseconds, or a number of something: exact, so that a verdict never depends on rounding."""

_ALL = 100


class Verdict(StrEnum):
    """How an assertion ends; the order is that of a report."""

    FAIL = "fail"
    TOO_FEW = "tooFew"
    PASS = "pass"  # noqa: S105 - not a password


class Unit(StrEnum):
    """What a measured value is."""

    SHARE = "share"
    MILLISECONDS = "milliseconds"
    NUMBER = "number"


class Scope(Struct, frozen=True):
    """What assertions are made of: all requests, or those of a group.

    `new_errors` are the groups of errors that the window before did not have, among `requests` of any status: that
    there are no requests with errors must not look like too few requests.
    """

    figures: Figures
    group: Group | None = None
    new_errors: Sequence[ErrorGroup] = ()
    requests: int = 0


class Measure(Struct, frozen=True):
    """What is measured of a scope (`value`, None where nothing is known), and of how many requests (`sample`).

    `option` sets its limit, `name` is for people, `member` for programs. `is_least`: the limit is how many requests are
    needed anyway, so that there are enough or too few, and nothing else.
    """

    option: str
    name: str
    member: str
    unit: Unit
    value: Callable[[Scope], Value | None]
    sample: Callable[[Scope], int]
    is_least: bool = False


class Assertion(Struct, frozen=True):
    """A measure and its limit, which is inclusive."""

    measure: Measure
    limit: Value


class Finding(Struct, frozen=True):
    """How an assertion about a scope has ended: what was measured of `sample` requests where `needed` are enough."""

    assertion: Assertion
    scope: Scope
    measured: Value | None
    sample: int
    needed: int
    verdict: Verdict

    @property
    def new_errors(self) -> Sequence[ErrorGroup]:
        """The groups of errors that are new, where that is what was measured."""
        return self.scope.new_errors if self.assertion.measure is NEW_ERRORS else ()


class Outcome(Struct, frozen=True):
    """What a check has found, in the order of a report, of which windows; groups are by `dimensions`.

    `earlier` is the window that new errors are new beside. `allow_few`: too few requests are no failure. `gaps` are
    parts of the windows of which nothing is known, so that what holds of the rest is no pass.
    """

    findings: Sequence[Finding]
    dimensions: Sequence[Dimension]
    requests: int
    window: Window
    earlier: Window | None = None
    allow_few: bool = False
    gaps: Sequence[Gap] = ()

    def number(self, verdict: Verdict) -> int:
        """Return how many findings have this verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def unmet(self) -> list[Finding]:
        """The findings that make the check fail."""
        met = (Verdict.PASS, Verdict.TOO_FEW) if self.allow_few else (Verdict.PASS,)
        return [finding for finding in self.findings if finding.verdict not in met]


def _requests(scope: Scope) -> int:
    return scope.figures.requests


def _timed(scope: Scope) -> int:
    return scope.figures.timed


def _share(number: Callable[[Figures], int]) -> Callable[[Scope], Value | None]:
    def value(scope: Scope) -> Value | None:
        figures = scope.figures
        return Fraction(number(figures), figures.requests) if figures.requests else None

    return value


def _latency(percent: int) -> Measure:
    def value(scope: Scope) -> int | None:
        return scope.figures.percentile(percent)

    return Measure(f"--max-p{percent}", f"p{percent}", f"latencyP{percent}Ms", Unit.MILLISECONDS, value, _timed)


ERROR_RATE = Measure(
    "--max-error-rate", "error rate", "errorRatio", Unit.SHARE, _share(lambda figures: figures.errors), _requests
)
SERVER_ERROR_RATE = Measure(
    "--max-server-error-rate",
    "server error rate",
    "serverErrorRatio",
    Unit.SHARE,
    _share(lambda figures: figures.classes[5]),
    _requests,
)
LATENCIES = {percent: _latency(percent) for percent in (50, 90, 95, 99)}
NEW_ERRORS = Measure(
    "--max-new-errors",
    "new errors",
    "newErrorGroups",
    Unit.NUMBER,
    lambda scope: len(scope.new_errors),
    lambda scope: scope.requests,
)
REQUESTS = Measure("--min-requests", "requests", "requests", Unit.NUMBER, _requests, _requests, is_least=True)

MEASURES = (ERROR_RATE, SERVER_ERROR_RATE, *LATENCIES.values(), NEW_ERRORS, REQUESTS)


def share_limit(measure: Measure, text: str) -> Fraction:
    """Return the share that a percentage such as `0.1%` is; raises UsageError, also for a number without its unit."""
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,12})?)\s*(%?)", text.strip())
    number = Decimal(match[1]) if match else None
    if match is None or number is None or number > _ALL:
        raise UsageError(f"{measure.option} {text!r} is not understood", "accepted: 0% to 100%, such as 1% or 0.1%")
    if number and not match[2]:
        meant = f"{match[1]}%" if number > 1 else f"{(number * _ALL).normalize():f}% or {match[1]}%"
        raise UsageError(f"{measure.option} {text!r} is not in percent", f"say {meant}")
    return Fraction(number) / _ALL


def latency_limit(measure: Measure, text: str) -> Fraction:
    """Return the milliseconds of a duration such as `800ms` or `1.5s`; raises UsageError."""
    milliseconds = exact_milliseconds(text)
    if milliseconds is None:
        raise UsageError(f"{measure.option} {text!r} is not understood", "accepted: 800ms, 1.5s, 2m; units ms, s, m")
    return Fraction(milliseconds)


def refuse_constant_shares(assertions: Iterable[Assertion], status: StatusFilter | None) -> None:
    """Raise UsageError where `status` leaves errors only, or none: whatever happens, their share is the same."""
    for option in (assertion.measure.option for assertion in assertions):
        least = _LEAST_STATUS.get(option)
        if status and least and len({code >= least for code in range(100, 600) if status.accepts(code)}) == 1:
            raise UsageError(
                f"with --status {status} there is nothing for {option} to measure",
                "leave --status out; with '!404' it leaves single ones out",
            )


_LEAST_STATUS = {ERROR_RATE.option: 400, SERVER_ERROR_RATE.option: 500}


def evaluate(assertions: Sequence[Assertion], scopes: Iterable[Scope], needed: int) -> list[Finding]:
    """Return a finding for each assertion about each scope: first what fails, then too few, then what passes.

    Where fewer than `needed` requests speak (for a latency: with a known one) the verdict is that, whatever they say.
    """
    findings = [_finding(assertion, scope, needed) for scope in scopes for assertion in assertions]
    return sorted(findings, key=lambda finding: list(Verdict).index(finding.verdict))


def _finding(assertion: Assertion, scope: Scope, needed: int) -> Finding:
    measured, sample = assertion.measure.value(scope), assertion.measure.sample(scope)
    if measured is None or sample < needed:
        verdict = Verdict.TOO_FEW
    elif assertion.measure.is_least or measured <= assertion.limit:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.FAIL
    return Finding(assertion, scope, measured, sample, needed, verdict)


_OF_ERRORS: Mapping[str, Callable[[ErrorGroup], str | int]] = {
    "endpoint": lambda error: error.key.endpoint,
    "method": lambda error: error.key.method,
    "status": lambda error: error.key.status,
    "class": lambda error: status_class(error.key.status),
}

NEW_ERRORS_BY = tuple(_OF_ERRORS)
"""The names of the dimensions that a group of errors has one value of."""


def scopes_of(
    total: Scope, groups: Mapping[Group, Figures], requests: Mapping[Group, int], dimensions: Sequence[Dimension]
) -> list[Scope]:
    """Return `total` and a scope for each group, the one with the most requests first, with its own new errors.

    `requests`: how many of any status each group has. Where there are new errors, each dimension is one of
    `NEW_ERRORS_BY`.
    """
    errors_of: dict[Group, list[ErrorGroup]] = {group: [] for group in groups}
    for error in total.new_errors if dimensions else ():
        group: Group = tuple(_OF_ERRORS[dimension.name](error) for dimension in dimensions)
        errors_of.setdefault(group if group in groups else (OTHERS,) * len(dimensions), []).append(error)
    scopes = [
        Scope(groups.get(group, _NOTHING), group, errors_of[group], requests.get(group, 0))
        for group in in_order(errors_of)
    ]
    return [total, *sorted(scopes, key=lambda scope: -scope.figures.requests)]


_NOTHING = Figures()
