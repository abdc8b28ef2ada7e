"""Endpoint templates: /v1/partner/jobs/123 -> /v1/partner/jobs/{id}."""

from __future__ import annotations

import re
from collections.abc import Iterable

from taplogs.core.entry import url_path
from taplogs.errors import UsageError

# A long segment counts as opaque when it mixes letters and digits; one with hyphens, which words have too, only when
# it is longer and holds capitals and small letters: `bulk-fetch` and `logstash-monitorama-2013` are names,
# `aGVsbG8gd29ybGQh1` is an id.
ID_SEGMENT = (
    r"(?:[0-9]+"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}"
    r"|(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[0-9A-Za-z_]{16,}"
    r"|(?=[^/]*[0-9])(?=[^/]*[A-Z])(?=[^/]*[a-z])[0-9A-Za-z_-]{20,})"
)
"""A regular expression for one path segment that is an id: an integer, a UUID, hex or long opaque text."""

_ID_SEGMENTS = rf"(?:(?<=/)|\A){ID_SEGMENT}(?=/|\Z)"
_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 1000
_PLACEHOLDER = r"\{[^{}/]*\}"


class EndpointTemplates:
    """Turns paths into templates: by the given templates first, by the shape of each segment otherwise."""

    def __init__(self, templates: Iterable[str] = ()) -> None:
        """`templates`: a company's own, such as `/v1/partner/stages/{name}`; raises UsageError for a bad one."""
        self._overrides = [(template_pattern(template), template) for template in templates]
        self._of_url: dict[str, str] = {}

    @property
    def has_overrides(self) -> bool:
        """Whether there are templates of a company's own besides the shape of segments."""
        return bool(self._overrides)

    def template(self, path: str) -> str:
        """Return the template of a URL's path."""
        for pattern, template in self._overrides:
            if pattern.match(path):
                return template
        return re.sub(_ID_SEGMENTS, "{id}", path)

    def of_url(self, url: str) -> str:
        """Return the template of a URL; the last ones are remembered, for the next entries ask for them again."""
        without_query = url.partition("?")[0]
        if len(without_query) > _LONGEST_REMEMBERED:
            return self.template(url_path(url))
        template = self._of_url.get(without_query)
        if template is None:
            if len(self._of_url) >= _MOST_REMEMBERED:
                self._of_url.clear()
            template = self._of_url[without_query] = self.template(url_path(url))
        return template


def template_pattern(template: str) -> re.Pattern[str]:
    """Return what matches every path of `template`, any segment standing for a placeholder; raises UsageError."""
    if not template.startswith("/") or not _balanced(template):
        raise UsageError(
            f"the endpoint template {template!r} is not understood",
            "a template is a path with placeholders, such as /v1/partner/jobs/{id}",
        )
    literals = re.split(_PLACEHOLDER, template)
    return re.compile("[^/]+".join(map(re.escape, literals)) + r"\Z")


def anonymous(template: str) -> str:
    """Return `template` with nameless placeholders, so that `{id}` and `{jobId}` compare equal."""
    return re.sub(_PLACEHOLDER, "{}", template)


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return what matches the paths of `glob`.

    `?` and `*` stand for text within one segment, `**` for text of any length, `{name}` for one id segment.
    """
    tokens = re.split(r"(\*\*|\*|\?|\{[^{}/]*\})", glob)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(
        meaning.get(token, ID_SEGMENT if re.fullmatch(_PLACEHOLDER, token) else re.escape(token)) for token in tokens
    )
    return re.compile(pattern + r"\Z", re.DOTALL)


def _balanced(template: str) -> bool:
    rest = re.sub(_PLACEHOLDER, "", template)
    return "{" not in rest and "}" not in rest
