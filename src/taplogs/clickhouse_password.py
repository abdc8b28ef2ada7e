"""The password of a ClickHouse user: from the environment, or from the system keyring; never out of an address."""

from __future__ import annotations

from collections.abc import Mapping

from taplogs.errors import AuthenticationError
from taplogs.sources.clickhouse_address import PASSWORD_VARIABLE, ClickHouseAddress
from taplogs.system_keyring import SystemKeyring


def find_password(environ: Mapping[str, str], address: ClickHouseAddress) -> str | None:
    """Return the password for `address`; None without one, which ClickHouse takes for an empty one.

    The keyring has it under the service `taplogs`, by user and server (`address.origin`), so it is never sent to
    another server than it was stored for. Raises AuthenticationError where a keyring does not answer.
    """
    if address.folder is not None:
        return None
    if PASSWORD_VARIABLE in environ:
        return environ[PASSWORD_VARIABLE]
    keyring = SystemKeyring(PASSWORD_VARIABLE, AuthenticationError, f"set {PASSWORD_VARIABLE} instead")
    return keyring.get(address.origin)
