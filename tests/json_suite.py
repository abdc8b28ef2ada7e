"""The JSON parsing test suite: texts that are valid JSON (y_), are not (n_), or may be either (i_), by name."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

SUITE = Path(__file__).parent / "data" / "json-test-suite" / "parsing.json"
CASES: dict[str, bytes] = {
    name: zlib.decompress(base64.b64decode(text)) for name, text in json.loads(SUITE.read_text("utf-8")).items()
}
