"""A running gateway before a recording upstream: in this process, over a real store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from command import wait_until
from recording_upstream import Field, RecordingUpstream, recording_upstream
from taplogs.core.entry import LogEntry
from taplogs.gateway.server import GatewayServer
from taplogs.gateway.upstream import Upstream

HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")
"""What is of one connection (RFC 9110, section 7.6.1), and is no business of the other side."""


def within_hop(fields: Sequence[Field], but: bytes = b"") -> list[Field]:
    """Return the fields that have to go through, without those named `but`."""
    return [(name, value) for name, value in fields if name.lower() not in (*HOP_BY_HOP, but)]


@dataclass
class Passing:
    """`port` is the gateway's, on the loopback interface."""

    port: int
    upstream: RecordingUpstream
    keeps = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin_anew(self) -> None:
        self.upstream.forget()

    def entries(self, count: int) -> list[LogEntry]:
        raise NotImplementedError


@contextmanager
def passing(path: Path) -> Iterator[Passing]:
    with recording_upstream() as upstream:
        server = GatewayServer(Upstream(upstream.url), None, inner="http://127.0.0.1:9", drain_seconds=5)
        thread = threading.Thread(target=server.serve_forever, args=(lambda _url: None,))
        thread.start()
        try:
            yield Passing(int(server.url.rpartition(":")[2]), upstream)
        finally:
            server.stop()
            thread.join()
