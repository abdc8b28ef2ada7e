"""Messages of errors -> the form that repeated errors share: ids, numbers, quoted values, addresses and times folded.

`Job 48121 was not found.` and `Job 48377 was not found.` are the same error: `Job {n} was not found.`
"""

from __future__ import annotations

import re

from taplogs.core.endpoint import ID_SEGMENT

LONGEST_MESSAGE = 200
"""How many characters a folded message has at most."""

_LOOKED_AT = 1000

# No text makes these take longer than its length: what a quantifier repeats cannot be what follows it, or it gives
# nothing back (`*+`). An apostrophe within a word opens and closes nothing, and a placeholder counts as a word.
_IN_WORDS = "0-9A-Za-z_À-ÖØ-öø-ɏ"
_URL_OR_QUOTED = (
    r"(?P<url>\b[A-Za-z][A-Za-z0-9+.-]{1,14}://[^\s\"'`<>“”{}]*[^\s\"'`<>“”{}.,;:!?)\]])"
    rf"|(?<![{_IN_WORDS}}}])'(?:[^']|(?<=[{_IN_WORDS}}}])'(?=[{_IN_WORDS}{{]))*+'(?![{_IN_WORDS}{{])"
    r"|\"[^\"]*\""
    r"|`[^`]*`"
    r"|“[^“”]*”"
    r"|«[^«»]*»"
    r"|「[^「」]*」"
)

_WORD = rf"(?<![{_IN_WORDS}.:,+@-])(?=[A-Za-z_À-ÖØ-öø-ɏ.:,+-]*+[0-9@])[{_IN_WORDS}.:,+@-]++"
"""A run of what ids, numbers, times and addresses are made of. One without digit and @ holds none of them."""

_EDGES = ".,+-@"

_TIME_OF_DAY = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?"
_UNITS = r"(?:ns|us|ms|s|sec|m|min|h|d|B|[kKMGT]i?B|bytes|px|x)"
_PSEUDONYM = r"[a-z][a-z0-9]{0,19}-[0-9a-f]{16}"  # see `core.pseudonym`: another one in each run without a lasting key
_KINDS = (
    rf"(?P<time>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[Tt]{_TIME_OF_DAY})?|{_TIME_OF_DAY})"
    r"|(?P<ip>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
    r"|(?=[0-9A-Fa-f:]*::)(?=[^0-9]*[0-9])[0-9A-Fa-f:.]{2,44}[0-9A-Fa-f:])"
    rf"|(?P<n>[0-9]{{1,11}}(?:[.,][0-9]{{1,11}})*)(?P<unit>{_UNITS}?)"
    rf"|(?P<id>{ID_SEGMENT}|{_PSEUDONYM})"
    r"|(?P<email>[^@:,.+-][^@:,]*@[^@:,]*[^@:,.+-])"
)
_FOLDABLE = "[0-9@\"'`“«「]|://"
_LIST = r"(\{[a-z]+\})(?:, ?\1)+"
_INDEX = r"(?<=\.)[0-9]+(?=\.)"


def fold_message(text: str) -> str:
    """Return `text` on one line of at most 200 characters, with a placeholder for each part that varies.

    The placeholders are `{id}`, `{n}`, `{value}` (what stood in quotes), `{email}`, `{url}`, `{ip}` and `{time}`; of a
    list of the same kind, the first one is kept.
    Only the first 1,000 characters are looked at. Folding a folded message changes nothing.
    """
    folded = _folded(" ".join(text[:_LOOKED_AT].split()))
    return _shortened(folded) if len(text) > _LOOKED_AT or len(folded) > LONGEST_MESSAGE else folded


def _folded(text: str) -> str:
    """Fold until nothing changes: what a part was torn from may turn out to be one, too."""
    while re.search(_FOLDABLE, text):
        folded = re.sub(_WORD, _fold_found, re.sub(_URL_OR_QUOTED, _placeholder, text))
        folded = re.sub(_LIST, r"\1, ...", folded)  # errors are the same however many ids they list
        if folded == text:
            break
        text = folded
    return text


def _placeholder(found: re.Match[str]) -> str:
    return "{url}" if found["url"] else "{value}"


def _fold_found(found: re.Match[str]) -> str:
    return _fold_word(found[0])


def _fold_word(word: str) -> str:
    """Fold a word between its punctuation: whole, else the parts beside its colons and commas, else an index in it."""
    core = word.strip(_EDGES)
    kind = re.fullmatch(_KINDS, core)
    if kind is None and core.strip(":") != core:
        core = core.strip(f":{_EDGES}")  # an address may begin or end with colons, nothing else does
        kind = re.fullmatch(_KINDS, core)
    before, _, after = word.partition(core) if core else (word, "", "")
    if kind:
        folded = f"{{n}}{kind['unit']}" if kind["n"] else f"{{{kind.lastgroup}}}"
    elif ":" in core or "," in core:
        folded = "".join(map(_fold_word, re.split("([,:])", core)))
    else:
        folded = re.sub(_INDEX, "{n}", core)
    return before + folded + after


def _shortened(text: str) -> str:
    """Return the beginning of a folded text with an ellipsis; a word whose rest was cut off must not look foldable."""
    text = text[: LONGEST_MESSAGE - 1]
    while _folded(f"{text}…") != f"{text}…":
        text = text[: max(text.rfind(" "), 0)]
    return f"{text}…"
