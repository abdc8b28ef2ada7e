"""What speaks ClickHouse's HTTP interface for tests: questions and inserts go to the real engine in this process.

It takes a user and a password, and can be told to answer with anything else first.
"""

from __future__ import annotations

import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

USER, PASSWORD = "reader", "Canary-Passwort-7"

Reply = tuple[int, dict[str, str], bytes]

CUT: Reply = (0, {}, b"")
"""As a fault: the engine's answer without its last bytes."""


@dataclass
class ClickHouseServer:
    """`port` is its own, `requests` what it was sent; `fault`, where set, answers in the place of the engine."""

    folder: Path
    port: int = 0
    fault: Callable[[str], Reply | None] | None = None
    requests: list[Message] = field(default_factory=list)

    def url(self, *, user: str = USER, database: str = "tests", table: str = "served") -> str:
        return f"clickhouse://{user}@127.0.0.1:{self.port}/{database}?table={table}"

    def answer(self, headers: Message, target: str, body: bytes) -> Reply:
        self.requests.append(headers)
        if headers["Authorization"] != f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}":
            return failed(516, f"{USER}: Authentication failed: password is incorrect (AUTHENTICATION_FAILED)", 403)
        values = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        kind = headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            values |= form_values(kind, body)
            body = b""
        if not values.get("query"):
            query, separator, body = plain(body, headers.get("Content-Encoding")).partition(b" FORMAT Native\n")
            values["query"] = (query + separator.rstrip()).decode()
        reply = self.fault(values["query"]) if self.fault else None
        if reply == CUT:
            status, fields, content = self._carried_out(values, body)
            return status, fields, content[:-10]
        return reply or self._carried_out(values, body)

    def _carried_out(self, values: dict[str, str], body: bytes) -> Reply:
        try:
            return 200, {"X-ClickHouse-Timezone": "UTC"}, self._carry_out(values, body)
        except RuntimeError as error:
            text = str(error)
            return failed(int(text.partition("Code: ")[2].partition(".")[0] or 1), text, 500)

    def _carry_out(self, values: dict[str, str], body: bytes) -> bytes:
        query = values["query"]
        connection: Any = chdb.connect(str(self.folder))  # type: ignore[no-untyped-call]  # chdb has no types
        try:
            if body:
                with tempfile.NamedTemporaryFile() as file:
                    file.write(body)
                    file.flush()
                    statement, _, name = query.rpartition(" FORMAT ")
                    connection.query(f"{statement} FROM INFILE '{file.name}' FORMAT {name}")
                return b""
            parameters = {name[6:]: text for name, text in values.items() if name.startswith("param_")}
            answered: bytes = connection.query(query, "TabSeparated", params=parameters).bytes()
            return answered
        finally:
            connection.close()


def failed(code: int, message: str, status: int) -> Reply:
    """Return how ClickHouse tells an error."""
    return status, {"X-ClickHouse-Exception-Code": str(code)}, f"Code: {code}. DB::Exception: {message}\n".encode()


def form_values(kind: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form (RFC 7578)."""
    form = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    values = {}
    for part in form.get_payload():
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        values[str(part.get_param("name", header="Content-Disposition"))] = content.decode()
    return values


def plain(body: bytes, encoding: str | None) -> bytes:
    """Return a body without its compression."""
    if encoding == "lz4":
        import lz4.frame

        unpacked: bytes = lz4.frame.decompress(body)
        return unpacked
    if encoding == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    assert encoding in (None, "identity")
    return body


@contextmanager
def running_clickhouse(folder: Path, tls: Any = None) -> Iterator[ClickHouseServer]:
    """Serve the engine of this process on the loopback interface until the end of the block."""
    server = ClickHouseServer(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(iter(self._chunk, b""))
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = server.answer(self.headers, self.path, body)
            self.send_response(status)
            for name, text in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def _chunk(self) -> bytes:
            size = int(self.rfile.readline(), 16)
            content = self.rfile.read(size)
            self.rfile.readline()
            return content

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
