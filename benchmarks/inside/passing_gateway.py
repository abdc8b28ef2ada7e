"""Serve as the gateway does, but record nothing: UPSTREAM. Prints its URL."""

from __future__ import annotations

import sys

from taplogs.gateway.server import GatewayServer
from taplogs.gateway.upstream import Upstream


def main() -> None:
    """Serve until a signal."""
    server = GatewayServer(Upstream(sys.argv[1]), None, inner=sys.argv[1])
    server.serve_forever(lambda url: print(f"{url}/v1", flush=True))


if __name__ == "__main__":
    main()
