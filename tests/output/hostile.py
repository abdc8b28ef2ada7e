"""Text that strangers write into logs to harm whoever reads them; and what nobody would call harmful but is odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec import Raw

from serving import log_entry
from taplogs.core.entry import LogEntry

_DATA = Path(__file__).parent.parent / "data"

NAUGHTY: list[str] = json.loads((_DATA / "blns" / "blns.json").read_text("utf-8"))
"""The Big List of Naughty Strings."""

DECEIVING: dict[str, str] = {
    chr(int(code, 16)): name
    for code, name in json.loads((_DATA / "anti-trojan-source" / "characters.json").read_text("utf-8")).items()
}
"""Characters that a reader does not see, or that change what is seen, and what they are."""

SEQUENCES = {
    "colour": "\x1b[31mred",
    "erase the screen": "\x1b[2J\x1b[H",
    "erase the line": "\x1b[2K\rfake row",
    "cursor up": "\x1b[10A",
    "report the cursor": "\x1b[6n",
    "report the terminal": "\x1b[c",
    "alternate screen": "\x1b[?1049h",
    "mouse reports": "\x1b[?1003h",
    "no wrapping": "\x1b[?7l",
    "scroll region": "\x1b[5;10r",
    "reset": "\x1bc",
    "charset": "\x1b(0qqq",
    "shift out": "\x0eqqq",
    "title": "\x1b]0;owned\x07",
    "title, C1": "\x9d0;owned\x9c",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "palette": "\x1b]4;1;rgb:00/00/00\x07",
    "notification": "\x1b]9;hello\x07",
    "device control": "\x1bPq#0;2;0;0;0\x1b\\",
    "request setting": '\x1bP$q"p\x1b\\',
    "application command": "\x1b_Gf=32;AAAA\x1b\\",
    "privacy message": "\x1b^hidden\x1b\\",
    "CSI as C1": "\x9b31mred",
    "DCS as C1": "\x90q\x9c",
    "next line as C1": "a\x85b",
    "bell": "\x07",
    "backspace": "secret\x08\x08\x08\x08\x08\x08public",
    "carriage return": "real\rfake",
    "line feed": "one\ntwo",
    "both": "one\r\ntwo",
    "tab": "a\tb",
    "vertical tab": "a\x0bb",
    "form feed": "a\x0cb",
    "nul": "a\x00b",
    "delete": "a\x7fb",
    "substitute": "a\x1ab",
    "flow control": "\x13stop",
    "enquiry": "\x05",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "right to left": "\u202egpj.exe",
    "isolate": "\u2066a\u2069",
    "zero width": "ad\u200bmin",
    "joiner": "a\u200db",
    "byte order mark": "\ufeffa",
    "soft hyphen": "a\u00adb",
    "no-break space": "a\u00a0b",
    "tags": "a" + "".join(chr(0xE0000 + ord(letter)) for letter in "hidden"),
    "variation selector": "a\ufe0f\U000e0101",
    "filler": "a\u3164b",
    "annotation": "\ufff9a\ufffab\ufffb",
    "private use": "\ue000\U000f0000",
    "not a character": "\ufffe\U0010ffff",
    "unassigned": "\u0378",
    "high surrogate": "a\ud800b",
    "low surrogate": "a\udc9bb",
    "reversed surrogates": "\udc00\ud800",
}

MARKUP = {
    "style": "[bold red]alert[/bold red]",
    "close": "[/]",
    "unknown close": "[/nothing]",
    "link": "[link=https://evil.example]click[/link]",
    "action": "[@click=app.quit]x[/]",
    "emoji": ":smile: :pile_of_poo:",
    "escaped": "\\[bold]",
    "number": "[1]",
    "percent": "%s %(a)s {0} {a}",
}

ODD = [*SEQUENCES.values(), *MARKUP.values(), *NAUGHTY]


def json_text(value: Any) -> Raw:
    """Return a value as a payload."""
    return Raw(json.dumps(value).encode("ascii"))


def hostile_entry(number: int, text: str) -> LogEntry:
    """Return an entry with `text` in every field that can hold it."""
    return log_entry(
        number,
        id=f"{number}{text}",
        method=text,
        request_url=f"https://a.example/{text}",
        status_code=(200, 404, 500)[number % 3],
        ip_address=text,
        user_agent=text,
        client_id=text,
        company_id=text,
        request_payload=json_text({text: [text, 1, {"a": text}]}),
        response_payload=json_text(text) if number % 2 else json_text([text]),
    )


ENTRIES = [hostile_entry(number, text) for number, text in enumerate(ODD, 1)]
