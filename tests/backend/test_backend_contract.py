"""The reference backend against docs/openapi.yaml, as schemathesis sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serving import Backend, log_entry, payload

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
CURSOR = '        - $ref: "#/components/parameters/cursor"\n'


@pytest.fixture
def filled(backend: Backend) -> Backend:
    backend.store.add(
        log_entry(number, status_code=200 + number % 4 * 100, response_payload=payload("[null]"))
        for number in range(300)
    )
    backend.store.add([log_entry(300, latency_ms=None, ip_address=None, created_at=None, updated_at=None)])
    return backend


def schemathesis(backend: Backend, document: Path, *options: str) -> None:
    """Run all checks; what it finds fails the test with its report."""
    script = Path(sys.executable).with_name("schemathesis")
    command = [str(script), "run", str(document), "--url", backend.url, "--checks", "all", *options]
    command += [
        "--header",
        f"Authorization: Bearer {backend.key}",
        "--max-examples",
        "60",
        "--generation-deterministic",
        "--no-color",
    ]
    result = subprocess.run(command, cwd=document.parent, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_backend_answers_as_its_document_says(filled: Backend, tmp_path: Path) -> None:
    document = tmp_path / DOCUMENT.name
    document.write_bytes(DOCUMENT.read_bytes())
    # No schema can say which text is a cursor: those that schemathesis makes are refused, and rightly so.
    schemathesis(filled, document, "--exclude-checks", "positive_data_acceptance")


def test_the_backend_takes_all_that_its_document_allows_beside_the_cursor(filled: Backend, tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    assert CURSOR in text
    document = tmp_path / DOCUMENT.name
    document.write_text(text.replace(CURSOR, ""))
    schemathesis(filled, document)
