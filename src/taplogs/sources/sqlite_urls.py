"""Request URLs as the store has them: a place, of which there are few, and what differs from entry to entry.

The place of `https://host/v1/jobs/17?page=2` is the origin `https://host` and the endpoint `/v1/jobs/{id}`; what is
left is `17?page=2`. A URL that does not come back exactly that way is left whole, and its place has no origin.
"""

from __future__ import annotations

import re

from msgspec import Struct

from taplogs.core.bounded_text import bounded_text
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import url_path

PLACEHOLDER = "{id}"

_PLAIN_HEAD = re.compile(r"(https?://[A-Za-z0-9.:-]+)(/[!-\"$->@-~]*)")
"""A URL up to its query whose path is what `core.entry.url_path` says it is, whatever the query."""

_LONGEST_FRAME = 300
_MOST_REMEMBERED = 20_000


class Place(Struct, frozen=True):
    """`endpoint` is the template of the path, bounded, without a company's own.

    An empty `origin`: URLs are left whole.
    """

    origin: str
    endpoint: str


class UrlSplitter:
    """Splits URLs; the last ones are remembered up to their query, for the next entries ask for them again."""

    def __init__(self) -> None:
        self._templates = EndpointTemplates()
        self._known: dict[str, tuple[Place, str]] = {}

    def split(self, url: str) -> tuple[Place, str]:
        """Return the place of `url`, and what `UrlJoiner` makes it of again with that place."""
        head, mark, query = url.partition("?")
        found = self._known.get(head)
        if found is None and len(head) <= _LONGEST_FRAME and (found := self._split_head(head)):
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[head] = found
        if found is None:
            return Place("", bounded_text(self._templates.template(url_path(url)))), url
        place, values = found
        return place, f"{values}{mark}{query}"

    def _split_head(self, head: str) -> tuple[Place, str] | None:
        """Return place and values of a URL up to its query; None where it is to be left whole."""
        match = _PLAIN_HEAD.fullmatch(head)
        if match is None or PLACEHOLDER in head:
            return None
        origin, path = match.groups()
        endpoint = self._templates.template(path)
        segments = zip(endpoint.split("/"), path.split("/"), strict=True)
        return Place(origin, endpoint), "/".join(value for name, value in segments if name == PLACEHOLDER)


class UrlJoiner:
    """Makes the URLs of one place again."""

    def __init__(self, place: Place) -> None:
        self._is_whole = not place.origin
        pieces = (place.origin + place.endpoint).split(PLACEHOLDER)
        self._fixed = pieces[0] if len(pieces) == 1 else None
        self._frame = "%s".join(piece.replace("%", "%%") for piece in pieces)

    def join(self, rest: str) -> str:
        """Return the URL that was split into this place and `rest`; raises ValueError, TypeError for another's."""
        if self._is_whole:
            return rest
        if self._fixed is not None:
            if rest and rest[0] != "?":
                raise ValueError(f"{rest!r} belongs to another place than {self._fixed!r}")
            return self._fixed + rest
        values, mark, query = rest.partition("?")
        return self._frame % tuple(values.split("/")) + mark + query
