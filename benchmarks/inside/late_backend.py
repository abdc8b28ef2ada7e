"""Serve a store as a backend that knows pages only, and sends each of them late: STORE MILLISECONDS."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taplogs.backend.app import BASE_PATH, create_app
from taplogs.backend.server import BackendServer, serve_forever
from taplogs.sources.sqlite import SqliteStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Late:
    """An application as it answers from far away, and before it learned to stream."""

    def __init__(self, application: WSGIApplication, seconds: float) -> None:
        self._application = application
        self._seconds = seconds

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Wait, then answer with JSON whatever was asked for."""
        time.sleep(self._seconds)
        return self._application({**environ, "HTTP_ACCEPT": "application/json"}, start_response)


def main() -> None:
    """Serve until SIGTERM, on a free port that is printed."""
    path, milliseconds = sys.argv[1:]
    store = SqliteStore(Path(path))
    application = Late(create_app(store), int(milliseconds) / 1000)
    serve_forever(BackendServer(application, threads=16), ready=lambda url: print(url + BASE_PATH, flush=True))
    store.close()


if __name__ == "__main__":
    main()
