"""Several exports held against each other and against what their reader knows: chain, head, the time they cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise

from taplogs.audit.export_check import ExportCheck
from taplogs.audit.finding import Finding
from taplogs.audit.manifest import Manifest
from taplogs.audit.terms import terms_of
from taplogs.core.export_names import TABLE
from taplogs.core.timespan import Window

CHAIN = "chain"
REQUIREMENTS = ("signed", "anchored", "complete", "csv", "redacted", "chained")
"""What `--require` takes."""

_WORDS = {
    "signed": "proven to be signed, which takes --pubkey",
    "anchored": "anchored by --expect-head",
    "csv": f"with {TABLE}",
    "chained": "held against the others of its chain, which takes --chain",
}


def in_order(checks: Iterable[ExportCheck]) -> list[ExportCheck]:
    """Return exports by their sequence; those without a manifest come last."""
    return sorted(checks, key=lambda check: (check.manifest is None, check.manifest.sequence if check.manifest else 0))


def chain_findings(checks: Sequence[ExportCheck]) -> Iterator[Finding]:
    """Yield what keeps exports, in order, from being one chain from its beginning on."""
    links = [(check, check.manifest) for check in checks if check.manifest is not None]
    if not links:
        return
    _, manifest = links[0]
    if manifest.sequence != 1:
        yield Finding(
            "chain_beginning", CHAIN, f"it begins with export {manifest.sequence}, those before are not there"
        )
    for (before, earlier), (after, later) in pairwise(links):
        place = f"{CHAIN}:{after.path}"
        if before.path.resolve() == after.path.resolve():
            yield Finding("chain_sequence", place, "it is named twice")
            continue
        if later.sequence == earlier.sequence:
            yield Finding("chain_sequence", place, f"it is export {later.sequence}, as {before.path} is")
            continue
        if later.sequence != earlier.sequence + 1:
            yield Finding(
                "chain_sequence", place, f"export {later.sequence} follows {earlier.sequence}: some are missing"
            )
            continue
        yield from _link_findings(place, before, earlier, later)


def _link_findings(place: str, before: ExportCheck, earlier: Manifest, later: Manifest) -> Iterator[Finding]:
    previous = later.previous
    if previous is None or previous.manifest_sha256 != sha256(before.text).hexdigest():
        yield Finding("chain_link", place, f"the export before it is not the one in {before.path}")
        return
    if (previous.export_id, previous.effective_until) != (earlier.export_id, earlier.period.effective_until):
        yield Finding("chain_link", place, f"what it says of {before.path} is not so")
    if later.period.requested_since != earlier.period.effective_until:
        yield Finding("chain_gap", place, f"it does not begin where {before.path} ends")
    names = [name for name, _, _ in terms_of(earlier).differences(terms_of(later))]
    if earlier.source.company_id not in (None, later.source.company_id):
        names.append("company")
    for name in names:
        yield Finding("chain_question", place, f"its {name} differs from that of {before.path}")


def head_findings(heads: Iterable[str], expected: str) -> Iterator[Finding]:
    """Yield that the last of the heads of exports, in order, is not the one that was expected."""
    heads = list(heads)
    if not heads:
        yield Finding("head", CHAIN, f"there is no export with the head {expected}")
    elif heads[-1] != expected:
        later = "; it is the head of an earlier one" if expected in heads else ""
        yield Finding("head", CHAIN, f"the head is {heads[-1]}, not {expected}{later}")


def period_findings(checks: Sequence[ExportCheck], expected: Window) -> Iterator[Finding]:
    """Yield the parts of a window with two bounds that exports together do not cover."""
    reached, end = expected.since_text, expected.until_text
    manifests = [check.manifest for check in checks if check.manifest]
    companies = {one.source.company_id for one in manifests} - {None}
    if len(companies) > 1 or any(_asked(one) != _asked(manifests[0]) for one in manifests):
        what = "companies" if len(companies) > 1 else "sources or filters"
        yield Finding("period", CHAIN, f"the exports have different {what}, and cover no time together")
    periods = sorted((manifest.period for manifest in manifests), key=lambda p: p.requested_since or "")
    for period in periods:
        since = period.requested_since or ""
        if since > reached and reached < end:
            yield Finding("period", CHAIN, f"nothing covers the time from {reached} until {min(since, end)}")
        reached = max(reached, period.effective_until)
    if reached < end:
        yield Finding("period", CHAIN, f"nothing covers the time from {reached} until {end}")


def _asked(manifest: Manifest) -> tuple[object, ...]:
    return manifest.source.base_url, manifest.source.environment, manifest.query


def requirement_findings(
    manifest: Manifest | None, required: Iterable[str], *, is_signed: bool, is_anchored: bool, is_chain: bool
) -> Iterator[Finding]:
    """Yield which of the requirements, as `REQUIREMENTS` names them, an export or a proof does not meet.

    Nothing where there is no manifest, which is a finding by itself.
    """
    if manifest is None:
        return
    met = {
        "signed": is_signed,
        "anchored": is_anchored,
        "complete": manifest.completeness.status == "complete",
        "csv": manifest.csv is not None,
        "redacted": manifest.redaction.method != "none",
        "chained": is_chain,
    }
    for name in required:
        if not met[name]:
            yield Finding("requirement", "--require", f"it is not {_WORDS.get(name, name)}")
