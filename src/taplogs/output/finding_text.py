"""Findings of `check` in words, for logs that a machine may read along; what is shown never contradicts a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from taplogs.core.apikey import mask_keys
from taplogs.core.assertions import Assertion, Finding, Outcome, Unit, Value, Verdict
from taplogs.core.error_groups import ErrorGroup
from taplogs.output.gap_words import gap_words
from taplogs.output.wording import counted

VERDICTS = {Verdict.FAIL: "fail", Verdict.TOO_FEW: "too few", Verdict.PASS: "pass"}

MOST_NEW_ERRORS = 5
"""How many groups of new errors a finding names."""

_NO_COMMAND = r"#\x23"


def without_commands(text: str) -> str:
    """Return harmless text that a CI takes no commands from: it looks for `##[` and `##vso[` anywhere in a line."""
    return text.replace("##", _NO_COMMAND)


def shown_measured(finding: Finding) -> str:
    """Return what was measured, `-` for nothing, with the digits it takes to see on which side of the limit it is."""
    if finding.measured is None:
        return "-"
    if finding.assertion.measure.unit is Unit.SHARE:
        return _percent(Fraction(finding.measured), Fraction(finding.assertion.limit))
    return _exact(finding.measured, finding.assertion.measure.unit)


def shown_limit(assertion: Assertion) -> str:
    """Return the limit, exactly, and whether it is the most or the least."""
    bound = "min" if assertion.measure.is_least else "max"
    return f"{bound} {_exact(assertion.limit, assertion.measure.unit)}"


def sentence(finding: Finding) -> str:
    """Return a finding as one sentence, without its group."""
    name, limit = finding.assertion.measure.name, shown_limit(finding.assertion)
    if finding.verdict is Verdict.TOO_FEW:
        return f"{name}: too few requests, {requests_of(finding)}"
    return f"{name}: {shown_measured(finding)}, {limit}, of {counted(finding.sample, 'request')}"


def incomplete_words(outcome: Outcome) -> str:
    """Return what of the windows was not there to be checked, as one sentence; its times are in UTC."""
    return f"not all of the window was checked: {gap_words(outcome.gaps)}"


def requests_of(finding: Finding) -> str:
    """Return how many requests speak, and of how many where those are too few."""
    few = f" of {finding.needed:,}" if finding.verdict is Verdict.TOO_FEW else ""
    return f"{finding.sample:,}{few}"


def new_error_lines(finding: Finding) -> Iterator[str]:
    """Yield a line for each new group of errors, as strangers wrote it but for keys, and one for how many are left."""
    errors: Sequence[ErrorGroup] = finding.new_errors
    for error in errors[:MOST_NEW_ERRORS]:
        key = error.key
        reason = ": ".join(filter(None, (key.code, key.message)))
        place = f"{key.hash}  {key.status} {key.method} {key.endpoint}  {error.count:,}x"
        yield mask_keys(f"{place}  {reason}" if reason else place)
    if len(errors) > MOST_NEW_ERRORS:
        yield f"and {len(errors) - MOST_NEW_ERRORS:,} more"


def _exact(value: Value, unit: Unit) -> str:
    if unit is Unit.SHARE:
        return f"{_decimal(Fraction(value) * 100)} %"
    if unit is Unit.NUMBER:
        return f"{value:,}"
    return f"{_decimal(value)}ms" if value < 1000 else f"{_decimal(Fraction(value) / 1000)}s"


def _decimal(value: Value) -> str:
    number = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{number.normalize():f}"


def _percent(share: Fraction, limit: Fraction) -> str:
    """Return a share in percent, with as many digits as it takes to be on the same side of the limit, 0 and 100."""
    digits = 1
    while any(_side(_rounded(share, digits), bound) != _side(share, bound) for bound in (limit, 0, 1)):
        digits += 1
    whole, rest = divmod(round(share * 100 * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}} %"


def _rounded(share: Fraction, digits: int) -> Fraction:
    return Fraction(round(share * 100 * 10**digits), 100 * 10**digits)


def _side(share: Fraction, bound: Value) -> bool | None:
    """Return whether a share is above a bound; where 0 or 1 is the bound, None where it is that."""
    return None if share == bound and bound in (0, 1) else share > bound
