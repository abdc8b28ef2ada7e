"""The outcome of a check for GitHub Actions: annotations of the run, and a summary of the job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from taplogs.core.assertions import Finding, Outcome, Verdict
from taplogs.output.finding_text import (
    VERDICTS,
    incomplete_words,
    new_error_lines,
    requests_of,
    sentence,
    shown_limit,
    shown_measured,
    without_commands,
)
from taplogs.output.terminal import Screen, harmless
from taplogs.output.wording import counted

MOST_ANNOTATIONS = 10
"""How many annotations of a kind GitHub shows of one step; the last says how many more there are."""

_TITLE = "taplogs check"
_MARKS = {Verdict.FAIL: "❌", Verdict.TOO_FEW: "⚠️", Verdict.PASS: "✅"}


def annotation_lines(outcome: Outcome, screen: Screen) -> Iterator[str]:
    """Yield workflow commands, a line each: an error for each unmet finding, warnings for too few that are allowed.

    What was not there to be checked is an error, too.
    """
    unmet = outcome.unmet
    yield from _of_kind("error", unmet, screen)
    if outcome.allow_few:
        yield from _of_kind("warning", [item for item in outcome.findings if item.verdict is Verdict.TOO_FEW], screen)
    if outcome.gaps:
        yield _command("error", without_commands(screen.clean(incomplete_words(outcome))))
    elif not unmet:
        held = outcome.number(Verdict.PASS)
        yield _command("notice", f"{counted(held, 'assertion')} {'holds' if held == 1 else 'hold'}")


def _of_kind(kind: str, findings: Sequence[Finding], screen: Screen) -> Iterator[str]:
    shown = len(findings) if len(findings) <= MOST_ANNOTATIONS else MOST_ANNOTATIONS - 1
    for finding in islice(findings, shown):
        group = _keys(finding)
        lines = [f"{group}: {sentence(finding)}" if group else sentence(finding), *new_error_lines(finding)]
        yield _command(kind, "\n".join(without_commands(screen.clean(line)) for line in lines))
    if more := len(findings) - shown:
        yield _command(kind, f"and {more:,} more, which the table of taplogs check holds")


def _command(kind: str, message: str) -> str:
    """Return a workflow command, its message escaped as GitHub's toolkit does it."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} title={_TITLE}::{escaped}"


def _keys(finding: Finding) -> str:
    return " ".join("-" if key is None else str(key) for key in finding.scope.group or ())


def job_summary(outcome: Outcome, top: int | None) -> str:
    """Return a section in Markdown: the first `top` findings (None: all) as a table, and the new errors."""
    lines = ["### taplogs check", "", "| | assertion | group | measured | limit | requests |"]
    lines.append("|---|---|---|---:|---:|---:|")
    for finding in outcome.findings[:top]:
        cells = [
            f"{_MARKS[finding.verdict]} {VERDICTS[finding.verdict]}",
            finding.assertion.measure.name,
            _code(_keys(finding)) if finding.scope.group else "all",
            shown_measured(finding),
            shown_limit(finding.assertion),
            requests_of(finding),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if hidden := len(outcome.findings) - len(outcome.findings[:top]):
        lines += ["", f"and {hidden:,} more"]
    if outcome.gaps:
        lines += ["", f"{_MARKS[Verdict.TOO_FEW]} {_code(incomplete_words(outcome))}"]
    new = [line for finding in outcome.findings if not finding.scope.group for line in new_error_lines(finding)]
    if new:
        lines += ["", "New errors:", "", *(f"- {_code(line)}" for line in new)]
    return "\n".join([*lines, "", ""])


def _code(text: str) -> str:
    """Return foreign text for Markdown: as entities, which mean nothing but their character."""
    shown = "".join(
        character if character.isalnum() or character == " " else f"&#{ord(character)};" for character in harmless(text)
    )
    return f"<code>{shown}</code>"
