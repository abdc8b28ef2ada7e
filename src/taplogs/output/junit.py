"""The outcome of a check as a JUnit report, which CI systems show: a test case for each finding."""

from __future__ import annotations

from datetime import UTC, datetime

from taplogs.core.assertions import Finding, Outcome, Verdict
from taplogs.output.finding_text import VERDICTS, incomplete_words, new_error_lines, sentence, shown_limit
from taplogs.output.terminal import harmless

_SUITE = "taplogs check"
_CLASS_OF_ALL = "taplogs.check"
_WHOLE = "the whole window"
"""The test case that what was asked for was all there to be checked; only of windows of which something is missing."""


def junit_report(outcome: Outcome, moment: datetime) -> bytes:
    """Return an XML document; `moment`, aware, is when the check was made. What XML cannot hold is escaped visibly."""
    from xml.etree import ElementTree

    failed, few = len(outcome.unmet), outcome.number(Verdict.TOO_FEW) if outcome.allow_few else 0
    unknown = 1 if outcome.gaps else 0
    numbers = {
        "tests": str(len(outcome.findings) + unknown),
        "failures": str(failed),
        "errors": str(unknown),
    }
    root = ElementTree.Element("testsuites", {"name": _SUITE, **numbers})
    made = moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": _SUITE, **numbers, "skipped": str(few), "timestamp": made}
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(outcome).items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for finding in outcome.findings:
        attributes = {"classname": _class_of(finding), "name": _name_of(finding)}
        case = ElementTree.SubElement(suite, "testcase", attributes)
        if finding.verdict is not Verdict.PASS:
            skipped = finding.verdict is Verdict.TOO_FEW and outcome.allow_few
            reason = {"type": VERDICTS[finding.verdict], "message": sentence(finding)}
            element = ElementTree.SubElement(case, "skipped" if skipped else "failure", reason)
            element.text = "\n".join(map(harmless, new_error_lines(finding))) or None
    if outcome.gaps:
        case = ElementTree.SubElement(suite, "testcase", {"classname": _CLASS_OF_ALL, "name": _WHOLE})
        ElementTree.SubElement(case, "error", {"type": "incomplete", "message": incomplete_words(outcome)})
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return document + b"\n"


def _properties(outcome: Outcome) -> dict[str, str]:
    found = {"since": outcome.window.since_text, "until": outcome.window.until_text}
    if outcome.earlier is not None:
        found |= {"comparedSince": outcome.earlier.since_text, "comparedUntil": outcome.earlier.until_text}
    return {name: value or "" for name, value in found.items()} | {"requests": str(outcome.requests)}


def _class_of(finding: Finding) -> str:
    """Return what CI systems group test cases by: the group of requests."""
    if finding.scope.group is None:
        return _CLASS_OF_ALL
    return harmless(" ".join("-" if key is None else str(key) for key in finding.scope.group))


def _name_of(finding: Finding) -> str:
    return f"{finding.assertion.measure.name} ({shown_limit(finding.assertion)})"
