"""taplogs export: what is in the folder, what is said, what is refused; and records to a pipe."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

from command import Command, sample_entries
from exported import PSEUDONYM_KEY, Exported, lines_of, root_of
from faulty_server import FaultyServer, lines, page, reply
from serving import Backend, log_entry, payload, running_backend
from taplogs.core.entry import LogEntry

PLAIN = ("--redact", "none")
WHOLE = "2026-11-02"


@pytest.fixture
def export(taplogs: Command, logs: Backend) -> Command:
    """The command with the sample entries and a lasting pseudonym key."""
    return taplogs.at(logs).with_env(**PSEUDONYM_KEY)


def exported(command: Command, *options: str, folder: str = "out") -> Exported:
    """Export into a folder, and return it, looked at with other tools."""
    run = command.here("export", "-o", str(command.folder / folder), *options)
    assert run.code == 0, run.err
    found = Exported(command.folder / folder)
    found.assert_consistent()
    return found


def test_all_entries_are_exported_oldest_first_with_a_manifest_that_agrees(export: Command) -> None:
    found = exported(export, *PLAIN)
    assert found.records == lines_of(sample_entries())
    assert [row["id"] for row in found.rows] == found.ids
    assert sorted(path.name for path in found.folder.iterdir()) == ["manifest.json", "records.csv", "records.jsonl"]


def test_the_manifest_says_what_was_asked_and_what_came(export: Command, logs: Backend) -> None:
    since, until = "2026-11-01T00:00:10.000Z", "2026-11-01T00:00:50.000Z"
    options = ("--since", since, "--until", until, "--status", "4xx,5xx", "--tz", "Europe/Berlin", *PLAIN)
    manifest = exported(export, *options).manifest
    assert manifest["schema"] == "taplogs.export/1"
    assert manifest["sequence"] == 1
    assert manifest["source"] == {
        "baseUrl": logs.url,
        "companyId": "company",
        "environment": logs.key[3:7],
        "keyId": f"sk_{logs.key[3:7]}_…{logs.key[-4:]}",
    }
    period = manifest["period"]
    assert abs(period.pop("clockSkewMs")) < 60_000
    assert period == {
        "requestedSince": since,
        "requestedUntil": until,
        "effectiveUntil": until,
        "interval": "[since,until)",
        "timeZone": "Europe/Berlin",
    }
    assert manifest["query"] == {"filters": {"--status": "4xx,5xx"}, "order": "timestamp,id ascending"}
    expected = [e for e in sample_entries() if since <= e.timestamp < until and e.status_code >= 400]
    completeness = manifest["completeness"]
    assert completeness.pop("pages") >= 1
    assert completeness == {
        "status": "complete",
        "rows": len(expected),
        "backendCountBefore": len(expected),
        "backendCountAfter": len(expected),
        "lateArrivals": 0,
        "endSeen": True,
        "first": {"timestamp": expected[0].timestamp, "id": expected[0].id},
        "last": {"timestamp": expected[-1].timestamp, "id": expected[-1].id},
        "duplicatesDropped": 0,
        "retries": 0,
        "gaps": [],
    }
    assert manifest["redaction"] == {
        "profile": "none",
        "profileSha256": manifest["redaction"]["profileSha256"],
        "method": "none",
        "keyFingerprint": None,
        "fieldsRedacted": {},
    }
    assert manifest["previous"] is None


def test_an_export_without_an_end_ends_at_what_time_it_is_at_the_backend(export: Command) -> None:
    manifest = exported(export, *PLAIN).manifest
    period = manifest["period"]
    assert period["requestedSince"] is None
    assert period["requestedUntil"] is None
    assert manifest["startedAt"][:10] <= period["effectiveUntil"] <= manifest["finishedAt"]


def test_an_end_that_lies_ahead_is_now(export: Command) -> None:
    period = exported(export, "--until", "+10d", *PLAIN).manifest["period"]
    assert period["effectiveUntil"] < period["requestedUntil"]


@pytest.mark.parametrize(
    ("zone", "name"), [("XYZ0", "UTC"), ("XYZ-5:30", "UTC+0530"), (":Europe/Berlin", "Europe/Berlin")]
)
def test_a_zone_without_a_name_is_told_by_its_offset(export: Command, zone: str, name: str) -> None:
    assert export.run("export", "-o", "out", *PLAIN, env={"TZ": zone}).code == 0
    assert Exported(export.folder / "out").manifest["period"]["timeZone"] == name


@pytest.mark.parametrize("format_name", ["csv", "jsonl,csv", "CSV,JSONL"])
def test_records_are_written_with_every_table(export: Command, format_name: str) -> None:
    found = exported(export, "--format", format_name)
    assert [file["name"] for file in found.manifest["files"]] == ["records.jsonl", "records.csv"]


def test_the_table_can_be_left_out(export: Command) -> None:
    found = exported(export, "--format", "jsonl")
    assert [file["name"] for file in found.manifest["files"]] == ["records.jsonl"]
    assert found.manifest["csv"] is None


def test_the_form_of_the_table_is_asked_for_and_told(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(user_agent="=HYPERLINK()")])
    command = taplogs.at(backend)
    guarded = exported(command, *PLAIN)
    raw = exported(command, *PLAIN, "--csv-raw", "--excel", folder="raw")
    assert guarded.rows[0]["userAgent"] == "'=HYPERLINK()"
    assert (raw.folder / "records.csv").read_bytes().startswith(b"\xef\xbb\xbfid,")
    assert b",=HYPERLINK()," in (raw.folder / "records.csv").read_bytes()
    tables = [found.manifest["csv"] for found in (guarded, raw)]
    assert [(t["formulaGuard"], t["guardedCells"], t["byteOrderMark"]) for t in tables] == [
        (True, 1, False),
        (False, 0, True),
    ]


def test_nothing_at_all_is_a_complete_export(taplogs: Command, backend: Backend) -> None:
    found = exported(taplogs.at(backend))
    assert found.records == b""
    assert found.completeness["status"] == "complete"
    assert found.manifest["merkle"]["root"] == root_of([])
    assert found.manifest["source"]["companyId"] is None


def test_personal_data_is_hidden_before_anything_is_hashed(taplogs: Command, backend: Backend) -> None:
    body = payload('{"candidate":{"firstName":"Wilhelmina","email":"wilhelmina@example.org"}}')
    backend.store.add([log_entry(number, request_payload=body) for number in (1, 2)])
    found = exported(taplogs.at(backend).with_env(**PSEUDONYM_KEY))
    assert b"ilhelmina" not in found.records
    first, second = (json.loads(line)["requestPayload"]["candidate"] for line in found.records.splitlines())
    assert first == second
    redaction = found.manifest["redaction"]
    assert redaction["profile"] == "personal"
    assert redaction["keyFingerprint"]
    assert redaction["fieldsRedacted"]["field *firstName"] == 2


def test_personal_data_can_be_included_and_the_manifest_says_so(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(request_payload=payload('{"firstName":"Wilhelmina"}'))])
    found = exported(taplogs.at(backend), "--include-personal-data")
    assert b"Wilhelmina" in found.records
    assert found.manifest["redaction"]["profile"] == "secrets"
    assert found.manifest["redaction"]["keyFingerprint"] is None


def test_what_a_filter_looks_for_is_hidden_in_the_manifest_like_in_the_records(export: Command) -> None:
    key = "sk_live_" + "Zz9" * 7 + "Q"
    found = exported(export, "--grep", f"wilhelmina@example.org {key}")
    shown = found.manifest["query"]["filters"]["--grep"]
    assert "wilhelmina" not in shown
    assert key not in found.text.decode()


def test_the_summary_says_how_many_and_how_to_verify_them(export: Command) -> None:
    run = export.run("export", "-o", "out dir", *PLAIN)
    head = subprocess.run(
        ["sha256sum", "manifest.json"], cwd=export.folder / "out dir", capture_output=True, check=True
    ).stdout.split()[0]
    assert (run.code, run.out) == (0, "")
    assert "complete: 120 records from the beginning until 20" in run.err
    assert f"head: 1:{head.decode()}" in run.err
    assert f"taplogs verify 'out dir' --expect-head 1:{head.decode()}" in run.err


def test_sha256sum_agrees_with_the_manifest(export: Command) -> None:
    found = exported(export)
    sums = "".join(f"{file['sha256']}  {file['name']}\n" for file in found.manifest["files"])
    done = subprocess.run(["sha256sum", "-c"], input=sums.encode(), cwd=found.folder, capture_output=True, check=False)
    assert done.returncode == 0


def test_progress_is_shown_on_a_terminal_alone(export: Command) -> None:
    shown = export.on_terminal("export", "-o", "out", *PLAIN)
    assert shown.code == 0
    assert "complete: 120 records" in shown.text


# What is in the way


@pytest.mark.parametrize("name", ["records.jsonl", "manifest.json", "records.csv", "manifest.json.minisig"])
def test_an_export_that_is_there_is_not_replaced_unasked(export: Command, name: str) -> None:
    (export.folder / "out").mkdir()
    (export.folder / "out" / name).write_text("precious")
    run = export.run("export", "-o", "out")
    assert run.code == 2
    assert "--force replaces it" in run.err
    assert [path.name for path in (export.folder / "out").iterdir()] == [name]
    assert (export.folder / "out" / name).read_text() == "precious"


def test_force_replaces_an_export_and_what_it_had_besides(export: Command) -> None:
    exported(export, *PLAIN)
    (export.folder / "out" / "manifest.json.minisig").write_text("of the old one")
    found = exported(export, *PLAIN, "--force", "--format", "jsonl", "--status", "404")
    assert sorted(path.name for path in found.folder.iterdir()) == ["manifest.json", "records.jsonl"]


def test_an_export_stays_where_the_new_one_fails(export: Command) -> None:
    before = exported(export, *PLAIN)
    with FaultyServer([reply(b"no", 500)]) as server:
        run = export.run("export", "-o", "out", "--force", "--max-wait", "0", "--source", server.url)
    assert run.code == 6
    after = Exported(before.folder)
    after.assert_consistent()
    assert after.text == before.text


@pytest.mark.parametrize("others", [["notes.txt"], [".git", "records.jsonl"]])
def test_a_folder_with_other_files_is_refused(export: Command, others: list[str]) -> None:
    (export.folder / "out").mkdir()
    for name in others:
        (export.folder / "out" / name).touch()
    run = export.run("export", "-o", "out", "--force")
    assert run.code == 2
    assert f"holds '{others[0]}'" in run.err


def test_a_file_is_no_folder(export: Command) -> None:
    (export.folder / "out").write_text("a file")
    run = export.run("export", "-o", "out")
    assert (run.code, "is not a folder" in run.err) == (2, True)


def test_a_partial_folder_that_is_a_link_is_refused(export: Command) -> None:
    (export.folder / "elsewhere").mkdir()
    (export.folder / "out").mkdir()
    (export.folder / "out" / ".partial").symlink_to(export.folder / "elsewhere")
    run = export.run("export", "-o", "out", "--force")
    assert (run.code, ".partial is a link" in run.err) == (2, True)
    assert list((export.folder / "elsewhere").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(export: Command) -> None:
    run = export.run("export", "-o", "/proc/out")
    assert run.code == 1
    assert run.err.splitlines() == [
        "error: the export cannot be written to /proc/out: No such file or directory (/proc/out)",
        "hint: -o names a folder where you may write",
    ]


def test_a_signature_that_force_takes_away_is_told(export: Command) -> None:
    assert export.here("keygen", "--no-passphrase", "-s", str(export.folder / "a b.key")).code == 0
    signed = export.run("export", "-o", "out", "--sign-key", "a b.key", *PLAIN)
    assert "  taplogs verify out --pubkey 'a b.pub' --expect-head 1:" in signed.err
    again = export.run("export", "-o", "out", "--sign-key", "a b.key", *PLAIN, "--force")
    assert "is not" not in again.err
    run = export.run("export", "-o", "out", "--force", *PLAIN)
    assert (run.code, "the export in out is signed, and the one that replaces it is not" in run.err) == (0, True)


def test_a_public_key_that_is_not_beside_its_secret_one_is_not_named(export: Command) -> None:
    for name in ("a", "b"):
        assert export.here("keygen", "--no-passphrase", "-s", str(export.folder / f"{name}.key")).code == 0
    (export.folder / "b.pub").replace(export.folder / "a.pub")
    assert "--pubkey FILE" in export.run("export", "-o", "out", "--sign-key", "a.key", *PLAIN).err


@pytest.mark.parametrize(("profile", "is_told"), [("none", True), ("secrets", True), ("personal", False)])
def test_an_export_with_personal_data_says_so(export: Command, profile: str, *, is_told: bool) -> None:
    run = export.run("export", "-o", "out", "--redact", profile)
    assert ("this export holds personal data" in run.err) is is_told


def test_an_end_that_lies_ahead_is_told(export: Command) -> None:
    run = export.run("export", "-o", "out", "--until", "+1h", *PLAIN)
    assert run.code == 0
    period = Exported(export.folder / "out").manifest["period"]
    asked, reached = period["requestedUntil"], period["effectiveUntil"]
    assert f"the end asked for, {asked}, lies ahead: exported until now, {reached}\n" in run.err


# What is refused, before anything is sent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format", "xml"), "--format 'xml' is not understood"),
        (("--format", ""), "--format '' is not understood"),
        (("--format", "jsonl", "--csv-raw"), "--csv-raw is about CSV"),
        (("--format", "jsonl", "--excel"), "--excel is about CSV"),
        (("--resume", "--force"), "--resume and --force exclude each other"),
        (("--include-personal-data", "--redact", "none"), "say two things"),
        (("--redact", "nome"), "there is no redaction profile 'nome'"),
        (("--since", "yesterdy"), "--since 'yesterdy' is not understood"),
        (("--since", "2126-01-01"), "nothing of the period has passed"),
        (("--chain", "nowhere"), "the chain cannot go on from nowhere: there is no such folder"),
        (("--sign-key", "nowhere"), "nowhere cannot be read"),
        (("-o", "-", "--format", "jsonl,csv"), "one format goes to standard output"),
        (("-o", "-", "--resume"), "--resume is about a folder"),
        (("-o", "-", "--force"), "--force is about a folder"),
        (("-o", "-", "--allow-partial"), "--allow-partial is about a folder"),
        (("-o", "-", "--chain", "x"), "--chain is about a folder"),
        (("-o", "-", "--sign-key", "x"), "--sign-key is about a folder"),
    ],
)
def test_wrong_usage_exits_2_and_leaves_nothing_behind(export: Command, options: tuple[str, ...], words: str) -> None:
    run = export.run("export", "-o", "out", *options)
    assert run.code == 2
    assert words in run.err
    assert not (export.folder / "out").exists()


def test_a_folder_has_to_be_named(export: Command) -> None:
    run = export.here("export")
    assert (run.code, "'-o'" in run.err) == (2, True)


# Exit codes where nothing was kept


def test_a_backend_that_fails_at_once_exits_6_and_leaves_nothing_behind(export: Command) -> None:
    with FaultyServer([reply(b"no", 500)]) as server:
        run = export.run("export", "-o", "out", "--max-wait", "0", "--source", server.url)
    assert run.code == 6
    assert not (export.folder / "out").exists()


def test_a_key_that_is_refused_exits_4_and_leaves_nothing_behind(export: Command) -> None:
    run = export.run("export", "-o", "out", env={"TAPLOGS_API_KEY": "sk_test_" + "Zz9" * 7 + "Q"})
    assert run.code == 4
    assert not (export.folder / "out").exists()


def test_entries_out_of_order_exit_6_and_name_them(export: Command) -> None:
    entries = [log_entry(1), log_entry(3), log_entry(2)]
    with FaultyServer([reply(page(entries))]) as server:
        run = export.run("export", "-o", "out", "--source", server.url)
    assert run.code == 6
    assert "'entry-00002' (2026-11-01T00:00:02.000Z) comes after 'entry-00003'" in run.err


# What the backend does within one timestamp, and while it is read


def one_timestamp(ids: str, **fields: str) -> list[LogEntry]:
    return [log_entry(1, id=name, **fields) for name in ids]


def test_equal_timestamps_in_any_order_over_batches_come_out_by_id_and_once(export: Command) -> None:
    entries = [log_entry(0), *one_timestamp("cab"), *one_timestamp("bd"), log_entry(2)]
    stream = [reply(lines(entries, len(entries)), content_type="application/x-ndjson")]

    def first_page(_: object) -> list[bytes]:
        return [reply(page(entries[:2], totalLogs=100))]

    with FaultyServer(first_page, first_page, first_page, stream, first_page, streams=True) as server:
        run = export.run("export", "-o", "out", *PLAIN, "--allow-partial", "--source", server.url)
    found = Exported(export.folder / "out")
    found.assert_consistent()
    assert found.ids == ["entry-00000", "a", "b", "c", "d", "entry-00002"]
    assert run.code == 7  # the backend counts 100


def test_entries_that_arrive_during_an_export_are_neither_doubled_nor_lost_and_late_ones_counted(
    taplogs: Command, tmp_path: Path
) -> None:
    with running_backend(tmp_path / "busy.db") as backend:
        backend.store.add([log_entry(number) for number in range(0, 4000, 2)])
        ended = threading.Event()

        def write() -> None:
            for number in range(1, 4000, 2):
                backend.store.add([log_entry(number), log_entry(number + 4000)])
                if ended.is_set():
                    break

        writing = threading.Thread(target=write)
        writing.start()
        try:
            found = exported(taplogs.at(backend), *PLAIN, "--until", "2026-11-01T01:06:40")
        finally:
            ended.set()
            writing.join()
    ids = set(found.ids)
    assert {log_entry(number).id for number in range(0, 4000, 2)} <= ids
    assert len(ids) == len(found.ids)
    completeness = found.completeness
    assert completeness["lateArrivals"] == completeness["backendCountAfter"] - completeness["rows"]
    assert all(record["timestamp"] < "2026-11-01T01:06:40.000Z" for record in map(json.loads, found.records.split()))


def test_late_arrivals_are_told(export: Command) -> None:
    entries = [log_entry(1), log_entry(2)]
    with FaultyServer(
        [reply(page(entries))], [reply(page(entries))], [reply(page(entries))], [reply(page(entries, totalLogs=5))]
    ) as server:
        run = export.run("export", "-o", "out", *PLAIN, "--source", server.url)
    assert run.code == 0
    assert Exported(export.folder / "out").completeness["lateArrivals"] == 3
    assert "not in it: 3 entries that came into the period while it was read" in run.err


def test_fewer_entries_than_the_backend_counts_are_a_gap(export: Command) -> None:
    entries = [log_entry(1), log_entry(2)]
    pages = [[reply(page(entries, totalLogs=total))] for total in (2, 5, 2, 5)]
    with FaultyServer(*pages) as server:
        run = export.run("export", "-o", "out", *PLAIN, "--source", server.url)
    assert run.code == 7
    assert "the backend counts 5 entries, and 2 came" in run.err
    assert not (export.folder / "out" / "manifest.json").exists()


def test_retries_are_counted(export: Command) -> None:
    entries = [log_entry(1), log_entry(2)]
    with FaultyServer([reply(b"", 503)], [reply(page(entries))]) as server:
        run = export.run("export", "-o", "out", *PLAIN, "--source", server.url)
    assert run.code == 0
    assert Exported(export.folder / "out").completeness["retries"] == 1


# To standard output


def test_records_go_to_a_pipe_as_they_go_to_a_file(export: Command) -> None:
    found = exported(export)
    lines = export.run("export", "-o", "-")
    table = export.run("export", "-o", "-", "--format", "csv")
    assert lines.out.encode() == found.records
    assert table.out.encode() == (found.folder / "records.csv").read_bytes()
    assert "manifest" not in lines.err


def test_an_empty_table_on_standard_output_has_its_heading(taplogs: Command, backend: Backend) -> None:
    assert taplogs.at(backend).run("export", "-o", "-", "--format", "csv").out.startswith("id,timestamp,")


def test_on_a_terminal_records_are_harmless(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(user_agent="\x1b[31mred\x9b")])
    shown = taplogs.at(backend).on_terminal("export", "-o", "-", *PLAIN)
    assert b"\\u001b[31mred\\u009b" in shown.raw


def test_a_pipe_that_closes_exits_141(export: Command) -> None:
    run = export.shell("set -o pipefail; taplogs export -o - | true")
    assert (run.code, run.err) == (141, "")


def test_a_full_standard_output_exits_1(export: Command) -> None:
    with Path("/dev/full").open("wb") as full:
        run = export.run("export", "-o", "-", stdout=full)
    assert run.code == 1
    assert "No space left on device" in run.err


# The demo


def test_nothing_of_a_candidate_is_in_an_export_and_one_candidate_has_one_pseudonym(taplogs: Command) -> None:
    plain = exported(taplogs, "--demo", "--redact", "none", folder="plain")
    hidden = exported(taplogs, "--demo")
    people = [
        (number, body)
        for number, line in enumerate(plain.records.splitlines())
        if "firstName" in (body := json.loads(line)["requestPayload"] or {})
    ]
    assert len(people) > 1000
    texts = {str(body[name]) for _, body in people for name in ("firstName", "lastName", "email", "phone")}
    (taplogs.folder / "texts").write_text("\n".join(texts), "utf-8")

    def is_found(folder: str) -> bool:
        words = ["grep", "-rqwFf", "texts", folder]
        return subprocess.run(words, cwd=taplogs.folder, env=taplogs.environ(), check=False).returncode == 0

    assert [is_found("plain"), is_found("out")] == [True, False]
    lines = hidden.records.splitlines()
    names: dict[str, set[str]] = {}
    for number, body in people:
        names.setdefault(body["email"], set()).add(json.loads(lines[number])["requestPayload"]["email"])
    assert all(len(pseudonyms) == 1 for pseudonyms in names.values())
    assert len(set.union(*names.values())) == len(names)
