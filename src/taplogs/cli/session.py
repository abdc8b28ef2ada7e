"""One command's dependencies, built from its options when they are first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taplogs.cli.options import BackendOptions, DisplayOptions, FilterOptions, SourceOptions, settings_flags
from taplogs.cli.runtime import Runtime
from taplogs.core.apikey import mask_keys
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.query import LogQuery
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import ConfigurationError, EmptyResult, UsageError
from taplogs.output.terminal import Messages, Output, screen_of
from taplogs.settings import ConfigFile, Settings, config_path
from taplogs.sources.address import BackendAddress
from taplogs.sources.locate import Reach, Surroundings
from taplogs.sources.place import DEMO, DEMO_ARCHIVE, Kind, Place
from taplogs.zone import in_zone, time_zone

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from taplogs.archive.sync_state import SyncState
    from taplogs.cli.ending import End
    from taplogs.core.entry import LogEntry
    from taplogs.core.gap import Gap
    from taplogs.core.redact import Redactor
    from taplogs.core.redaction_profile import Profile
    from taplogs.core.timespan import Window
    from taplogs.credentials import Credential, StoredFile
    from taplogs.output.progress import Progress
    from taplogs.pseudonym_key import PseudonymKey
    from taplogs.sources.protocol import EntryStore, LogSource


class Session:
    """Settings, streams and the source of one command."""

    def __init__(
        self,
        runtime: Runtime,
        source: BackendOptions,
        display: DisplayOptions,
        *,
        redaction: str = "redact",
        **flags: object,
    ) -> None:
        """Take what the run is given and what the options say.

        `redaction` is the setting that says what is hidden; `flags` are further settings that the command's own
        options say, by name.
        """
        self.runtime = runtime
        self._redaction = redaction
        self._flags = flags
        self._source = source
        self._display = display
        self._opened: LogSource | None = None
        self._progress: Progress | None = None
        self.retries = 0
        self.left_out: list[str] = []

    @cached_property
    def settings(self) -> Settings:
        """The settings of this run."""
        config = ConfigFile.read(config_path(self.runtime.environ))
        flags = settings_flags(self._source, self._display) | self._flags
        return Settings(flags, self.runtime.environ, config)

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone that times are read and shown in."""
        found = self.settings.resolve("tz")
        return time_zone(found.value, found.origin, self.runtime.environ)

    @cached_property
    def templates(self) -> EndpointTemplates:
        """The endpoint templates, the company's own first."""
        return EndpointTemplates(self.settings.get("endpoint_templates"))

    @cached_property
    def output(self) -> Output:
        """Standard output."""
        stream = self.runtime.stdout
        return Output(stream, screen_of(stream, self.runtime.environ, self.color))

    @cached_property
    def messages(self) -> Messages | None:
        """Standard error; None where it is closed."""
        stream = self.runtime.err
        return Messages(stream, screen_of(stream, self.runtime.environ, self.color)) if stream else None

    @cached_property
    def color(self) -> str:
        """When output is coloured; an error that ends the run goes by it too."""
        color: str = self.settings.get("color")
        self.runtime.color = color
        return color

    @cached_property
    def address(self) -> BackendAddress:
        """The logging backend of this run, or the one that the archive is of; raises UsageError where there is none."""
        place, base_url = self.place, self.settings.get("base_url")
        if place and place.kind is Kind.BACKEND:
            base_url = place.text
        elif place and (place.kind is not Kind.ARCHIVE or place == DEMO_ARCHIVE):
            raise UsageError(f"{place.text} is no backend", "leave --source out, or give a backend's URL")
        if base_url is None:
            profile = self.settings.profile
            raise ConfigurationError(
                f"the profile {profile!r} names no backend",
                f"'taplogs config set base_url URL --profile {profile}' does, --source URL for one run",
            )
        return BackendAddress(base_url, self.settings.get("logs_path"))

    @cached_property
    def place(self) -> Place | None:
        """What --source names; None is the profile's backend."""
        return self._source.place

    @property
    def asks_backend(self) -> bool:
        """Whether entries come from a backend that wants an API key."""
        return self.place is None or self.place.kind is Kind.BACKEND

    @property
    def is_strict(self) -> bool:
        """Whether a line of a file that is no entry ends the run."""
        return isinstance(self._source, SourceOptions) and self._source.strict

    @property
    def verifies(self) -> bool:
        """Whether an export's folder is verified before it is read."""
        return not (isinstance(self._source, SourceOptions) and self._source.no_verify)

    @property
    def archive_path(self) -> Path:
        """The store of the archive that holds the entries of this profile and its backend, or those of the demo."""
        from taplogs.archive.place import archive_path, demo_path

        folder = self.settings.get("archive")
        if self.place in (DEMO, DEMO_ARCHIVE):
            return demo_path(folder)
        return archive_path(folder, self.settings.profile, self.address)

    @cached_property
    def stored_keys(self) -> StoredFile:
        """The file of keys that were stored without a keyring."""
        from taplogs.credentials import stored_file

        return stored_file(self.settings.config.path)

    @cached_property
    def credential(self) -> Credential:
        """The API key for the backend and its origin; raises AuthenticationError."""
        from taplogs.credentials import find_credential

        return find_credential(self.address, self.runtime.environ, self.settings.get("key_file"), self.stored_keys)

    @cached_property
    def redaction_profile(self) -> Profile:
        """What is hidden of entries; raises ConfigurationError where it cannot be told."""
        from taplogs.redaction_file import profile_named

        return profile_named(self.settings.get(self._redaction))

    @cached_property
    def pseudonym_key(self) -> PseudonymKey:
        """The key of pseudonyms and its origin; raises ConfigurationError."""
        from taplogs.pseudonym_key import find_pseudonym_key

        runtime = self.runtime
        return find_pseudonym_key(runtime.environ, self.settings.get("pseudonym_key_file"), runtime.random_bytes)

    @cached_property
    def redactor(self) -> Redactor:
        """What redacts the entries of `source`. A key is looked for only where the profile makes pseudonyms."""
        from taplogs.core.redact import Redactor

        if not self.redaction_profile.pseudonyms:
            return Redactor(self.redaction_profile, b"")
        if not self.pseudonym_key.is_lasting:
            from taplogs.pseudonym_key import LASTING_HINT

            self.notice(f"pseudonyms hold for this run only: {LASTING_HINT}")
        return Redactor(self.redaction_profile, self.pseudonym_key.key)

    def redactor_with(self, key: bytes) -> Redactor:
        """Return the session's redactor made anew with this key, for an export that goes on as it began.

        From now on it is the one that `redactor` gives and `source` uses, without a word about how long the key lasts.
        """
        from taplogs.core.redact import Redactor

        self.redactor = Redactor(self.redaction_profile, key)
        return self.redactor

    @contextmanager
    def source(self, *, follow_until: End | None = None) -> Iterator[LogSource]:
        """Give the source of entries, which are redacted, and close it.

        `follow_until` is when following it ends: until then outages are waited out, however long, and the demo goes on.
        """
        redactor = None if self.redaction_profile.hides_nothing else self.redactor  # faults are told before all else
        with self.unredacted_source(follow_until=follow_until) as source:
            if redactor is None:
                yield source
            else:
                from taplogs.sources.redacted import RedactedSource

                yield RedactedSource(source, redactor)

    @contextmanager
    def unredacted_source(self, *, follow_until: End | None = None) -> Iterator[LogSource]:
        """Give the source of entries as they were sent, and close it: for those who redact them themselves."""
        from taplogs.cli.opening import open_source

        source = self._opened = open_source(self, follow_until)
        try:
            yield source
        finally:
            source.close()

    @cached_property
    def sync_states(self) -> tuple[SyncState, ...]:
        """How far the open source is in step with where its entries come from: for stores that sync fills alone."""
        place = self.place
        if place is None or place.kind not in (Kind.ARCHIVE, Kind.SQLITE, Kind.CLICKHOUSE):
            return ()
        from taplogs.archive.sync_state import SyncState, decode_state

        states = tuple(map(decode_state, cast("EntryStore", self._opened).states().values()))
        if not states and place.kind is Kind.ARCHIVE:  # its first sync failed before anything came
            return (SyncState("", self.settings.profile),)
        return states

    def gaps(self, window: Window) -> tuple[Gap, ...]:
        """Return what of a window, up to now, the open source lacks as far as is known: of others than stores nothing.

        It is looked up before the entries are read, so that what is synced meanwhile counts as missing still. A window
        without a beginning begins where the store does.
        """
        if not self.sync_states:
            return ()
        from taplogs.archive.coverage import Span
        from taplogs.archive.gaps import gaps_of

        now = format_timestamp(self.runtime.clock())
        return gaps_of(self.sync_states, Span(window.since_text, min(window.until_text or now, now)))

    def tell_gaps(self, window: Window, name: str = "this window") -> tuple[Gap, ...]:
        """Say what of a window is missing in the open source, and return it; `name` is the window's in words."""
        if gaps := self.gaps(window):
            from taplogs.cli.gap_words import notice_of

            if notice := notice_of(self, window, gaps, name):
                self.notice(notice)
        return gaps

    @property
    def surroundings(self) -> Surroundings:
        """What a source takes from outside."""
        return Surroundings(self.runtime.clock, self.runtime.sleep, self.runtime.random, self)

    @property
    def reach(self) -> Reach:
        """How the backend is reached."""
        get = self.settings.get
        return Reach(get("ca_file"), get("parallel"), get("timeout"), get("max_wait"))

    def resolve(self, query: LogQuery, filters: FilterOptions, source: LogSource) -> LogQuery:
        """Return `query` over the window of `filters`, resolved by the source's clock and told to a person."""
        window = filters.window(source.now() if filters.is_relative else self.runtime.clock(), self.zone)
        if window.since or window.until:
            self.tell_window(window)
        self.tell_gaps(window)
        return query.within(window)

    def tell_window(self, window: Window, label: str = "", rest: str = "") -> None:
        """Tell a person which window is read."""
        if self.messages and self.messages.screen.is_terminal:
            since = self.local(window.since) if window.since else "the beginning"
            until = self.local(window.until) if window.until else "now"
            self.notice(f"{label}from {since} until {until}{rest}")

    def local(self, instant: datetime) -> str:
        """Return a time as people read it, in the time zone of this run."""
        return in_zone(instant, self.zone).isoformat(" ", "seconds")

    def with_progress(self, batches: Iterator[list[LogEntry]]) -> Iterator[list[LogEntry]]:
        """Return the batches, their progress shown where a person waits and sees no rows."""
        progress = self._begin_progress()
        return progress.follow(batches, until_first=self.output.screen.is_terminal) if progress else batches

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show how far a source is that is read from within the block, where a person waits."""
        progress = self._begin_progress()
        try:
            yield
        finally:
            if progress:
                progress.clear()

    def _begin_progress(self) -> Progress | None:
        messages = self.messages
        if messages and messages.screen.is_terminal:
            from taplogs.output.progress import Progress

            self._progress = Progress(messages.write_raw, self.runtime.monotonic, messages.screen.width or 80)
        return self._progress

    def tell_empty(self, query: LogQuery, is_failure: bool) -> None:
        """Say that nothing matched, and which filters are on; raises EmptyResult where that is a failure."""
        message = f"no entries match{self.filters_on(query)}"
        if is_failure:
            raise EmptyResult(message, "--fail-on-empty makes this a failure")
        self.notice(message)

    def filters_on(self, query: LogQuery) -> str:
        """Return which filters are on, in parentheses after a space; empty without any."""
        active = [f"{item.option} {item}" for item in query.filters]
        active += [f"since {self.local(query.window.since)}"] if query.window.since else []
        active += [f"until {self.local(query.window.until)}"] if query.window.until else []
        return f" ({', '.join(active)})" if active else ""

    def notice(self, message: str) -> None:
        """Tell the user something that is not an error, on standard error."""
        if self.messages:
            if self._progress:
                self._progress.clear()
            self.messages.write(message)

    def leave_out(self, message: str) -> None:
        """Tell the user that something of what is read is left out, and remember it: what is made is not whole."""
        self.left_out.append(message)
        self.notice(message)

    def suggest(self, command: str) -> None:
        """Show a command to copy, on standard error: in one piece, however wide the terminal is."""
        if self.messages:
            self.messages.write_raw(f"  {mask_keys(self.messages.screen.clean(command))}\n")

    def expect(self, total: int) -> None:
        """Take note of how many entries are to be read."""
        if self._progress:
            self._progress.total = total

    def begin_work(self, done: str, total: int | None = None) -> None:
        """Have the progress that is shown begin anew, with another work; `done` is what it does to entries: `read`."""
        if self._progress:
            self._progress.begin(done, total)

    def receive(self, count: int) -> None:
        """Take note of how many more were read."""
        if self._progress:
            self._progress.receive(count)

    def retried(self) -> None:
        """Take note that a request is tried again."""
        self.retries += 1

    def debug(self, message: str) -> None:
        """Show what goes over the wire, where --debug asks for it."""
        if self._display.debug:
            self.notice(f"debug: {message}")
