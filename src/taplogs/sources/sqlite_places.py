"""Which places a filter by endpoint selects: told of their templates, without looking at any URL."""

from __future__ import annotations

import re
from collections.abc import Iterable

from taplogs.core.endpoint import ID_SEGMENT, anonymous, glob_pattern
from taplogs.core.filters import EndpointFilter
from taplogs.sources.sqlite_urls import PLACEHOLDER, Place

_NAMED = re.compile(r"\{[^{}/]*\}")
_ANY_DEPTH = "**"


def selects(filter_: EndpointFilter, place: Place) -> bool | None:
    """Return whether all entries of `place` pass the filter (True), or none (False); None where it depends."""
    if not place.origin:  # the path may be anything with this template, and the template may be cut
        return None
    wanted = _any(_holds(filter_, term, place.endpoint) for term in filter_.wanted) if filter_.wanted else True
    unwanted = _any(_holds(filter_, term, place.endpoint) for term in filter_.unwanted)
    if wanted is False or unwanted is True:
        return False
    return None if wanted is None or unwanted is None else True


def _holds(filter_: EndpointFilter, term: str, endpoint: str) -> bool | None:
    """Return what `EndpointFilter.holds` returns for every path of `endpoint`, None where they differ or may do so."""
    verdict = _matches(term, endpoint)
    if verdict is True or "{" not in term:
        return verdict
    if filter_.templates is not None and filter_.templates.has_overrides:
        return None
    return True if anonymous(endpoint) == anonymous(term) else verdict


def _matches(glob: str, endpoint: str) -> bool | None:
    """Return whether `glob` matches all paths of `endpoint` (True), or none (False).

    Nothing in a glob but `**` crosses a slash, so segments are compared one by one; `**` is understood at the end.
    """
    wanted, given = glob.split("/"), endpoint.split("/")
    goes_deeper = wanted[-1] == _ANY_DEPTH and len(given) >= len(wanted)
    if goes_deeper:
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    if any(_ANY_DEPTH in segment for segment in wanted):
        return None
    if len(wanted) != len(given):
        return False
    verdicts = [_segment_matches(glob, segment) for glob, segment in zip(wanted, given, strict=True)]
    return False if False in verdicts else None if None in verdicts else True


def _segment_matches(glob: str, segment: str) -> bool | None:
    if segment != PLACEHOLDER:
        return glob_pattern(glob).match(segment) is not None
    if glob == "*" or _NAMED.fullmatch(glob):
        return True
    if any(character in glob for character in "*?{}"):
        return None
    return None if re.fullmatch(ID_SEGMENT, glob) else False


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    found = {*verdicts}
    return True if True in found else None if None in found else False
