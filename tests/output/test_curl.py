"""The curl command of an entry, run by bash against a server that records what arrives."""

from __future__ import annotations

import json
import shlex
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command import KEY, Command
from serving import Backend, log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.output.curl import curl_command


class Recorder(socketserver.ThreadingTCPServer):
    """Keeps the bytes of each request, head and body, and answers 204."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recording)
        self.received: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Recording(socketserver.StreamRequestHandler):
    server: Recorder

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                break
            head += line
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        body = self.rfile.read(int(fields.get(b"content-length", b"0")))
        self.server.received.append(head + body)
        self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sent(recorder: Recorder, command: str) -> tuple[str, bytes, dict[str, bytes], bytes]:
    """Run a command in bash, and return method, target, header fields and body of the one request it made."""
    recorder.received.clear()
    done = subprocess.run(
        ["bash", "-c", command],
        env={
            "TAPLOGS_API_KEY": KEY,
            "HOME": "/nonexistent",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (request,) = recorder.received
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, rest = first.split(b" ", 1)
    fields = {name.decode().lower(): value for name, value in (line.split(b": ", 1) for line in lines if b": " in line)}
    return method.decode(), rest.removesuffix(b" HTTP/1.1"), fields, body


def entry_at(recorder: Recorder, target: str, **fields: Any) -> LogEntry:
    return log_entry(request_url=recorder.url + target, **fields)


QUOTING = [
    "it's",
    '"quoted"',
    "$HOME",
    "`id`",
    "$(id)",
    "\\",
    "\\n",
    "a b",
    "*",
    "?",
    "!",
    "!!",
    "~",
    "#",
    ";",
    "&",
    "|",
]
QUOTING += [
    "<>",
    "(x)",
    "{a,b}",
    "[1-3]",
    "%41%zz",
    "^",
    "=",
    "@file",
    "-x",
    "--",
    "''",
    "\\'",
    "$'x'",
    "é東🎉",
    "end\\",
]


@pytest.mark.parametrize("text", QUOTING)
def test_what_a_shell_would_read_arrives_as_it_is(recorder: Recorder, text: str) -> None:
    ascii_text = text.encode("ascii", "ignore").decode()  # curl writes the rest of a path as %-escapes
    path = "/v1/" + ascii_text.replace(" ", "+").replace("#", "%23").replace("?", "%3F")
    body = json.dumps({"text": text}, ensure_ascii=False)
    entry = entry_at(recorder, f"{path}?q={path}", method="POST", user_agent=text, request_payload=payload(body))
    for ascii_only in (False, True):
        command = curl_command(entry, with_key=True, ascii_only=ascii_only)
        assert command.isascii() or not ascii_only
        method, target, fields, received = sent(recorder, command)
        assert method == "POST"
        assert target == f"{path}?q={path}".encode()
        assert fields["user-agent"] == text.encode()
        assert fields["authorization"] == f"Bearer {KEY}".encode()
        assert fields["content-type"] == b"application/json"
        assert received == body.encode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X-OWN"])
def test_every_method(recorder: Recorder, method: str) -> None:
    found, target, fields, body = sent(recorder, curl_command(entry_at(recorder, "/a", method=method), with_key=True))
    assert (found, target, body) == (method, b"/a", b"")
    assert "content-type" not in fields


@pytest.mark.parametrize(
    "target", ["/a/../b", "/./a", "/a/..", "/a//b", "/a?x=/../y", "/%2e%2e/a", "/", "/?", "/a;b?c=d&&e"]
)
def test_the_path_is_asked_for_as_it_is(recorder: Recorder, target: str) -> None:
    assert sent(recorder, curl_command(entry_at(recorder, target), with_key=True))[1] == target.encode()


@pytest.mark.parametrize(
    "text", ["plain", "@/etc/passwd", "a=b&c=d", "two\nlines", "tab\tbell\x07", "\x1b[31m", "é\u202e", ""]
)
def test_a_body_that_is_text_is_sent_as_that_text(recorder: Recorder, text: str) -> None:
    entry = entry_at(recorder, "/", method="POST", request_payload=payload(json.dumps(text)))
    command = curl_command(entry, with_key=True)
    assert command.replace("\n", "").isprintable()
    assert sent(recorder, command)[3] == text.encode()


ARGUMENT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
HEADER = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=30)
    .map(str.strip)
    .filter(bool)
)
TARGET = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters=" #"), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(agent=HEADER, body=ARGUMENT, target=TARGET)
def test_any_request_arrives_as_it_was(recorder: Recorder, agent: str, body: str, target: str) -> None:
    document = json.dumps({"a": body}, ensure_ascii=False)
    entry = entry_at(recorder, f"/{target}", method="PUT", user_agent=agent, request_payload=payload(document))
    command = curl_command(entry, with_key=True)
    assert command.replace("\n", "").isprintable()
    _, found, fields, received = sent(recorder, command)
    assert found == f"/{target}".encode()
    assert fields["user-agent"] == agent.encode()
    assert json.loads(received) == {"a": body}


def test_a_user_agent_with_a_line_break_smuggles_no_request(recorder: Recorder) -> None:
    evil = "x\r\n\r\nDELETE /v1/partner/jobs/42 HTTP/1.1\r\nHost: a\r\nX: "
    command = curl_command(entry_at(recorder, "/a", user_agent=evil), with_key=True)
    _, target, fields, _ = sent(recorder, command)
    assert target == b"/a"
    assert fields["user-agent"].startswith(b"curl/")
    assert "DELETE" not in command


def test_a_method_with_a_line_break_smuggles_no_request(recorder: Recorder) -> None:
    command = curl_command(entry_at(recorder, "/a", method="GET / HTTP/1.1\r\nHost: a\r\n\r\nDELETE"), with_key=True)
    assert sent(recorder, command)[:2] == ("GET", b"/a")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "FILE:///etc/passwd", "gopher://127.0.0.1/x", "dict://127.0.0.1/d"]
)
def test_what_is_no_web_address_is_not_opened(tmp_path: Path, url: str) -> None:
    command = curl_command(log_entry(request_url=url), with_key=False)
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=30, check=False, cwd=tmp_path)
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"not supported or disabled" in done.stderr


def shown(taplogs: Command, backend: Backend, url: str) -> str:
    backend.store.add([log_entry(request_url=url)])
    return taplogs.at(backend).here("show", "entry-00001", "--curl").out


@pytest.mark.parametrize(
    "url",
    [
        "https://partner-api.taptalent.io/v1/partner/jobs",
        "https://PARTNER-API.taptalent.io:443/v1",
        "https://sandbox.partner-api.taptalent.io/v1/partner/jobs?a=b#c",
        "http://127.0.0.1:9999/x",
        "http://localhost/x",
        "http://[::1]/x",
    ],
)
def test_the_variable_of_the_key_is_part_of_a_command_to_hosts_that_may_have_it(
    taplogs: Command, backend: Backend, url: str
) -> None:
    command = shown(taplogs, backend, url)
    assert '--header "Authorization: Bearer $TAPLOGS_API_KEY"' in shlex.join(shlex.split(command)).replace("'", '"')
    assert backend.key not in command


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/partner/jobs",
        "https://partner-api.taptalent.io.evil.example/",
        "https://evil.example/https://partner-api.taptalent.io/",
        "https://partner-api.taptalent.io@evil.example/",
        "https://partner-api.taptalent.io:443@evil.example/",
        "https://partner-api.taptalent.io\\@evil.example/",
        "https://evil.example\\@partner-api.taptalent.io/",
        "https://partner-api.taptalent.io:8443/",
        "http://partner-api.taptalent.io/",
        "//partner-api.taptalent.io/",
        "partner-api.taptalent.io/",
        "https://partner-api.taptalent.io\t.evil.example/",
        "https://partner-api.taptalent.io%2eevil.example/",
        "https://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "https://[1",
        "file:///etc/passwd",
        "",
    ],
)
def test_any_other_host_does_not_get_the_key(taplogs: Command, backend: Backend, url: str) -> None:
    words = shlex.split(shown(taplogs, backend, url), comments=True)
    assert words[0] == "curl"
    assert not [word for word in words if "uthorization" in word or "TAPLOGS_API_KEY" in word]


def test_where_the_key_is_left_out_a_comment_says_how_to_send_it(taplogs: Command, backend: Backend) -> None:
    last = shown(taplogs, backend, "https://evil.example/").splitlines()[-1]
    assert last.startswith("# without your key, for this is no host of the Partner API")


def test_several_commands_have_a_blank_line_between(taplogs: Command, logs: Backend, recorder: Recorder) -> None:
    finished = taplogs.at(logs).run("show", "entry-00001", "entry-00002", "--curl")
    first, second = finished.out.split("\n\n")
    assert first.startswith(
        "curl --request GET \\\n  --url 'https://partner-api.taptalent.io/v1/partner/jobs/1?perPage=20'"
    )
    assert second.endswith("  --user-agent python-requests/2.32.3\n")
    assert logs.key not in finished.out


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    "text", ["\x1b';touch hit;'", "\x1b\\';touch hit;'", "\u202e'$(touch hit)'", "\x1b`touch hit`'`touch hit`'"]
)
def test_no_shell_runs_what_a_log_says(tmp_path: Path, shell: str, text: str) -> None:
    """Some shells do not know the quotes of `$'…'`: they may get a wrong text, but must find nothing to run in it."""
    url = f"http://127.0.0.1:9/{text}"
    entry = log_entry(method=text, request_url=url, user_agent=text, request_payload=payload(json.dumps(text)))
    command = curl_command(entry, with_key=False).replace("curl", "true", 1)
    subprocess.run([shell, "-c", command], cwd=tmp_path, check=False, capture_output=True)
    assert list(tmp_path.iterdir()) == []
