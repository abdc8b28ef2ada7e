"""The options that commands share, each declared once, and the LogQuery that the filters make."""

from collections.abc import Collection
from datetime import datetime, tzinfo
from typing import Annotated, Any

from msgspec import Struct
from typer import Option

from taplogs.cli.panels import DISPLAY, FILTERS, OUTPUT, SOURCE
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.filters import (
    ClientFilter,
    CompanyFilter,
    EndpointFilter,
    GrepFilter,
    IpFilter,
    LatencyFilter,
    MethodFilter,
    StatusFilter,
    UrlFilter,
    UserAgentFilter,
)
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window, is_relative, parse_window
from taplogs.errors import UsageError
from taplogs.output.records import REPORT_FORMATS, report_format
from taplogs.output.terminal import Screen
from taplogs.sources.place import DEMO, DEMO_ARCHIVE, Kind, Place, place_named

Texts = list[str] | None


class FilterOptions(Struct, frozen=True):
    """Which entries: the same on every command that reads them."""

    status: Annotated[
        Texts,
        Option(
            "--status",
            "-s",
            metavar="STATUS",
            help="4xx, 404, 400-404, ok, error, !404; comma-separated.",
            rich_help_panel=FILTERS,
        ),
    ] = None
    method: Annotated[
        Texts, Option("--method", "-m", metavar="METHOD", help="GET,POST or !OPTIONS.", rich_help_panel=FILTERS)
    ] = None
    since: Annotated[
        str | None,
        Option(
            "--since",
            metavar="TIME",
            help="From this time on: 15m, 2d, 1d12h, today, monday, 2026-11-01T10:00.",
            rich_help_panel=FILTERS,
        ),
    ] = None
    until: Annotated[
        str | None, Option("--until", metavar="TIME", help="Before this time; +10m is ahead.", rich_help_panel=FILTERS)
    ] = None
    endpoint: Annotated[
        Texts,
        Option(
            "--endpoint",
            "-e",
            metavar="PATH",
            help="A template (/v1/partner/jobs/{id}) or a glob ('/v1/partner/jobs/*') on the path.",
            rich_help_panel=FILTERS,
        ),
    ] = None
    url: Annotated[
        Texts, Option("--url", metavar="TEXT", help="Text within the request URL.", rich_help_panel=FILTERS)
    ] = None
    latency: Annotated[
        Texts, Option("--latency", metavar="RANGE", help="'>500ms', '>=1s', 200ms-2s.", rich_help_panel=FILTERS)
    ] = None
    ip: Annotated[
        Texts,
        Option(
            "--ip", metavar="ADDRESS", help="An address or a block such as 203.0.113.0/24.", rich_help_panel=FILTERS
        ),
    ] = None
    user_agent: Annotated[
        Texts, Option("--user-agent", metavar="TEXT", help="Text within the user agent.", rich_help_panel=FILTERS)
    ] = None
    client_id: Annotated[
        Texts, Option("--client-id", metavar="ID", help="Exactly this client.", rich_help_panel=FILTERS)
    ] = None
    company_id: Annotated[
        Texts, Option("--company-id", metavar="ID", help="Exactly this company.", rich_help_panel=FILTERS)
    ] = None
    grep: Annotated[
        Texts,
        Option(
            "--grep",
            "-g",
            metavar="REGEX",
            help="A regular expression over URL, user agent and payloads; smart case.",
            rich_help_panel=FILTERS,
        ),
    ] = None

    @property
    def is_relative(self) -> bool:
        """Whether the window depends on what time it is now."""
        return is_relative(self.since) or is_relative(self.until)

    def query(self, templates: EndpointTemplates) -> LogQuery:
        """Return the filters as a query over all time, newest first; raises UsageError."""
        return LogQuery(
            status=StatusFilter.parse(self.status) if self.status else None,
            method=MethodFilter.parse(self.method) if self.method else None,
            endpoint=_endpoint(self.endpoint, templates),
            url=UrlFilter.parse(self.url) if self.url else None,
            latency=LatencyFilter.parse(self.latency) if self.latency else None,
            ip=IpFilter.parse(self.ip) if self.ip else None,
            user_agent=UserAgentFilter.parse(self.user_agent) if self.user_agent else None,
            client=ClientFilter.parse(self.client_id) if self.client_id else None,
            company=CompanyFilter.parse(self.company_id) if self.company_id else None,
            grep=GrepFilter.parse(self.grep) if self.grep else None,
            order=Order.NEWEST_FIRST,
        )

    def window(self, now: datetime, zone: tzinfo) -> Window:
        """Return the window between --since and --until; raises UsageError."""
        return parse_window(self.since, self.until, now=now, zone=zone)


def _endpoint(texts: Texts, templates: EndpointTemplates) -> EndpointFilter | None:
    if not texts:
        return None
    parsed = EndpointFilter.parse(texts)
    return EndpointFilter(parsed.wanted, parsed.unwanted, templates)


def format_option(unless_named: str) -> Any:
    """Return the option --output of a format; `unless_named` says which it is without."""
    return Option(
        "--output",
        "-o",
        metavar="FORMAT",
        help=f"{', '.join(REPORT_FORMATS[:-1])} or {REPORT_FORMATS[-1]}; {unless_named}.",
        rich_help_panel=OUTPUT,
    )


def by_option(groups: str, panel: str = OUTPUT) -> Any:
    """Return the option --by; `groups` says what there is for each group."""
    return Option("--by", metavar="NAMES", help=groups, rich_help_panel=panel)


def top_option(most: str) -> Any:
    """Return the option --top; `most` says of what, and how many without."""
    return Option("--top", metavar="N", min=0, help=most, rich_help_panel=OUTPUT)


def limit_option(most: str) -> Any:
    """Return the option --limit; `most` says of what, and how many without."""
    return Option("--limit", "-n", metavar="N", help=most, rich_help_panel=OUTPUT)


Format = Annotated[str | None, format_option("a table on a terminal, jsonl in a pipe")]
"""For a parameter `output`; see `output.records.report_format`."""

FailOnEmpty = Annotated[bool, Option("--fail-on-empty", help="Exit 3 where nothing matches.", rich_help_panel=OUTPUT)]
"""For a parameter `fail_on_empty`; see `Session.tell_empty`."""

Compare = Annotated[
    str | None,
    Option(
        "--compare",
        metavar="[A..B]",
        help="Beside the window before, of the same length, or beside A..B.",
        rich_help_panel=OUTPUT,
    ),
]
"""For a parameter `compare`; see `core.comparison.compared_window`."""


class OutputOptions(Struct, frozen=True):
    """How a listing is written."""

    output: Format = None
    columns: Annotated[
        str | None,
        Option(
            "--columns",
            metavar="NAMES",
            help="Columns or members, comma-separated, such as timestamp,status,url.",
            rich_help_panel=OUTPUT,
        ),
    ] = None

    def format_for(self, screen: Screen) -> str:
        """Return the name of the format; raises UsageError for one that does not exist."""
        return report_format(self.output, screen)


class CsvOptions(Struct, frozen=True):
    """How CSV is written."""

    csv_raw: Annotated[
        bool,
        Option("--csv-raw", help="CSV: text as sent, even what a spreadsheet runs.", rich_help_panel=OUTPUT),
    ] = False
    excel: Annotated[
        bool, Option("--excel", help="CSV: with the mark by which Excel knows UTF-8.", rich_help_panel=OUTPUT)
    ] = False

    def refuse_without_csv(self, written: Collection[str]) -> None:
        """Raise UsageError where an option is given and CSV is not among the formats `written`."""
        for option, given in (("--csv-raw", self.csv_raw), ("--excel", self.excel)):
            if given and "csv" not in written:
                raise UsageError(f"{option} is about CSV, and none is written", "add csv to the output format")


class BackendOptions(Struct, frozen=True):
    """Where entries come from, and how it is reached."""

    source: Annotated[
        Texts,
        Option(
            "--source",
            metavar="SOURCE",
            help="A backend's URL, archive, a file, - (stdin), sqlite:PATH, clickhouse://…; the profile's without it.",
            rich_help_panel=SOURCE,
        ),
    ] = None
    demo: Annotated[
        bool,
        Option(
            "--demo",
            help="Made-up entries; no key, no network. With --source archive: its archive.",
            rich_help_panel=SOURCE,
        ),
    ] = False
    profile: Annotated[
        str | None,
        Option(
            "--profile",
            "-p",
            metavar="NAME",
            help="production, sandbox, or your own (taplogs config list).",
            rich_help_panel=SOURCE,
        ),
    ] = None
    key_file: Annotated[
        str | None, Option("--key-file", metavar="FILE", help="A file that holds the API key.", rich_help_panel=SOURCE)
    ] = None
    ca_file: Annotated[
        str | None,
        Option("--ca-file", metavar="FILE", help="PEM certificates to trust as well.", rich_help_panel=SOURCE),
    ] = None
    parallel: Annotated[
        str | None,
        Option("--parallel", metavar="N", help="Slices of a long listing read at once (4).", rich_help_panel=SOURCE),
    ] = None
    timeout: Annotated[
        str | None,
        Option("--timeout", metavar="SECONDS", help="The longest one request may take (60).", rich_help_panel=SOURCE),
    ] = None
    max_wait: Annotated[
        str | None,
        Option(
            "--max-wait",
            metavar="SECONDS",
            help="The longest to wait for retries in all (60).",
            rich_help_panel=SOURCE,
        ),
    ] = None

    @property
    def place(self) -> Place | None:
        """What the entries' source was named on the command line; raises UsageError for two names at once."""
        named = place_named(self.source) if self.source else None
        if not self.demo:
            return named
        if named is None or named == DEMO:
            return DEMO
        if named.kind is Kind.ARCHIVE:
            return DEMO_ARCHIVE
        raise UsageError(
            "--demo and --source name two sources",
            "give one of them; beside --demo, --source archive is the demo's archive",
        )


class SourceOptions(BackendOptions, frozen=True):
    """Where entries come from, and what of them is hidden: for every command that reads them."""

    strict: Annotated[
        bool,
        Option("--strict", help="Of files: a line that is no entry ends the run.", rich_help_panel=SOURCE),
    ] = False
    no_verify: Annotated[
        bool,
        Option("--no-verify", help="Of an export's folder: read it unverified.", rich_help_panel=SOURCE),
    ] = False
    redact: Annotated[
        str | None,
        Option(
            "--redact",
            metavar="PROFILE",
            help="What to hide: none, secrets (for reading), personal (for export), or a TOML file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    pseudonym_key_file: Annotated[
        str | None,
        Option(
            "--pseudonym-key-file",
            metavar="FILE",
            help="A file that holds the key of pseudonyms.",
            rich_help_panel=OUTPUT,
        ),
    ] = None


class DisplayOptions(Struct, frozen=True):
    """How this run shows things."""

    tz: Annotated[
        str | None,
        Option(
            "--tz",
            metavar="ZONE",
            help="The time zone you read and type times in, such as Europe/Berlin.",
            rich_help_panel=DISPLAY,
        ),
    ] = None
    color: Annotated[
        str | None, Option("--color", metavar="WHEN", help="auto, always or never.", rich_help_panel=DISPLAY)
    ] = None
    debug: Annotated[
        bool,
        Option("--debug", help="Show requests, and where an unexpected error came from.", rich_help_panel=DISPLAY),
    ] = False


def settings_flags(*groups: Any) -> dict[str, object]:
    """Return what the options of these groups say, by the name of the setting they override."""
    return {name: getattr(group, name) for group in groups for name in group.__struct_fields__}
