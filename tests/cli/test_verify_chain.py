"""taplogs verify --chain and --expect-period: exports that do not belong together are told apart."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from command import Command
from evidence import NAMES, Evidence, make_chain
from exported import root_of

PERIOD = ("--expect-period", "2026-11-01T00:00:00Z", "2026-11-01T00:01:10Z")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    make_chain(folder)
    return folder


@pytest.fixture
def chain(taplogs: Command, originals: Path) -> list[Evidence]:
    """Give copies of the exports of a chain."""
    return [Evidence(shutil.copytree(originals / name, taplogs.folder / name)) for name in NAMES]


def relinked(chain: list[Evidence], number: int, part: str, **members: Any) -> None:
    """Change a part of one manifest, and what the later ones say of those before, as a forger without a key would."""
    chain[number].write_manifest(chain[number].manifest | {part: chain[number].manifest[part] | members})
    for before, after in zip(chain[number:], chain[number + 1 :], strict=False):
        link = {"manifestSha256": sha256(before.read("manifest.json")).hexdigest()}
        after.write_manifest(after.manifest | {"previous": after.manifest["previous"] | link})


def emptied(evidence: Evidence) -> None:
    """Have an export hold no records."""
    manifest = evidence.manifest
    evidence.write("records.jsonl", b"")
    (evidence.path / "records.csv").unlink()
    manifest["csv"] = None
    manifest["files"] = [{"name": "records.jsonl", "bytes": 0, "rows": 0, "sha256": sha256(b"").hexdigest()}]
    manifest["merkle"] |= {"size": 0, "root": root_of([])}
    manifest["completeness"] |= {"rows": 0, "first": None, "last": None}
    manifest["completeness"] |= {"backendCountBefore": 0, "backendCountAfter": 0, "lateArrivals": 0}
    evidence.write_manifest(manifest)


def found(taplogs: Command, *words: str) -> list[str]:
    """Return the messages of all findings about several exports."""
    run = taplogs.here("verify", *(str(taplogs.folder / word) if word in NAMES else word for word in words), "--json")
    document = json.loads(run.out)
    assert [finding for export in document["exports"] for finding in export["findings"]] == []
    messages = [finding["message"] for finding in document["findings"]]
    assert run.code == (8 if messages else 0)
    return messages


@pytest.mark.parametrize(
    ("part", "members", "name"),
    [
        ("source", {"environment": "live"}, "environment"),
        ("source", {"baseUrl": "https://elsewhere.example/v1"}, "source"),
        ("redaction", {"profile": "personal"}, "redaction profile"),
        ("query", {"filters": {"--status": "4xx"}}, "filter --status"),
    ],
)
def test_a_link_of_other_terms_is_named(
    taplogs: Command, chain: list[Evidence], part: str, members: dict[str, Any], name: str
) -> None:
    relinked(chain, 2, part, **members)
    assert found(taplogs, *NAMES, "--chain") == [f"its {name} differs from that of {chain[1].path}"]


@pytest.mark.parametrize("later", [None, "b" * 16])
def test_a_lasting_pseudonym_key_stays_the_same(taplogs: Command, chain: list[Evidence], later: str | None) -> None:
    relinked(chain, 0, "redaction", keyFingerprint="a" * 16)
    relinked(chain, 1, "redaction", keyFingerprint="a" * 16)
    relinked(chain, 2, "redaction", keyFingerprint=later)
    message = f"its pseudonym key's fingerprint differs from that of {chain[1].path}"
    assert found(taplogs, *NAMES, "--chain") == [message]


def test_a_chain_that_began_with_a_key_of_each_export_may_get_a_lasting_one(
    taplogs: Command, chain: list[Evidence]
) -> None:
    relinked(chain, 2, "redaction", keyFingerprint="a" * 16)
    assert found(taplogs, *NAMES, "--chain") == []


@pytest.mark.parametrize("company", [None, "theirs"])
def test_an_export_without_records_is_of_the_company_of_the_chain(
    taplogs: Command, chain: list[Evidence], company: str | None
) -> None:
    emptied(chain[1])
    relinked(chain, 1, "source", companyId=company)
    assert f"its company differs from that of {chain[0].path}" in found(taplogs, *NAMES, "--chain")
    relinked(chain, 1, "source", companyId="company")
    assert found(taplogs, *NAMES, "--chain") == []


@pytest.mark.parametrize(
    ("members", "what"), [({"companyId": "theirs"}, "companies"), ({"environment": "live"}, "sources or filters")]
)
def test_exports_of_two_companies_or_environments_cover_no_period_together(
    taplogs: Command, chain: list[Evidence], members: dict[str, Any], what: str
) -> None:
    emptied(chain[1])
    assert found(taplogs, "one", "two", *PERIOD) == []
    relinked(chain, 1, "source", **members)
    message = f"the exports have different {what}, and cover no time together"
    assert found(taplogs, "one", "two", *PERIOD) == [message]
