"""Keys and signatures beside stock minisign: each reads what the other writes, and they come to the same verdict."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisign import accepts, minisign
from taplogs.audit.keys import (
    PublicKey,
    SecretKey,
    WrongPassphrase,
    generate,
    read_public_key,
    read_secret_key,
)
from taplogs.audit.minisign_text import KeyId
from taplogs.audit.passphrase_cost import Cost
from taplogs.audit.signature import BadSignature, parse_signature

MESSAGE = b'{"schema":"taplogs.export/1"}'
CHEAP = Cost(operations=32768, memory=1 << 24)
"""The least that libsodium knows: opening such a key takes milliseconds."""

KEY = SecretKey(KeyId(bytes(range(0x18, 0x20))), bytes(range(32)))
SIGNED = KEY.sign(MESSAGE, "timestamp:1795398746\tfile:manifest.json")


def unasked() -> str:
    raise AssertionError("nobody is to be asked for a passphrase")


def fault_of(message: bytes, signature: bytes, key: PublicKey = KEY.public_key) -> str:
    with pytest.raises(BadSignature) as caught:
        key.verify(message, signature)
    return caught.value.fault


def changed_line(text: bytes, number: int, old: bytes, new: bytes) -> bytes:
    lines = text.split(b"\n")
    assert old in lines[number]
    lines[number] = lines[number].replace(old, new, 1)
    return b"\n".join(lines)


# what minisign makes of ours


@pytest.mark.parametrize("comment", ["", "plain", "a\ttab", "naïve — 日本語", "x" * 8000])
@pytest.mark.parametrize("message", [b"", MESSAGE, bytes(range(256)) * 100])
def test_minisign_verifies_what_is_signed_here(tmp_path: Path, message: bytes, comment: str) -> None:
    key = generate(os.urandom)
    text = key.sign(message, comment)
    assert accepts(message, text, key.public_key.encode(), tmp_path)
    assert key.public_key.verify(message, text) == comment


def test_minisign_shows_the_id_and_the_comment_as_they_are_shown_here(tmp_path: Path) -> None:
    assert accepts(MESSAGE, SIGNED, KEY.public_key.encode(), tmp_path)
    told = minisign("-Vm", "message", "-P", KEY.public_key.line, "-Q", folder=tmp_path)
    assert told.stdout == "timestamp:1795398746\tfile:manifest.json\n"
    other = SecretKey(KeyId(b"otherkey"), bytes(32)).public_key
    refused = minisign("-Vm", "message", "-P", other.line, folder=tmp_path)
    assert f"is {KEY.public_key.key_id}\n" in refused.stderr
    assert f"is {other.key_id}\n" in refused.stderr


@pytest.mark.parametrize("place", [*range(19), *range(SIGNED.index(b"\n"), len(SIGNED) - 1, 5)])
def test_a_changed_byte_is_refused_by_both(tmp_path: Path, place: int) -> None:
    changed = bytearray(SIGNED)
    changed[place] ^= 1
    fault_of(MESSAGE, bytes(changed))
    assert not accepts(MESSAGE, bytes(changed), KEY.public_key.encode(), tmp_path)


@given(st.integers(0, 8 * len(MESSAGE) - 1))
def test_a_signature_holds_for_no_other_message(bit: int) -> None:
    changed = bytearray(MESSAGE)
    changed[bit // 8] ^= 1 << bit % 8
    assert fault_of(bytes(changed), SIGNED) == "signature_wrong"


def test_every_changed_bit_of_the_signed_lines_is_refused() -> None:
    lines = SIGNED.split(b"\n")
    for number in (1, 3):
        binary = base64.b64decode(lines[number])
        for bit in range(8 * len(binary)):
            changed = bytearray(binary)
            changed[bit // 8] ^= 1 << bit % 8
            fault_of(MESSAGE, b"\n".join([*lines[:number], base64.b64encode(bytes(changed)), *lines[number + 1 :]]))


def test_what_is_wrong_with_a_signature_is_told() -> None:
    other = SecretKey(KeyId(b"otherkey"), bytes(32))
    same_id = SecretKey(KEY.public_key.key_id, bytes(32))
    assert fault_of(MESSAGE, other.sign(MESSAGE, "")) == "signature_other_key"
    assert fault_of(MESSAGE, same_id.sign(MESSAGE, "")) == "signature_wrong"
    assert fault_of(MESSAGE + b" ", SIGNED) == "signature_wrong"
    assert fault_of(MESSAGE, SIGNED.replace(b"manifest.json", b"manifest.jsom")) == "signature_comment_wrong"
    assert fault_of(MESSAGE, b"") == "signature_malformed"


def test_the_comment_of_another_signature_does_not_hold() -> None:
    other = KEY.sign(MESSAGE + b"2", "later").split(b"\n")
    first = SIGNED.split(b"\n")
    assert fault_of(MESSAGE, b"\n".join([*first[:2], *other[2:]])) == "signature_comment_wrong"


@pytest.mark.parametrize(
    "text",
    [
        SIGNED[:-1],
        SIGNED + b"\n",
        SIGNED + b"untrusted comment: more\n",
        b"\n" + SIGNED,
        b"\xef\xbb\xbf" + SIGNED,
        b"\n".join(SIGNED.split(b"\n")[:2]) + b"\n",
        changed_line(SIGNED, 0, b"untrusted comment: ", b"untrusted comment:"),
        changed_line(SIGNED, 2, b"trusted comment: ", b"trusted comment "),
        changed_line(SIGNED, 2, b"file", b"fi\0le"),
        changed_line(SIGNED, 2, b"file", b"fi\rle"),
        changed_line(SIGNED, 2, b"file", b"fi\x1b[2Jle"),
        changed_line(SIGNED, 2, b"file", b"\xff"),
        changed_line(SIGNED, 1, b"=", b""),
        changed_line(SIGNED, 1, b"=", b"=="),
        changed_line(SIGNED, 1, b"RU", b"R U"),
        changed_line(SIGNED, 1, b"RU", b"RX"),
        changed_line(SIGNED, 1, b"RU", "Ｒ".encode() + b"U"),
        changed_line(SIGNED, 3, b"==", b"=="[:1]),
        changed_line(SIGNED, 3, b"==", b"AAA="),
        SIGNED.replace(SIGNED.split(b"\n")[1], base64.b64encode(b"ED" + bytes(71))),
        SIGNED.replace(SIGNED.split(b"\n")[3], base64.b64encode(bytes(65))),
        SIGNED.replace(b"\n", b"\n\r"),
        b"\xff" * 300,
        SIGNED * 200,
        b"untrusted comment: " + b"x" * 20000 + SIGNED[19:],
    ],
)
def test_what_is_not_exactly_a_signature_is_malformed(text: bytes) -> None:
    assert fault_of(MESSAGE, text) == "signature_malformed"


@given(st.binary(max_size=400) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_hostile_bytes_are_malformed_and_nothing_else(text: bytes) -> None:
    assert fault_of(MESSAGE, text) == "signature_malformed"
    with pytest.raises(ValueError):
        read_public_key(text)
    with pytest.raises(ValueError):
        read_secret_key(text, unasked)


def test_bits_to_spare_in_base64_are_none() -> None:
    line = SIGNED.split(b"\n")[1]
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = digits.index(line[-2:-1])
    twin = line[:-2] + digits[last + 1 : last + 2] + b"="
    assert base64.b64decode(twin) == base64.b64decode(line)
    assert fault_of(MESSAGE, SIGNED.replace(line, twin)) == "signature_malformed"


def test_line_ends_of_windows_are_read() -> None:
    assert KEY.public_key.verify(MESSAGE, SIGNED.replace(b"\n", b"\r\n")) == "timestamp:1795398746\tfile:manifest.json"
    assert read_public_key(KEY.public_key.encode().replace(b"\n", b"\r\n")) == KEY.public_key


@pytest.mark.parametrize("comment", ["two\nlines", "a\rb", "a\0b", "\x1b[2J", "x" * 8001])
def test_a_comment_that_minisign_would_read_otherwise_is_not_signed(comment: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        KEY.sign(MESSAGE, comment)


# what we make of minisign's


@pytest.mark.parametrize("legacy", [[], ["-l"]], ids=["prehashed", "legacy"])
def test_what_minisign_signs_is_verified_here(tmp_path: Path, legacy: list[str]) -> None:
    minisign("-GW", "-p", "key.pub", "-s", "key.key", folder=tmp_path)
    (tmp_path / "message").write_bytes(MESSAGE)
    assert minisign("-S", *legacy, "-s", "key.key", "-m", "message", "-t", "by hand", folder=tmp_path).returncode == 0
    key = read_public_key((tmp_path / "key.pub").read_bytes())
    text = (tmp_path / "message.minisig").read_bytes()
    assert key.verify(MESSAGE, text) == "by hand"
    assert fault_of(MESSAGE + b"\n", text, key) == "signature_wrong"
    assert parse_signature(text).encode() == text
    assert key.encode().split(b"\n")[1:] == (tmp_path / "key.pub").read_bytes().split(b"\n")[1:]


def test_a_key_of_minisign_signs_here_and_is_written_as_minisign_does(tmp_path: Path) -> None:
    minisign("-GW", "-p", "key.pub", "-s", "key.key", folder=tmp_path)
    theirs = (tmp_path / "key.key").read_bytes()
    key = read_secret_key(theirs, unasked)
    assert accepts(MESSAGE, key.sign(MESSAGE, "x"), (tmp_path / "key.pub").read_bytes(), tmp_path)
    assert key.encode(None, os.urandom).split(b"\n")[1] == theirs.split(b"\n")[1]


def test_an_encrypted_key_of_minisign_is_opened_here_and_written_as_minisign_does(tmp_path: Path) -> None:
    made = minisign("-G", "-p", "key.pub", "-s", "key.key", folder=tmp_path, typed="pass wörd\npass wörd\n")
    assert made.returncode == 0
    theirs = (tmp_path / "key.key").read_bytes()
    key = read_secret_key(theirs, lambda: "pass wörd")
    assert key.public_key == read_public_key((tmp_path / "key.pub").read_bytes())
    salt = base64.b64decode(theirs.split(b"\n")[1])[6:38]
    assert key.encode("pass wörd", lambda _: salt) == theirs


def test_a_key_that_minisign_took_the_passphrase_from_keeps_its_checksum_and_is_read(tmp_path: Path) -> None:
    (tmp_path / "key.key").write_bytes(KEY.encode("secret", os.urandom, CHEAP))
    assert minisign("-CW", "-s", "key.key", folder=tmp_path, typed="secret\n").returncode == 0
    assert read_secret_key((tmp_path / "key.key").read_bytes(), unasked).public_key == KEY.public_key


@pytest.mark.parametrize("passphrase", [None, "secret", "pass wörd \udcff"])
def test_minisign_signs_with_our_keys(tmp_path: Path, passphrase: str | None) -> None:
    (tmp_path / "key.key").write_bytes(KEY.encode(passphrase, os.urandom, CHEAP))
    (tmp_path / "message").write_bytes(MESSAGE)
    signed = minisign("-Sm", "message", "-s", "key.key", folder=tmp_path, typed=f"{passphrase}\n")
    assert signed.returncode == 0
    KEY.public_key.verify(MESSAGE, (tmp_path / "message.minisig").read_bytes())


@pytest.mark.parametrize(
    "cost",
    [
        Cost(32768, 1 << 24),
        Cost(1, 1 << 24),
        Cost(524288, 1 << 24),
        Cost(1 << 22, 1 << 24),
        Cost(3_000_000, 50_000_000),
        Cost(1 << 20, 1 << 27),
    ],
)
def test_the_cost_of_a_passphrase_means_the_same_to_minisign(tmp_path: Path, cost: Cost) -> None:
    (tmp_path / "key.key").write_bytes(KEY.encode("secret", os.urandom, cost))
    minisign("-R", "-s", "key.key", "-p", "key.pub", folder=tmp_path, typed="secret\n")
    assert (tmp_path / "key.pub").read_bytes() == KEY.public_key.encode()


# keys


def test_a_wrong_passphrase_is_told() -> None:
    text = KEY.encode("secret", os.urandom, CHEAP)
    with pytest.raises(WrongPassphrase):
        read_secret_key(text, lambda: "Secret")


@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_a_damaged_secret_key_does_not_sign(passphrase: str | None) -> None:
    text = KEY.encode(passphrase, os.urandom, CHEAP)
    comment, line, _ = text.split(b"\n")
    for place in range(62, 126) if passphrase is None else range(54, 158, 9):
        binary = bytearray(base64.b64decode(line))
        binary[place] ^= 1
        with pytest.raises(ValueError, match=r"damaged|passphrase is wrong"):
            read_secret_key(b"\n".join([comment, base64.b64encode(binary), b""]), lambda: "secret")


@pytest.mark.parametrize(("operations", "memory"), [(2**64 - 1, 1 << 30), (1 << 25, 2**64 - 1), (2**40, 2**40)])
def test_a_key_that_would_take_hours_to_open_is_refused_unasked(operations: int, memory: int) -> None:
    binary = bytearray(base64.b64decode(KEY.encode("secret", os.urandom, CHEAP).split(b"\n")[1]))
    binary[38:54] = operations.to_bytes(8, "little") + memory.to_bytes(8, "little")
    text = b"untrusted comment: x\n" + base64.b64encode(binary) + b"\n"
    with pytest.raises(ValueError, match="out of all bounds"):
        read_secret_key(text, unasked)


@pytest.mark.parametrize(
    ("place", "told"), [(0, "not a secret key"), (2, "in a way that minisign"), (4, "not a secret key")]
)
def test_a_secret_key_of_another_kind_is_refused(place: int, told: str) -> None:
    binary = bytearray(base64.b64decode(KEY.encode(None, os.urandom).split(b"\n")[1]))
    binary[place] ^= 1
    with pytest.raises(ValueError, match=told):
        read_secret_key(b"untrusted comment: x\n" + base64.b64encode(binary) + b"\n", unasked)


def test_one_kind_of_key_in_place_of_the_other_is_told() -> None:
    with pytest.raises(ValueError, match="it is a public key"):
        read_secret_key(KEY.public_key.encode(), unasked)
    with pytest.raises(ValueError, match="it is a secret key"):
        read_public_key(KEY.encode(None, os.urandom))


SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
"""The points that libsodium refuses, too, without their sign."""


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_under_which_anything_is_signed_is_refused(point: str, sign: int) -> None:
    binary = bytearray(bytes.fromhex(point))
    binary[31] |= sign
    with pytest.raises(ValueError, match="anything would count"):
        read_public_key(PublicKey(KeyId(bytes(8)), bytes(binary)).encode())


def test_a_point_that_is_on_no_curve_verifies_nothing() -> None:
    key = PublicKey(KEY.public_key.key_id, bytes([2]) + bytes(31))
    assert fault_of(MESSAGE, SIGNED, key) == "signature_wrong"


def test_a_secret_key_shows_itself_nowhere() -> None:
    assert repr(KEY) == str(KEY) == f"{KEY:}" == "SecretKey(1F1E1D1C1B1A1918)"
    assert not hasattr(KEY, "__dict__")
    with pytest.raises(TypeError, match="not to be pickled"):
        KEY.__reduce__()


def test_two_new_keys_are_different() -> None:
    one, two = generate(os.urandom).public_key, generate(os.urandom).public_key
    assert one.key_id != two.key_id
    assert one.point != two.point
