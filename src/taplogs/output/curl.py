"""A logged request as a runnable curl command. The key is never part of it, only the variable that holds it."""

from __future__ import annotations

import shlex

from taplogs.core.entry import LogEntry, has_payload, is_text, payload_text
from taplogs.output.terminal import harmless

_AUTHORIZATION = '--header "Authorization: Bearer $TAPLOGS_API_KEY"'

_WITHOUT_KEY = f"# without your key, for this is no host of the Partner API; to send it: {_AUTHORIZATION}"


def curl_command(entry: LogEntry, *, with_key: bool, ascii_only: bool = False) -> str:
    """Return the command over several lines, for a POSIX shell; what is not printable needs bash, zsh or ksh (`$'…'`).

    `with_key` says whether the URL's host may have the key; without it a comment says how to send it all the same.
    `ascii_only` writes everything beyond ASCII in escapes.
    """

    def quote(text: str) -> str:
        return shell_word(text, ascii_only=ascii_only)

    parts = [f"curl --request {quote(entry.method)}", f"--url {quote(entry.request_url)}"]
    if entry.method == "HEAD":
        parts[0] = "curl --head"
    elif not _is_one_line(entry.method):
        parts[0] = "curl"
    parts += _about_url(entry.request_url)
    if with_key:
        parts.append(_AUTHORIZATION)
        if entry.request_url.lower().startswith("http://"):  # this machine: a proxy would see the key in the clear
            parts.append("--noproxy '*'")
    if entry.user_agent and _is_one_line(entry.user_agent):
        parts.append(f"--user-agent {quote(entry.user_agent)}")
    if has_payload(entry.request_payload):
        if not is_text(entry.request_payload):
            parts.append("--header 'Content-Type: application/json'")
        parts.append(f"--data-raw {quote(payload_text(entry.request_payload))}")
    command = " \\\n  ".join(parts)
    return command if with_key else f"{command}\n{_WITHOUT_KEY}"


def _about_url(url: str) -> list[str]:
    """Return the options that have curl ask for a URL as it is, and for nothing but a web address."""
    options = ["--globoff"] if any(character in url for character in "[]{}") else []
    if "/." in url:
        options.append("--path-as-is")
    if not url.lower().startswith(("http://", "https://")):
        options.append("--proto =http,https")
    return options


def _is_one_line(text: str) -> bool:
    """Return whether a text can stand in the head of a request; with a line break it would begin another request."""
    return all(character >= " " and character != "\x7f" for character in text)


def shell_word(text: str, *, ascii_only: bool = False) -> str:
    """Return `text` as one word of a shell, on one line and harmless on a terminal."""
    if harmless(text, ascii_only=ascii_only) == text:
        return shlex.quote(text)
    escaped = "".join(_escaped(character, ascii_only) for character in text)
    return f"$'{escaped}'"


def _escaped(character: str, ascii_only: bool) -> str:
    # No real quote or backslash: a shell that does not know $'…' gets a wrong text, but nothing that it would run.
    if character not in "'\\" and harmless(character, ascii_only=ascii_only) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
