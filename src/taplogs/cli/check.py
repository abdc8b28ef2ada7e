"""taplogs check: assertions about requests, for people and for CI."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from taplogs.cli.again import without_options
from taplogs.cli.assertion_options import AssertionOptions
from taplogs.cli.command import build_command
from taplogs.cli.comparison import with_compared_window
from taplogs.cli.gap_words import age_of_end, remedy, words_of
from taplogs.cli.measuring import Measurement, asked_for, measure, summarised, tell_coarse, tell_overflow
from taplogs.cli.options import (
    Compare,
    DisplayOptions,
    FilterOptions,
    SourceOptions,
    by_option,
    format_option,
    top_option,
)
from taplogs.cli.panels import ASSERTIONS, OUTPUT
from taplogs.cli.session import Session
from taplogs.core.assertions import (
    LATENCIES,
    MEASURES,
    NEW_ERRORS,
    NEW_ERRORS_BY,
    Finding,
    Outcome,
    Scope,
    Verdict,
    evaluate,
    refuse_constant_shares,
    scopes_of,
)
from taplogs.core.comparison import BEFORE
from taplogs.core.dimensions import DIMENSION_NAMES, Dimension, dimensions_named
from taplogs.core.error_comparison import new_groups
from taplogs.core.error_groups import group_errors, only_errors
from taplogs.core.gap import Gap
from taplogs.core.stats import Grouping, Summary
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import AssertionUnmet, IncompleteWindow, UsageError
from taplogs.output.curl import shell_word
from taplogs.output.records import report_format, write_records
from taplogs.output.wording import counted
from taplogs.sources.protocol import LogSource

_EPILOG = """\b
Limits are inclusive: of 100 requests one error is 1%. A percentile is exact, by nearest rank. New
errors are groups, as 'taplogs errors' makes them, that the window before does not have.

\b
Fewer requests than --min-requests (for a latency: with a known one) are no pass but a verdict of
their own, "too few", and a failure unless --allow-few is given. One request is the least.

\b
Exit code 3 says that an assertion does not hold; every other failure has another one. A store that
sync fills may lack a part of the window, or of the one before: then nothing passes, exit code 7.
Without --until, up to 5% at the end may be missing: 'taplogs sync' runs before.

\b
Examples:
  taplogs check --since 1d --max-error-rate 5% --max-p95 800ms
  taplogs check --since 1h --max-server-error-rate 0.1% --min-requests 100 --by endpoint
  taplogs check --since 1d --max-new-errors 0
  taplogs check --since 1d --max-p99 2s --junit report.xml --github
"""

_TOP = 50
_MOST_MISSING = 0.05
"""How much of a window may be missing at its end, where that is now: so long before it was synced."""

_ANOTHER = "a window that is all there can be named with --since and --until"

_MEND = "mend what is left out, or take it out of the file"

_FLAGS = ("--github", "--allow-few")
_OWN_OPTIONS = (*(measure.option for measure in MEASURES), "--by", "--compare", "--top", "--junit", "--output", "-o")


def check(
    context: typer.Context,
    asserted: AssertionOptions,
    filters: FilterOptions,
    source: SourceOptions,
    display: DisplayOptions,
    by: Annotated[
        str | None,
        by_option(
            f"Each assertion for each endpoint, too; or for one or two of {', '.join(DIMENSION_NAMES)}.", ASSERTIONS
        ),
    ] = None,
    compare: Compare = None,
    allow_few: Annotated[
        bool, typer.Option("--allow-few", help="Too few requests are no failure.", rich_help_panel=ASSERTIONS)
    ] = False,
    output: Annotated[str | None, format_option("a table in a pipe, too")] = None,
    top: Annotated[int | None, top_option(f"So many lines of the table; 0 for all ({_TOP}).")] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report.", rich_help_panel=OUTPUT)
    ] = None,
    github: Annotated[
        bool,
        typer.Option("--github", help="Annotate the run of GitHub Actions, on standard error.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Check assertions about requests, and exit 3 where one does not hold.

    Prints a table of what was measured, for every assertion and its limit; what fails comes first.
    """
    session = Session(context.obj, source, display)
    format_name = report_format(output or "table", session.output.screen)
    assertions = asserted.assertions()
    dimensions = dimensions_named(by, session.templates, session.zone) if by else ()
    wants_new = asserted.max_new_errors is not None
    compare = _compared(compare, filters, dimensions, wants_new=wants_new)
    report = _junit_path(junit)
    query = asked_for(session, filters, compare)
    refuse_constant_shares(assertions, query.status)
    if wants_new:
        only_errors(query.status)  # a status that is never an error is told before a key is looked for
    with session.source() as log_source:
        count = summarised(log_source, Grouping(dimensions))
        measurement = measure(session, log_source, query, filters, count, compare)
        scopes = _scopes(session, log_source, measurement, dimensions)
    findings = evaluate(assertions, scopes, asserted.needed)
    requests = measurement.now.summary.total.requests
    earlier = measurement.before.window if measurement.before else None
    unchecked = _unchecked(session, filters, measurement)
    outcome = Outcome(findings, dimensions, requests, measurement.now.window, earlier, allow_few, unchecked)
    _write(session, format_name, outcome, _TOP if top is None else top or None)
    if report is not None:
        _write_junit(session, report, outcome)
    if github:
        _tell_github(session, outcome)
    _tell(session, measurement, outcome, compare)


def _compared(
    compare: str | None, filters: FilterOptions, dimensions: Sequence[Dimension], *, wants_new: bool
) -> str | None:
    """Return the window to compare with: new errors need one; raises UsageError for what cannot be."""
    if not wants_new:
        if compare is not None:
            raise UsageError("--compare is for new errors", f"give {NEW_ERRORS.option}, such as {NEW_ERRORS.option} 0")
        return None
    if compare in (None, BEFORE) and filters.since is None:
        raise UsageError(
            f"{NEW_ERRORS.option} needs a window that begins somewhere", "give --since, such as --since 1d"
        )
    for dimension in dimensions:
        if dimension.name not in NEW_ERRORS_BY:
            raise UsageError(
                f"{NEW_ERRORS.option} cannot be told by {dimension.name}", f"accepted: --by {', '.join(NEW_ERRORS_BY)}"
            )
    return compare or BEFORE


def _junit_path(text: str | None) -> Path | None:
    """Return where the report goes; raises UsageError for where no file can be."""
    if text is None:
        return None
    path = Path(text)
    if text in ("", "-") or path.is_dir():
        raise UsageError(f"--junit {text!r} is not a file", "give a file's name, such as report.xml")
    if not path.parent.is_dir():
        raise UsageError(f"--junit {text!r}: there is no folder {path.parent}", "make the folder first")
    return path


def _unchecked(session: Session, filters: FilterOptions, measurement: Measurement[Summary]) -> tuple[Gap, ...]:
    """Return what the source lacks of the windows, but for a short time at the end of one that ends now.

    What files hold that is left out may belong to any time.
    """
    now, before = measurement.now, measurement.before
    until = now.window.until_text or format_timestamp(session.runtime.clock())
    left_out = tuple(Gap(now.window.since_text or None, until, reason) for reason in session.left_out)
    end = age_of_end(session, measurement.query.window, now.gaps) if filters.until is None else None
    begin = now.window.since or session.runtime.clock()
    is_short = end is not None and end <= _MOST_MISSING * (session.runtime.clock() - begin)
    return (now.gaps[:-1] if is_short else now.gaps) + (before.gaps if before else ()) + left_out


def _scopes(
    session: Session, source: LogSource, measurement: Measurement[Summary], dimensions: Sequence[Dimension]
) -> list[Scope]:
    """Return what the assertions are made of; new errors are read where there is a window before."""
    query, summary = measurement.query, measurement.now.summary
    of_any_status, new_errors = summary, []
    if measurement.before is not None:
        errors = replace(query, status=only_errors(query.status))
        with session.progress():
            if query.status is not None:
                of_any_status = source.summarise(replace(query, status=None), summary.grouping)
            earlier = group_errors(source.batches(errors.within(measurement.before.window)), session.templates)
            groups = group_errors(source.batches(errors), session.templates)
        new_errors = new_groups(groups, earlier)
        tell_overflow(session, groups, earlier)
    total = Scope(summary.total, None, new_errors, of_any_status.total.requests)
    if not dimensions:
        return [total]
    requests = {group: figures.requests for group, figures in of_any_status.groups().items()}
    return scopes_of(total, summary.groups(), requests, dimensions)


def _write(session: Session, format_name: str, outcome: Outcome, top: int | None) -> None:
    if format_name != "table":
        from taplogs.output.finding_records import finding_records, outcome_document

        write_records(format_name, outcome_document(outcome), finding_records(outcome), session.output)
        return
    from taplogs.output.finding_table import FindingTable

    session.output.write_lines(FindingTable(session.output.screen, session.zone).lines(outcome, top))
    session.output.flush()
    if hidden := len(outcome.findings[top:] if top else ()):
        session.notice(f"{hidden:,} more lines; --top 0 shows all")


def _write_junit(session: Session, path: Path, outcome: Outcome) -> None:
    from taplogs.output.junit import junit_report
    from taplogs.whole_file import write_whole

    write_whole(path, junit_report(outcome, session.runtime.clock()))


def _tell_github(session: Session, outcome: Outcome) -> None:
    """Write annotations to standard error, and the summary to the file that GitHub names."""
    from taplogs.output.github import annotation_lines, job_summary

    if session.messages:
        session.messages.write_raw("".join(f"{line}\n" for line in annotation_lines(outcome, session.messages.screen)))
    if summary := session.runtime.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(job_summary(outcome, _TOP))
        except OSError as error:
            session.notice(f"GITHUB_STEP_SUMMARY: {error.strerror} ({summary})")


def _tell(session: Session, measurement: Measurement[Summary], outcome: Outcome, compare: str | None) -> None:
    """Say what the table does not; raises AssertionUnmet, and IncompleteWindow where what was checked holds."""
    summary, before = measurement.now.summary, measurement.before
    tell_coarse(session, summary)
    if not summary.counts:
        session.tell_empty(measurement.query, is_failure=False)
    if before is not None and not before.summary.counts and measurement.query.status is None:
        session.notice("the window before has no requests, so that every error is new")
    few, unmet, number = outcome.number(Verdict.TOO_FEW), outcome.unmet, len(outcome.findings)
    assertions = counted(number, "assertion")
    if few and outcome.allow_few:
        verb = "rests" if few == 1 else "rest"
        session.notice(f"{few:,} of {assertions} {verb} on too few requests, which --allow-few lets pass")
    if unmet:
        told = f"{len(unmet):,} of {assertions} {'does' if len(unmet) == 1 else 'do'} not hold"
        if few and not outcome.allow_few:
            told += f": too few requests for {'all' if few == number else f'{few:,}'}"
        raise AssertionUnmet(told, _further(session, unmet, compare))
    if outcome.gaps:
        pulls = remedy(session, outcome.gaps)
        raise IncompleteWindow(
            f"not all of the window was checked: {words_of(session, outcome.gaps)}",
            _MEND if session.left_out else f"{pulls}; {_ANOTHER}" if pulls else _ANOTHER,
        )


def _further(session: Session, unmet: Sequence[Finding], compare: str | None) -> str:
    """Return how to look further: the command that shows the errors or the slow endpoints of the same requests."""
    failed = {finding.assertion.measure.name for finding in unmet if finding.verdict is Verdict.FAIL}
    if not failed:
        return "a longer window has more requests (--since); --allow-few lets too few pass"
    arguments = with_compared_window([word for word in session.runtime.arguments if word not in _FLAGS])
    _, *rest = without_options(arguments, _OWN_OPTIONS)
    if failed <= {measure.name for measure in LATENCIES.values()}:
        words = ["stats", *rest, "--by", "endpoint", "--sort", "p95"]
    else:
        words = ["errors", *rest]
        if compare is not None and NEW_ERRORS.name in failed:
            words += ["--compare"] if compare == BEFORE else ["--compare", compare]
    return f"to look further: {' '.join(map(shell_word, ['taplogs', *words]))}"


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, check, _EPILOG)
