"""The options of `taplogs serve`, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Struct
from typer import Option

from taplogs.cli.panels import ACCESS, GATEWAY, LISTENING, STORE
from taplogs.core.apikey import ApiKey, mask_keys
from taplogs.errors import AuthenticationError, UsageError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

_MAKE_KEY_HINT = "docs/gateway.md shows how to make one; without --read-key, --new-key makes one that the store knows"


class ListenOptions(Struct, frozen=True):
    """Where it listens, and how."""

    listen: Annotated[
        str,
        Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where to listen (127.0.0.1:8321); port 0 takes a free one.",
            show_default=False,
            rich_help_panel=LISTENING,
        ),
    ] = "127.0.0.1:8321"
    cert: Annotated[
        Path | None,
        Option("--cert", metavar="FILE", help="A certificate in PEM: listen with TLS.", rich_help_panel=LISTENING),
    ] = None
    key: Annotated[
        Path | None,
        Option("--key", metavar="FILE", help="The certificate's private key in PEM.", rich_help_panel=LISTENING),
    ] = None
    threads: Annotated[
        int,
        Option(
            "--threads",
            metavar="N",
            min=1,
            max=64,
            help="Requests for logs at once (8).",
            show_default=False,
            rich_help_panel=LISTENING,
        ),
    ] = 8

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; raises UsageError."""
        host, separator, port = self.listen.rpartition(":")
        if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise UsageError(
                f"--listen {self.listen!r} is not understood", "accepted: HOST:PORT, such as 127.0.0.1:8321"
            )
        return host.strip("[]") or "127.0.0.1", int(port)

    def tls(self) -> ssl.SSLContext | None:
        """Return what TLS is accepted with, None without a certificate; raises UsageError."""
        if self.cert is None and self.key is None:
            return None
        if self.cert is None or self.key is None:
            missing = "--cert" if self.cert is None else "--key"
            raise UsageError(f"TLS needs a certificate and its key; {missing} is missing", "--cert FILE --key FILE")
        from taplogs.backend.certificate import server_context

        return server_context(self.cert.expanduser(), self.key.expanduser())


class StoreOptions(Struct, frozen=True):
    """Where entries are kept."""

    store: Annotated[
        str | None,
        Option(
            "--store",
            metavar="STORE",
            help="A database file, or clickhouse://…; a temporary file without it.",
            rich_help_panel=STORE,
        ),
    ] = None
    load: Annotated[
        list[Path] | None,
        Option(
            "--load",
            metavar="FILE",
            help="Load JSON Lines, JSON or CSV; gzip and zstd too.",
            rich_help_panel=STORE,
        ),
    ] = None


class AccessOptions(Struct, frozen=True):
    """Who may read log entries."""

    keys_file: Annotated[
        Path | None,
        Option(
            "--keys",
            metavar="PATH",
            help="A database file for the API keys; the store's without it.",
            rich_help_panel=ACCESS,
        ),
    ] = None
    new_key: Annotated[
        bool,
        Option("--new-key", help="Make an API key; it is shown once, only its hash is kept.", rich_help_panel=ACCESS),
    ] = False
    read_key: Annotated[
        str | None,
        Option(
            "--read-key",
            metavar="FILE",
            help="A file that holds an API key to take as well.",
            rich_help_panel=ACCESS,
        ),
    ] = None
    revoke_key: Annotated[
        str | None,
        Option(
            "--revoke-key",
            metavar="MASKED",
            help="Refuse this key from now on (sk_test_…WXYZ).",
            rich_help_panel=ACCESS,
        ),
    ] = None
    rate: Annotated[
        str | None,
        Option(
            "--rate",
            metavar="N/UNIT",
            help="Requests allowed for each key, such as 100/min.",
            rich_help_panel=ACCESS,
        ),
    ] = None

    def held_key(self, environ: Mapping[str, str]) -> ApiKey | None:
        """Return the key in the file of --read-key; raises UsageError, AuthenticationError."""
        if self.read_key is None:
            return None
        path = Path(self.read_key).expanduser()
        if mask_keys(self.read_key) != self.read_key and not path.exists():
            raise UsageError(
                "--read-key takes the name of a file that holds the key, not the key itself",
                "other users and the shell's history may have seen it: make a new one, and put it into a file",
            )
        from taplogs.private_file import private_text

        # systemd.exec(5): an ACL lets the service read it, which shows as the group's right to.
        is_guarded = str(path.parent) == environ.get("CREDENTIALS_DIRECTORY")
        try:
            return ApiKey(private_text(path, AuthenticationError, _MAKE_KEY_HINT, is_guarded=is_guarded))
        except AuthenticationError as error:
            raise AuthenticationError(f"--read-key {self.read_key}: {error.message}", error.hint) from None


class GatewayOptions(Struct, frozen=True):
    """Where requests are passed on to, and what is kept of them."""

    upstream: Annotated[
        str | None,
        Option(
            "--upstream",
            metavar="URL",
            help="Pass requests on to this API, and log each.",
            rich_help_panel=GATEWAY,
        ),
    ] = None
    upstream_timeout: Annotated[
        str | None,
        Option(
            "--upstream-timeout",
            metavar="DURATION",
            help="How long the API may keep a request waiting (60s).",
            rich_help_panel=GATEWAY,
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Option("--ca-file", metavar="FILE", help="PEM certificates to trust as well.", rich_help_panel=GATEWAY),
    ] = None
    max_body: Annotated[
        str | None,
        Option(
            "--max-body",
            metavar="SIZE",
            help="What is kept of a longer body (64KiB).",
            rich_help_panel=GATEWAY,
        ),
    ] = None
    keep: Annotated[
        str | None,
        Option(
            "--keep",
            metavar="TIME",
            help="Remove entries that are older, such as 90d or 13mo.",
            rich_help_panel=GATEWAY,
        ),
    ] = None
    company: Annotated[
        str | None,
        Option("--company", metavar="NAME", help="The company id of all entries.", rich_help_panel=GATEWAY),
    ] = None
    trusted_proxy: Annotated[
        list[str] | None,
        Option(
            "--trusted-proxy",
            metavar="ADDRESS",
            help="A proxy, or a network of them, whose X-Forwarded-For is believed.",
            rich_help_panel=GATEWAY,
        ),
    ] = None

    def refuse_without_upstream(self) -> None:
        """Raise UsageError where an option is given that is about what is passed on, and nothing is.

        --ca-file is not: a store in ClickHouse goes by it too.
        """
        given = {
            "--upstream-timeout": self.upstream_timeout,
            "--max-body": self.max_body,
            "--keep": self.keep,
            "--company": self.company,
            "--trusted-proxy": self.trusted_proxy,
        }
        for option, value in given.items() if self.upstream is None else ():
            if value:
                raise UsageError(
                    f"{option} is about requests that are passed on, and none are",
                    "--upstream URL says where to, such as https://partner-api.taptalent.io/v1",
                )
