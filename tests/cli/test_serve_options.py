"""The options of taplogs serve: what is refused before anything listens, and in which words."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from command import Command, interrupt

UPSTREAM = ("--upstream", "https://api.example.com/v1")
KEY = "sk_test_" + "aB3" * 7 + "x"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://api.example.com/v1", "is not an http or https URL"),
        ("api.example.com", "is not an http or https URL"),
        ("http://api.example.com/v1", "would send the API key unencrypted: http is for loopback only, use https"),
        ("https://user:secret@api.example.com/v1", "holds a user name, a query or a fragment"),
        ("https://api.example.com/v1?a=1", "holds a user name, a query or a fragment"),
        ("https://api.exämple.com/v1", "is not ASCII"),
        ("http://localhost:8321/v1", "is the gateway itself"),
        ("http://127.0.0.1:8321", "is the gateway itself"),
    ],
)
def test_an_upstream_that_cannot_be_passed_on_to_is_refused(taplogs: Command, url: str, said: str) -> None:
    finished = taplogs.here("serve", "--upstream", url)
    assert (finished.code, finished.out) == (2, "")
    assert "--upstream" in finished.err
    assert said in finished.err
    assert "secret" not in finished.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--upstream-timeout", "5s"),
        ("--max-body", "1KiB"),
        ("--keep", "90d"),
        ("--company", "acme"),
        ("--trusted-proxy", "10.0.0.1"),
    ],
)
def test_what_is_about_passing_on_says_so_where_nothing_is(taplogs: Command, arguments: tuple[str, str]) -> None:
    finished = taplogs.here("serve", *arguments)
    assert finished.code == 2
    assert f"{arguments[0]} is about requests that are passed on, and none are" in finished.err
    assert "--upstream URL says where to" in finished.err


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--max-body", "64KB", "accepted: 0 to 16MiB, such as 65536, 64KiB or 1MiB"),
        ("--max-body", "17MiB", "accepted: 0 to 16MiB"),
        ("--upstream-timeout", "60", "such as 500ms, 2s or 1m30s"),
        ("--upstream-timeout", "0s", "accepted: 0.1s to 24h"),
        ("--keep", "90", "accepted:"),
        ("--keep", "5m", "accepted: hours and more"),
        ("--keep", "0d", "accepted: hours and more, such as 36h"),
        ("--keep", "yesterday", "accepted: hours and more, such as 36h"),
        ("--keep", "+90d", "accepted: hours and more, such as 36h"),
        ("--keep", "2026-01-01", "accepted: hours and more, such as 36h"),
        ("--company", " ", "such as --company acme"),
        ("--company", "a\x1b[31m", "such as --company acme"),
        ("--trusted-proxy", "10.0.0.1/8", "accepted: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32"),
        ("--trusted-proxy", "proxy.example.com", "accepted: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32"),
    ],
)
def test_a_value_that_is_not_understood_is_told_with_what_is(
    taplogs: Command, option: str, value: str, hint: str
) -> None:
    finished = taplogs.here("serve", *UPSTREAM, option, value)
    assert finished.code == 2
    assert option in finished.err
    assert hint in finished.err
    assert "\x1b" not in finished.err


def test_certificates_that_cannot_be_read_are_told(taplogs: Command) -> None:
    finished = taplogs.here("serve", *UPSTREAM, "--ca-file", "nowhere.pem")
    assert finished.code == 2
    assert "the certificate authorities cannot be read: No such file or directory" in finished.err


def key_file(taplogs: Command, text: str = KEY, mode: int = 0o600) -> Path:
    path = taplogs.folder / "read.key"
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def test_a_key_in_place_of_its_file_is_refused_and_not_repeated(taplogs: Command) -> None:
    finished = taplogs.here("serve", "--read-key", KEY)
    assert finished.code == 2
    assert "--read-key takes the name of a file that holds the key, not the key itself" in finished.err
    assert KEY not in finished.err
    assert KEY[-4:] not in finished.err


def test_a_file_of_a_key_that_others_can_read_is_refused(taplogs: Command) -> None:
    path = key_file(taplogs, mode=0o640)
    finished = taplogs.here("serve", "--read-key", str(path))
    assert finished.code == 4
    assert f"{path} can be read by others (mode 0640); the key in it was not used" in finished.err
    assert f"chmod 600 {path}" in finished.err


@pytest.mark.parametrize(("text", "said"), [("", "it is empty"), ("hunter2", "does not start with sk_live_")])
def test_a_file_that_holds_no_key_is_refused_and_not_repeated(taplogs: Command, text: str, said: str) -> None:
    path = key_file(taplogs, text)
    finished = taplogs.here("serve", "--read-key", str(path))
    assert finished.code == 4
    assert f"--read-key {path}: " in finished.err
    assert said in finished.err
    assert "hunter2" not in finished.err


def test_a_file_of_a_key_that_is_not_there_is_told_with_how_to_make_one(taplogs: Command) -> None:
    finished = taplogs.here("serve", "--read-key", "nowhere.key")
    assert finished.code == 4
    assert "nowhere.key cannot be read: No such file or directory" in finished.err
    assert "docs/gateway.md shows how to make one" in finished.err


@contextmanager
def serving(taplogs: Command, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `taplogs serve` on a free port; give the process and its URL without a path."""
    process = taplogs.start("serve", "--listen", "127.0.0.1:0", *arguments)
    try:
        assert process.stdout
        line = process.stdout.readline().decode().rstrip()
        assert line, process.communicate()[1].decode()
        yield process, line.removeprefix("export TAPLOGS_BASE_URL=").removesuffix("/v1")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def status(url: str, key: str | None, verify: ssl.SSLContext | bool = True) -> int:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.get(url, headers=headers, trust_env=False, verify=verify).status_code


def test_the_key_of_a_file_is_taken_and_neither_shown_nor_stored_nor_another_made(taplogs: Command) -> None:
    store = taplogs.folder / "store.sqlite"
    with serving(taplogs, "--store", str(store), "--read-key", str(key_file(taplogs))) as (process, url):
        assert [status(url + path, KEY) for path in ("/v1/partner/logs", "/metrics")] == [200, 200]
        assert status(f"{url}/metrics", KEY[:-1] + "y") == 401
        finished = interrupt(process)
    assert finished.code == 0
    assert "API_KEY" not in finished.out
    assert KEY not in finished.out + finished.err
    assert KEY.encode() not in store.read_bytes()


def test_a_file_of_systemd_credentials_is_taken_though_its_group_may_read_it(taplogs: Command) -> None:
    path = key_file(taplogs, mode=0o440)
    env = {"CREDENTIALS_DIRECTORY": str(taplogs.folder)}
    with serving(taplogs.with_env(**env), "--read-key", str(path)) as (_, url):
        assert status(f"{url}/metrics", KEY) == 200


def test_with_the_key_of_a_file_it_listens_beyond_loopback(taplogs: Command) -> None:
    with serving(taplogs, "--listen", "0.0.0.0:0", "--read-key", str(key_file(taplogs))) as (_, url):
        assert status(f"{url}/v1/partner/logs", KEY) == 200
        assert status(f"{url}/v1/partner/logs", None) == 401


def test_a_key_that_was_revoked_is_not_taken_from_a_file_either(taplogs: Command) -> None:
    store = str(taplogs.folder / "store.sqlite")
    process = taplogs.start("serve", "--listen", "127.0.0.1:0", "--store", store)
    assert process.stdout
    key = [process.stdout.readline().decode().strip() for _ in range(2)][1].removeprefix("export TAPLOGS_API_KEY=")
    interrupt(process)
    path = key_file(taplogs, key)
    finished = taplogs.run("serve", "--store", store, "--revoke-key", f"sk_test_…{key[-4:]}", "--read-key", str(path))
    assert finished.code == 4
    assert f"--read-key holds sk_test_…{key[-4:]}, which was revoked" in finished.err


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pair(tmp_path: Path, authority: trustme.CA) -> tuple[str, str]:
    """The files of a certificate for this machine, and of its key."""
    issued = authority.issue_cert("127.0.0.1", "localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    for pem in issued.cert_chain_pems:
        pem.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    return str(certificate), str(key)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_the_backend_is_served_with_tls(taplogs: Command, authority: trustme.CA, pair: tuple[str, str]) -> None:
    arguments = ("--cert", pair[0], "--key", pair[1], "--read-key", str(key_file(taplogs)))
    with serving(taplogs, *arguments) as (process, url):
        assert url.startswith("https://127.0.0.1:")
        assert status(f"{url}/healthz", None, trusting(authority)) == 200
        assert status(f"{url}/v1/partner/logs", KEY, trusting(authority)) == 200
        assert status(f"{url}/v1/partner/jobs", KEY, trusting(authority)) == 404
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            status(f"{url}/healthz", None)
        assert interrupt(process).code == 0


def test_an_upstream_with_tls_is_trusted_where_its_authority_is(
    taplogs: Command, authority: trustme.CA, pair: tuple[str, str]
) -> None:
    trusted = taplogs.folder / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    key = str(key_file(taplogs))
    with serving(taplogs, "--cert", pair[0], "--key", pair[1], "--read-key", key) as (_, upstream):
        passing = ("--upstream", f"{upstream}/v1", "--read-key", key)
        with serving(taplogs, *passing, "--ca-file", str(trusted)) as (_, url):
            assert status(f"{url}/v1/partner/jobs", None) == 404
        with serving(taplogs, *passing) as (process, url):
            assert status(f"{url}/v1/partner/jobs", None) == 502
            assert "the log is in a temporary file" in interrupt(process).err


@pytest.mark.parametrize(("given", "missing"), [(0, "--key"), (1, "--cert")])
def test_a_certificate_and_its_key_belong_together(
    taplogs: Command, pair: tuple[str, str], given: int, missing: str
) -> None:
    finished = taplogs.here("serve", ("--cert", "--key")[given], pair[given])
    assert finished.code == 2
    assert f"TLS needs a certificate and its key; {missing} is missing" in finished.err


def test_a_certificate_that_is_not_there_is_named(taplogs: Command, pair: tuple[str, str]) -> None:
    finished = taplogs.here("serve", "--cert", "nowhere.pem", "--key", pair[1])
    assert finished.code == 2
    assert "the certificate nowhere.pem cannot be read: No such file or directory" in finished.err


def test_the_two_files_in_each_other_s_place_are_told(taplogs: Command, pair: tuple[str, str]) -> None:
    finished = taplogs.here("serve", "--cert", pair[1], "--key", pair[0])
    assert finished.code == 2
    assert f"{pair[1]} holds no certificate" in finished.err


def test_a_key_of_another_certificate_is_told(taplogs: Command, authority: trustme.CA, pair: tuple[str, str]) -> None:
    other = taplogs.folder / "other.pem"
    authority.issue_cert("example.com").private_key_pem.write_to_path(other)
    finished = taplogs.here("serve", "--cert", pair[0], "--key", str(other))
    assert finished.code == 2
    assert f"the key {other} does not belong to the certificate {pair[0]}" in finished.err


def test_an_encrypted_key_is_told_with_what_to_do(taplogs: Command, pair: tuple[str, str]) -> None:
    locked = taplogs.folder / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", pair[1], "-aes256", "-passout", "pass:secret", "-out", locked], check=True
    )
    finished = taplogs.here("serve", "--cert", pair[0], "--key", str(locked))
    assert finished.code == 2
    assert f"the key {locked} is encrypted, and nobody is there to type its passphrase" in finished.err
    assert f"'openssl pkey -in {locked} -out FILE'" in finished.err


def test_a_damaged_certificate_is_told(taplogs: Command, pair: tuple[str, str]) -> None:
    damaged = taplogs.folder / "damaged.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    finished = taplogs.here("serve", "--cert", str(damaged), "--key", pair[1])
    assert finished.code == 2
    assert f"the certificate {damaged} and the key {pair[1]} cannot be used" in finished.err


def test_the_help_is_readable_at_80_columns(taplogs: Command) -> None:
    lines = taplogs.run("serve", "--help", env={"COLUMNS": "80"}).out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert {"Gateway:", "Store:", "Listening:", "Access:"} <= set(lines)
