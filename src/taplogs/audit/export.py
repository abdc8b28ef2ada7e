"""An export while its entries are read: put in order, redacted, written, and kept so that another run can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from taplogs.audit.canonical import manifest_text
from taplogs.audit.checkpoint import Beginning, Checkpoint, Progress
from taplogs.audit.export_folder import ExportFolder
from taplogs.audit.manifest import Key
from taplogs.audit.records_file import RecordsFile
from taplogs.audit.total_order import TotalOrder
from taplogs.core.entry import LogEntry
from taplogs.core.export_names import RECORDS
from taplogs.core.gap import Gap
from taplogs.core.query import LogQuery
from taplogs.core.redact import Redactor
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import TaplogsError, UsageError
from taplogs.sources.protocol import LogSource

_COMPANIES_TOLD = 2
_WRITTEN_AT_ONCE = 1000

Batches = Iterator[list[LogEntry]]

_company = attrgetter("company_id")


class Pace(Struct, frozen=True):
    """How much work a run that is killed may lose: so many rows or seconds of it."""

    rows: int = 20_000
    seconds: float = 2.0


class Export:
    """The records of an export, from its beginning or from where another run ended. Its folder is held meanwhile."""

    def __init__(
        self,
        folder: ExportFolder,
        beginning: Beginning,
        redactor: Redactor,
        *,
        monotonic: Callable[[], float],
        retries: Callable[[], int],
        pace: Pace = Pace(),  # noqa: B008 - frozen
    ) -> None:
        """`redactor` makes what is written, and counts it; `retries` returns how many there were in this run."""
        self.folder = folder
        self.beginning = beginning
        self.progress = Progress()
        self.records = RecordsFile(folder.partial / RECORDS)
        self._redactor = redactor
        self._monotonic = monotonic
        self._retries = retries
        self._pace = pace
        self._kept_at = monotonic()
        self._kept_rows = 0

    def begin(self) -> None:
        """Begin with nothing; raises OSError."""
        self.records.begin()
        self._redactor.counts.clear()
        self.keep()

    def resume(self, progress: Progress, told: Callable[[int], None]) -> None:
        """Go on from `progress`; raises TaplogsError where what was written has changed since."""
        self.records.resume(progress.extent, told)
        self._redactor.counts.clear()
        self._redactor.counts.update(progress.redacted)
        before, now = progress.retries, self._retries
        self._retries = lambda: before + now()
        self.progress = progress

    def read(
        self, source: LogSource, query: LogQuery, company: str | None, until: Callable[[Batches], Batches]
    ) -> None:
        """Read the rest of `query`, oldest first, all of it, from `source`, whose entries are not redacted.

        `company`: the one that every entry must be of. `until` ends the batches early. What was read before an error
        counts; `keep` keeps it.
        """
        last = self.progress.last
        if last is not None:
            query = query.within(Window(parse_timestamp(last.timestamp), query.window.until))
        order = TotalOrder(after=last)
        duplicates = self.progress.duplicates_dropped
        for batch in until(self._gathered(order.sort(self._pages(source.batches(query))))):
            redacted = self._redactor.redact_all(batch)
            self._refuse_other_company(redacted, company)
            self.records.append(redacted)
            self._advance(redacted, duplicates + order.duplicates)
            if self._is_due:
                self.keep()

    def end(self, left_out: Iterable[str] = ()) -> None:
        """Take note that the source had no more, and what it left out, in words; raises OSError."""
        self._leave_out(left_out)
        self.progress = replace(self.progress, end_seen=True)
        self.keep()

    def keep(self) -> None:
        """Have all that was read outlast whatever happens next; raises OSError."""
        self.records.sync()
        self.progress = replace(self.progress, extent=self.records.extent, retries=self._retries())
        Checkpoint(self.beginning, self.progress).write(self.folder.partial)
        self._kept_at, self._kept_rows = self._monotonic(), self.records.rows

    def rescue(self) -> None:
        """Keep what was read, where that is possible still; what was kept before is kept in any case."""
        try:
            self.records.cut()
            self.keep()
        except OSError:
            pass

    def broken_off(self, reason: str, left_out: Iterable[str] = ()) -> tuple[Gap, ...]:
        """Return what of the period is missing where the run ends here; `reason` may repeat what a backend wrote."""
        self._leave_out(left_out)
        return (*self.left_out, Gap(self.rest_since, self.beginning.effective_until, self._text(reason)))

    @property
    def rest_since(self) -> str | None:
        """Where that begins which is still to be read, as a canonical timestamp; None is the beginning."""
        last = self.progress.last
        return last.timestamp if last else self.beginning.requested_since

    @property
    def left_out(self) -> tuple[Gap, ...]:
        """What the source could not read: where in the period that would have been, nobody knows."""
        beginning = self.beginning
        since, until = beginning.requested_since, beginning.effective_until
        return tuple(Gap(since, until, reason) for reason in self.progress.left_out)

    def _leave_out(self, reasons: Iterable[str]) -> None:
        known = self.progress.left_out
        self.progress = replace(self.progress, left_out=tuple(dict.fromkeys([*known, *map(self._text, reasons)])))

    def _text(self, reason: str) -> str:
        return manifest_text(reason, self._redactor)

    def _pages(self, batches: Batches) -> Batches:
        for batch in batches:
            if batch:
                self.progress = replace(self.progress, pages=self.progress.pages + 1)
            yield batch

    def _gathered(self, batches: Batches) -> Batches:
        """Yield larger batches, which cost less to write; also what came before an error, and before it is raised."""
        gathered: list[LogEntry] = []
        try:
            for batch in batches:
                gathered += batch
                if len(gathered) >= _WRITTEN_AT_ONCE or self._is_late:
                    yield gathered
                    gathered = []
        except TaplogsError:
            if gathered:
                yield gathered
            raise
        if gathered:
            yield gathered

    def _advance(self, batch: list[LogEntry], duplicates: int) -> None:
        progress = self.progress
        first, last = batch[0], batch[-1]
        companies = progress.companies
        if len(companies) < _COMPANIES_TOLD:
            companies = tuple(dict.fromkeys([*companies, *map(_company, batch)]))[:_COMPANIES_TOLD]
        self.progress = replace(
            progress,
            first=progress.first or Key(first.timestamp, first.id),
            last=Key(last.timestamp, last.id),
            companies=companies,
            duplicates_dropped=duplicates,
            redacted=dict(self._redactor.counts),
        )

    @property
    def _is_late(self) -> bool:
        return self._monotonic() - self._kept_at >= self._pace.seconds

    @property
    def _is_due(self) -> bool:
        return self._is_late or self.records.rows - self._kept_rows >= self._pace.rows

    @staticmethod
    def _refuse_other_company(batch: list[LogEntry], company: str | None) -> None:
        others = set(map(_company, batch)) - {company} if company is not None else ()
        if others:
            raise UsageError(
                f"the entries are not all of the company {company!r}, as those of the export before are",
                "a chain is of one company; its API key reads it, or --company-id",
            )
