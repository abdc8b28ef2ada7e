"""What taplogs check tells a CI: JUnit reports, and annotations and a summary for GitHub Actions."""

from __future__ import annotations

import html
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hostile import ODD
from hypothesis import given
from hypothesis import strategies as st

from command import KEY, Command
from serving import Backend, log_entry, payload, running_backend
from taplogs.output.finding_text import without_commands

DATA = Path(__file__).parent.parent / "data"
DAY = ["--since", "2026-11-01T01:00:00Z", "--until", "2026-11-02T01:00:00Z"]
FAILING = ["check", "--max-error-rate", "1%", "--max-p95", "800ms", "--min-requests", "2", "--by", "endpoint"]


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(DATA / "junit" / "junit-10.xsd")


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with an endpoint that fails now and then, and one that was asked once."""
    with running_backend(tmp_path_factory.mktemp("some") / "logs.db") as running:
        running.store.add([log_entry(number, status_code=(200, 404)[number == 7]) for number in range(1, 21)])
        running.store.add([log_entry(30, request_url="https://a.example/v1/partner/api-key")])
        yield running


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend where strangers wrote what they like into URLs and messages."""
    with running_backend(tmp_path_factory.mktemp("hostile") / "logs.db") as running:
        running.store.add(
            [
                log_entry(
                    3600 + number,
                    status_code=500,
                    request_url=f"https://a.example/{_storable(text)}",
                    client_id=_storable(text),
                    response_payload=payload(_json_error(text)),
                )
                for number, text in enumerate(ODD)
            ]
        )
        yield running


def _storable(text: str) -> str:
    """Return text without lone surrogates, which no store holds; messages have them as JSON's escapes."""
    return text.encode("utf-8", "ignore").decode()


def _json_error(text: str) -> str:
    escaped = "".join(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else "?" for character in text)
    return f'{{"error":{{"code":"E","message":"{escaped}"}}}}'


def report_of(taplogs: Command, backend: Backend, *words: str) -> ElementTree.Element:
    path = taplogs.folder / "report.xml"
    taplogs.at(backend).here(*words, "--junit", str(path))
    return ElementTree.parse(path).getroot()  # noqa: S314 - our own file


# JUnit


def test_a_report_holds_a_test_case_for_each_finding(
    taplogs: Command, some: Backend, schema: xmlschema.XMLSchema
) -> None:
    root = report_of(taplogs, some, *FAILING)
    schema.validate(taplogs.folder / "report.xml")
    (suite,) = root
    assert root.tag == "testsuites"
    stamp = suite.attrib.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", stamp)
    assert suite.attrib == {"name": "taplogs check", "tests": "6", "failures": "4", "errors": "0", "skipped": "0"}
    properties = {item.attrib["name"]: item.attrib["value"] for item in suite.iter("property")}
    assert properties == {
        "since": "2026-10-31T23:59:30.001Z",
        "until": "2026-11-01T00:00:30.001Z",
        "requests": "21",
    }
    cases = [
        (case.attrib["classname"], case.attrib["name"], [(item.tag, item.attrib) for item in case])
        for case in suite.iter("testcase")
    ]
    few = {"type": "too few", "message": "error rate: too few requests, 1 of 2"}
    slow = {"type": "too few", "message": "p95: too few requests, 1 of 2"}
    jobs, key = "/v1/partner/jobs/{id}", "/v1/partner/api-key"
    assert cases == [
        ("taplogs.check", "error rate (max 1 %)",
         [("failure", {"type": "fail", "message": "error rate: 4.8 %, max 1 %, of 21 requests"})]),
        (jobs, "error rate (max 1 %)",
         [("failure", {"type": "fail", "message": "error rate: 5.0 %, max 1 %, of 20 requests"})]),
        (key, "error rate (max 1 %)", [("failure", few)]),
        (key, "p95 (max 800ms)", [("failure", slow)]),
        ("taplogs.check", "p95 (max 800ms)", []),
        (jobs, "p95 (max 800ms)", []),
    ]  # fmt: skip


def test_too_few_that_are_allowed_are_skipped(taplogs: Command, some: Backend, schema: xmlschema.XMLSchema) -> None:
    (suite,) = report_of(taplogs, some, *FAILING, "--allow-few")
    schema.validate(taplogs.folder / "report.xml")
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("2", "2")
    assert [case.attrib["classname"] for case in suite.iter("testcase") if case.find("skipped") is not None] == [
        "/v1/partner/api-key"
    ] * 2


def test_a_report_of_new_errors_names_them_and_both_windows(
    taplogs: Command, hostile: Backend, schema: xmlschema.XMLSchema
) -> None:
    (suite,) = report_of(taplogs, hostile, "check", "--max-new-errors", "0", *DAY)
    schema.validate(taplogs.folder / "report.xml")
    properties = {item.attrib["name"]: item.attrib["value"] for item in suite.iter("property")}
    assert properties["comparedSince"] == "2026-10-31T01:00:00.000Z"
    assert properties["comparedUntil"] == properties["since"] == "2026-11-01T01:00:00.000Z"
    (failure,) = suite.iter("failure")
    lines = (failure.text or "").splitlines()
    assert len(lines) == 6
    assert all(re.match(r"[0-9a-f]{8}  500 GET /", line) for line in lines[:5])
    assert re.fullmatch(r"and \d+ more", lines[5])


@pytest.mark.parametrize("by", ["endpoint", "client", "ip,user-agent", "hour", "status"])
def test_whatever_strangers_wrote_a_report_is_valid(
    taplogs: Command, hostile: Backend, schema: xmlschema.XMLSchema, by: str
) -> None:
    new = ["--max-new-errors", "9"] if by in ("endpoint", "status") else []
    (suite,) = report_of(taplogs, hostile, "check", "--max-error-rate", "0", *new, *DAY, "--by", by)
    schema.validate(taplogs.folder / "report.xml")
    text = (taplogs.folder / "report.xml").read_text("utf-8")
    assert not [character for character in text if not character.isprintable() and character != "\n"]
    assert len(suite.findall("testcase")) == int(suite.attrib["tests"]) > 1


def test_a_check_that_holds_makes_a_report_without_failures(
    taplogs: Command, some: Backend, schema: xmlschema.XMLSchema
) -> None:
    (suite,) = report_of(taplogs, some, "check", "--max-error-rate", "5%")
    schema.validate(taplogs.folder / "report.xml")
    assert [(case.attrib, len(case)) for case in suite.iter("testcase")] == [
        ({"classname": "taplogs.check", "name": "error rate (max 5 %)"}, 0)
    ]


def test_a_report_takes_the_place_of_the_one_before_in_one_step(taplogs: Command, some: Backend) -> None:
    path = taplogs.folder / "report.xml"
    path.write_text("before" * 10_000)
    with path.open() as before:
        report_of(taplogs, some, *FAILING)
        assert before.read() == "before" * 10_000
    assert sorted(item.name for item in taplogs.folder.glob("*report*")) == ["report.xml"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_report_through_a_link_keeps_the_link(taplogs: Command, some: Backend) -> None:
    link = taplogs.folder / "report.xml"
    link.symlink_to("kept.xml")
    report_of(taplogs, some, *FAILING)
    assert link.is_symlink()
    assert (taplogs.folder / "kept.xml").read_bytes().startswith(b"<?xml")


def test_a_report_that_cannot_be_written_is_a_failure_and_leaves_nothing(taplogs: Command, some: Backend) -> None:
    folder = taplogs.folder / "reports"
    folder.mkdir()
    name = "x" * 255
    finished = taplogs.at(some).run(*FAILING, "--junit", f"reports/{name}")
    assert (finished.code, finished.err) == (1, f"error: reports/{name} cannot be written: File name too long\n")
    assert list(folder.iterdir()) == []
    full = taplogs.at(some).run(*FAILING, "--junit", "/dev/full")
    assert (full.code, full.err) == (1, "error: /dev/full cannot be written: No space left on device\n")


def test_a_report_can_go_to_a_device(taplogs: Command, some: Backend) -> None:
    finished = taplogs.at(some).run(*FAILING, "--junit", "/dev/null")
    assert finished.code == 3
    assert Path("/dev/null").is_char_device()


# GitHub Actions


def test_annotations_go_to_standard_error_and_data_to_standard_output(taplogs: Command, some: Backend) -> None:
    plain = taplogs.at(some).run(*FAILING)
    finished = taplogs.at(some).run(*FAILING, "--github")
    assert (finished.code, finished.out) == (plain.code, plain.out)
    title = "::error title=taplogs check::"
    assert finished.err.splitlines() == [
        f"{title}error rate: 4.8 %25, max 1 %25, of 21 requests",
        f"{title}/v1/partner/jobs/{{id}}: error rate: 5.0 %25, max 1 %25, of 20 requests",
        f"{title}/v1/partner/api-key: error rate: too few requests, 1 of 2",
        f"{title}/v1/partner/api-key: p95: too few requests, 1 of 2",
        *plain.err.splitlines(),
    ]


def test_too_few_that_are_allowed_are_warnings(taplogs: Command, some: Backend) -> None:
    words = ["check", "--max-p95", "1s", "--min-requests", "2", "--by", "endpoint", "--allow-few", "--github"]
    finished = taplogs.at(some).run(*words)
    assert finished.code == 0
    assert finished.err.splitlines()[:2] == [
        "::warning title=taplogs check::/v1/partner/api-key: p95: too few requests, 1 of 2",
        "::notice title=taplogs check::2 assertions hold",
    ]


def test_a_check_that_holds_is_a_notice(taplogs: Command, some: Backend) -> None:
    finished = taplogs.at(some).run("check", "--max-error-rate", "5%", "--github")
    assert finished.err == "::notice title=taplogs check::1 assertion holds\n"


def test_github_shows_ten_annotations_so_the_tenth_says_how_many_more_there_are(
    taplogs: Command, hostile: Backend
) -> None:
    finished = taplogs.at(hostile).here("check", "--max-error-rate", "0", "--by", "client", "--github", "-o", "csv")
    commands = [line for line in finished.err.splitlines() if line.startswith("::")]
    assert len(commands) == 10
    unmet = re.search(r"error: ([\d,]+) of", finished.err)
    assert unmet
    more = int(unmet[1].replace(",", "")) - 9
    assert commands[-1] == f"::error title=taplogs check::and {more:,} more, which the table of taplogs check holds"


def test_new_errors_are_lines_of_their_annotation(taplogs: Command, backend: Backend) -> None:
    body = payload('{"error":{"code":"E,1:2","message":"100% wrong\\r\\nso wrong"}}')
    backend.store.add([log_entry(3600, status_code=500, response_payload=body)])
    finished = taplogs.at(backend).here("check", "--max-new-errors", "0", *DAY, "--github")
    (line,) = (line for line in finished.err.splitlines() if line.startswith("::"))
    assert "\\r" not in line.replace("%0D", "")
    first, second = line.split("%0A")
    assert first == "::error title=taplogs check::new errors: 1, max 0, of 1 request"
    assert re.fullmatch(r"[0-9a-f]{8}  500 GET /v1/partner/jobs/\{id\}  1x  E,1:2: .*%25 wrong.*so wrong", second)


def test_a_key_in_a_message_is_masked_wherever_it_would_be_read(taplogs: Command, backend: Backend) -> None:
    body = payload(json.dumps({"error": {"code": "UNAUTHORIZED", "message": f"Who is {KEY}?"}}))
    backend.store.add([log_entry(3600, status_code=401, response_payload=body)])
    summary, report = taplogs.folder / "summary.md", taplogs.folder / "report.xml"
    words = ["check", "--max-new-errors", "0", *DAY, "--github", "--junit", str(report)]
    finished = taplogs.at(backend).with_env(GITHUB_STEP_SUMMARY=str(summary)).here(*words)
    written = finished.out + finished.err + summary.read_text("utf-8") + report.read_text("utf-8")
    assert written.count("UNAUTHORIZED") + written.count("Who is ") >= 4
    assert KEY not in html.unescape(written)


def test_the_summary_of_the_job_is_a_table_after_what_it_held(taplogs: Command, some: Backend) -> None:
    summary = taplogs.folder / "summary.md"
    summary.write_text("before\n")
    finished = taplogs.at(some).with_env(GITHUB_STEP_SUMMARY=str(summary)).run(*FAILING, "--github")
    assert finished.code == 3
    lines = html.unescape(summary.read_text("utf-8")).splitlines()
    assert lines[:6] == [
        "before",
        "### taplogs check",
        "",
        "| | assertion | group | measured | limit | requests |",
        "|---|---|---|---:|---:|---:|",
        "| ❌ fail | error rate | all | 4.8 % | max 1 % | 21 |",
    ]
    assert "| ⚠️ too few | p95 | <code>/v1/partner/api-key</code> | 12ms | max 800ms | 1 of 2 |" in lines
    assert "| ✅ pass | p95 | all | 12ms | max 800ms | 21 |" in lines


def test_without_github_there_is_no_summary(taplogs: Command, some: Backend) -> None:
    summary = taplogs.folder / "summary.md"
    taplogs.at(some).with_env(GITHUB_STEP_SUMMARY=str(summary)).here(*FAILING)
    assert not summary.exists()


def test_a_summary_that_cannot_be_written_is_told_and_changes_no_verdict(taplogs: Command, some: Backend) -> None:
    finished = taplogs.at(some).with_env(GITHUB_STEP_SUMMARY="/nowhere/summary.md").here(*FAILING, "--github")
    assert finished.code == 3
    assert "GITHUB_STEP_SUMMARY: No such file or directory (/nowhere/summary.md)\n" in finished.err


def test_text_of_strangers_is_no_markdown(taplogs: Command, hostile: Backend) -> None:
    summary = taplogs.folder / "summary.md"
    words = ["check", "--max-error-rate", "0", "--max-new-errors", "0", *DAY, "--by", "endpoint", "--github"]
    taplogs.at(hostile).with_env(GITHUB_STEP_SUMMARY=str(summary)).here(*words)
    text = summary.read_text("utf-8")
    cells = re.findall(r"<code>(.*?)</code>", text)
    assert len(cells) > 50
    assert all(re.fullmatch(r"(?:[^\W_]| |&#\d+;)*", cell) for cell in cells)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {7}
    assert not [character for character in text if not character.isprintable() and character not in "\n\ufe0f"]


@given(st.text(st.sampled_from("#[:%\r\n\\x23 add-mask]")))
def test_no_text_holds_a_command_for_a_ci_afterwards(text: str) -> None:
    assert "##" not in without_commands(text)
