"""Whose the entries are: an API key that is another one than before has to show that it is of the same company.

To a key of another company the time that a store has not covered would seem to hold other entries, or nothing, and
would be taken for covered.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.errors import EntryNotFound, UsageError
from taplogs.sources.protocol import LogSource

_OWN_PROFILE = "a profile of its own (--profile), which has an archive of its own"

_company = attrgetter("company_id")


class OtherCompany(UsageError):
    """The entries belong to another company than those that a store holds, or nothing shows that they do not."""


def companies_of(batch: Iterable[LogEntry]) -> set[str]:
    """Return the companies that entries name; an entry may name none."""
    return {company for company in map(_company, batch) if company is not None}


def refuse_unless_same_company(source: LogSource, newest: LogEntry, known: frozenset[str]) -> None:
    """Raise OtherCompany unless the key that `source` reads with is of the company whose entries a store holds.

    It is where it sees the store's newest entry: what is stored is redacted, but ids and times never are. A backend may
    have forgotten that one; then the newest entry that the key sees has to name one of the companies that are known.
    """
    if _sees(source, newest):
        return
    seen = [entry for batch in source.batches(LogQuery(limit=1, payloads=False)) for entry in batch]
    if not seen:
        raise OtherCompany(
            f"{_difference(known)}, and the backend shows it no entry that would tell whose it is",
            f"sync again as soon as it has one, or give the key {_OWN_PROFILE}",
        )
    if not companies_of(seen):
        raise OtherCompany(
            f"{_difference(known)}; it does not see the newest of them, and the newest that it sees names no company",
            f"sync with the key of before, or give this one {_OWN_PROFILE}",
        )
    refuse_others(seen, known)


def refuse_others(batch: Iterable[LogEntry], known: frozenset[str]) -> None:
    """Raise OtherCompany where entries that another key reads name a company that is not known."""
    others = companies_of(batch) - known
    if others:
        raise OtherCompany(
            f"{_difference(known)}, and it reads entries of another company: {min(others)!r}",
            f"give each company {_OWN_PROFILE}",
        )


def _sees(source: LogSource, entry: LogEntry) -> bool:
    try:
        return source.get(entry.id).timestamp == entry.timestamp
    except EntryNotFound:
        return False


def _difference(known: frozenset[str]) -> str:
    more = f" and {len(known) - 1:,} more" if len(known) > 1 else ""
    whose = f"of the company {min(known)!r}{more}" if known else "that name no company"
    return f"the archive holds entries {whose}; the API key is another one than before"
