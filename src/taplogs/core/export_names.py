"""The names of an export's files."""

from __future__ import annotations

RECORDS = "records.jsonl"
TABLE = "records.csv"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.minisig"
