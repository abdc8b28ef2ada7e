r"""Redaction profiles: which values are hidden, by name, by place, by pattern, and what stands in for them.

A profile is data. A company's own one, in TOML, has the same members as the built-in ones:

    extends = "personal"            # a built-in profile, secrets without it; what stands here goes before it
    keep = ["nickname", "$.requestPayload.job.name"]   # names and paths that are left alone
    messages = ["$.responsePayload.faults"]   # in failed requests: what is wrong with each field, by its name

    [[fields]]                      # members of payloads, elements of XML, parameters of URLs and of forms
    names = ["badge", "*staffNumber"]   # `badge` in any style, and all names that end in `staffNumber`
    label = "badge"                 # pseudonyms are `badge-…`; without a label the value becomes `[redacted]`

    [[parameters]]                  # the same for parameters of URLs alone
    names = ["who"]
    label = "name"

    [[paths]]                       # see `json_path`; `$` is the entry
    path = "$.requestPayload.items[*].ref"
    label = "badge"

    [[patterns]]
    name = "staff number"
    pattern = '\bE-(?P<value>[0-9]{6})\b'   # only the group `value` is replaced, where there is one
    contains = ["E-"]               # optional, and faster: looked for only in texts where one of these occurs

A pattern of your own runs on texts of strangers, and none can be proven harmless here: one with nested repetition,
such as `(a+)+$`, takes forever on some of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from taplogs.core.built_in_profiles import BUILT_IN
from taplogs.core.field_names import folded
from taplogs.core.json_path import parse_path
from taplogs.core.pattern_checks import CHECKS
from taplogs.errors import ConfigurationError

BUILT_IN_NAMES = tuple(BUILT_IN)
"""What `built_in` takes, from the least to the most that is hidden."""

REDACTABLE = ("requestUrl", "requestPayload", "responsePayload", "ipAddress", "userAgent", "clientId", "companyId")
"""The members of an entry that paths may lead to. The id and the times, by which it is found and ordered, are never
hidden; the method is redacted as a text, by names and patterns alone.
"""

_LABEL = "[a-z][a-z0-9]{0,19}"


class _Part(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class FieldRule(_Part, frozen=True):
    """Values under one of these names are replaced; `label` None: by `[redacted]`."""

    names: tuple[str, ...]
    label: str | None = None


class PathRule(_Part, frozen=True):
    """The value at a place of the entry is replaced."""

    path: str
    label: str | None = None


class PatternRule(_Part, frozen=True):
    """Text that matches is replaced where `check` accepts it.

    It is looked for only in texts where one of `contains` occurs, or where `hint`, a faster expression, matches.
    """

    name: str
    pattern: str
    label: str | None = None
    check: str | None = None
    contains: tuple[str, ...] = ()
    hint: str | None = None


class _Document(_Part, frozen=True):
    extends: str = "secrets"  # who forgets the line leaks no password
    fields: tuple[FieldRule, ...] = ()
    parameters: tuple[FieldRule, ...] = ()
    paths: tuple[PathRule, ...] = ()
    patterns: tuple[PatternRule, ...] = ()
    keep: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


class Profile(Struct, frozen=True):
    """What is hidden. Of several rules for the same value the first one counts."""

    name: str
    fields: tuple[FieldRule, ...] = ()
    parameters: tuple[FieldRule, ...] = ()
    paths: tuple[PathRule, ...] = ()
    patterns: tuple[PatternRule, ...] = ()
    keep: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The SHA-256 of its rules as JSON with sorted members and without white space, in hexadecimal."""
        from hashlib import sha256

        rules = {name: value for name, value in msgspec.to_builtins(self).items() if name != "name"}
        text = json.dumps(rules, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def labels(self) -> frozenset[str]:
        """The labels of all pseudonyms that it may make."""
        rules: tuple[FieldRule | PathRule | PatternRule, ...] = (
            *self.fields,
            *self.parameters,
            *self.paths,
            *self.patterns,
        )
        return frozenset(rule.label for rule in rules if rule.label is not None)

    @property
    def pseudonyms(self) -> bool:
        """Whether it makes any pseudonyms, and so needs a key."""
        return bool(self.labels)

    @property
    def hides_nothing(self) -> bool:
        """Whether it has no rules."""
        return not (self.fields or self.parameters or self.paths or self.patterns)


def built_in(name: str) -> Profile:
    """Return a built-in profile; raises ConfigurationError for another name."""
    if name not in BUILT_IN:
        raise ConfigurationError(
            f"there is no redaction profile {name!r}",
            f"built in are {', '.join(BUILT_IN_NAMES)}; a profile of your own is a TOML file",
        )
    return _profile(_known_to_be_sound(BUILT_IN[name]), name)


def parse_profile(document: Mapping[str, Any], name: str) -> Profile:
    """Return the profile that a TOML document describes; raises ConfigurationError that names the place of a fault."""
    try:
        own = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise _refusal(
            name,
            str(error),
            "a profile has extends, keep, messages, [[fields]] and [[parameters]] with names, [[paths]] with path, "
            "[[patterns]] with name and pattern; each may have a label, patterns also contains and check",
        ) from None
    for place, fault, hint in _faults(own):
        raise _refusal(name, f"{fault} - at `$.{place}`", hint)  # the first one will do
    return _profile(own, name)


def _known_to_be_sound(document: Mapping[str, Any]) -> _Document:
    """Return what `msgspec.convert` returns, a millisecond earlier: every run of the program makes a profile."""
    return _Document(
        document.get("extends", "none"),
        tuple(FieldRule(tuple(rule["names"]), rule.get("label")) for rule in document.get("fields", ())),
        tuple(FieldRule(tuple(rule["names"]), rule.get("label")) for rule in document.get("parameters", ())),
        tuple(PathRule(**rule) for rule in document.get("paths", ())),
        tuple(
            PatternRule(**rule | {"contains": tuple(rule.get("contains", ()))}) for rule in document.get("patterns", ())
        ),
        tuple(document.get("keep", ())),
        tuple(document.get("messages", ())),
    )


def _profile(own: _Document, name: str) -> Profile:
    base = Profile("none") if own.extends == "none" else built_in(own.extends)
    return Profile(
        name,
        own.fields + base.fields,
        own.parameters + base.parameters,
        own.paths + base.paths,
        own.patterns + base.patterns,
        own.keep + base.keep,
        own.messages + base.messages,
    )


def _refusal(name: str, fault: str, hint: str) -> ConfigurationError:
    fault = re.sub(r"Object missing required field (`\w+`)", r"\1 is missing", fault)
    return ConfigurationError(f"the redaction profile {name!r} cannot be used: {fault}", hint)


def _faults(own: _Document) -> Iterator[tuple[str, str, str]]:
    """Yield place, fault and hint of all that cannot be meant."""
    if own.extends not in BUILT_IN:
        yield "extends", f"there is no profile {own.extends!r} to extend", f"one of {', '.join(BUILT_IN_NAMES)}"
    groups: dict[str, Sequence[FieldRule | PathRule | PatternRule]] = {
        "fields": own.fields,
        "parameters": own.parameters,
        "paths": own.paths,
        "patterns": own.patterns,
    }
    for member, rules in groups.items():
        for index, rule in enumerate(rules):
            yield from _faults_of_rule(f"{member}[{index}]", rule)
    for index, path in enumerate(own.messages):
        yield from _faults_of_path(f"messages[{index}]", path)
    for index, kept in enumerate(own.keep):
        faults_of = _faults_of_path if kept.startswith("$") else _faults_of_name
        yield from faults_of(f"keep[{index}]", kept)


def _faults_of_rule(place: str, rule: FieldRule | PathRule | PatternRule) -> Iterator[tuple[str, str, str]]:
    if rule.label is not None and not re.fullmatch(_LABEL, rule.label):
        yield f"{place}.label", f"the label {rule.label!r}", "a label is of a-z and 0-9, a letter first, 20 at most"
    if isinstance(rule, FieldRule):
        for index, name in enumerate(rule.names):
            yield from _faults_of_name(f"{place}.names[{index}]", name)
    elif isinstance(rule, PathRule):
        yield from _faults_of_path(f"{place}.path", rule.path)
    else:
        yield from _faults_of_pattern(place, rule)


def _faults_of_name(place: str, name: str) -> Iterator[tuple[str, str, str]]:
    if not folded(name) or "*" in name[1:]:
        yield place, f"the name {name!r}", "a name has a letter, and * only before it, for all names that end so"


def _faults_of_path(place: str, path: str) -> Iterator[tuple[str, str, str]]:
    try:
        first, *rest = parse_path(path)
    except ValueError as error:
        yield place, str(error), "a path is such as $.requestPayload.items[*].name or $..candidate.location"
        return
    if first.deep or first.name is None:
        return
    if first.name not in REDACTABLE:
        yield place, f"{first.name!r} in the path {path!r}", f"what can be redacted is {', '.join(REDACTABLE)}"
    elif rest and not first.name.endswith("Payload"):
        yield place, f"the path {path!r} into a text", "only payloads have members"


def _faults_of_pattern(place: str, rule: PatternRule) -> Iterator[tuple[str, str, str]]:
    for member, text in (("pattern", rule.pattern), ("hint", rule.hint)):
        try:
            expression = re.compile(text or "x") if member == "pattern" else re.compile(f"x|{text or 'x'}")
        except (re.error, RecursionError, OverflowError) as error:
            yield f"{place}.{member}", f"the {member} {text!r}: {error}", "a regular expression of Python's re"
            return
        if member == "hint" and expression.groups:
            yield f"{place}.hint", f"the hint {text!r} has groups", "(?:…) where parts belong together"
        if expression.match(""):
            yield f"{place}.{member}", f"the {member} {text!r} matches nothing", "it must match at least one character"
    if rule.check is not None and rule.check not in CHECKS:
        yield f"{place}.check", f"the check {rule.check!r}", f"one of {', '.join(CHECKS)}"
    if "" in rule.contains:
        yield f"{place}.contains", "an empty text", "a text that stands in all that the pattern matches"
