"""What is hidden in texts: the patterns of the built-in profiles, and values that stand under names."""

from __future__ import annotations

import re
import time

import pytest

from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in

KEY = b"k" * 32


def shown(profile: str, text: str) -> str:
    """Return a text, redacted, with pseudonyms as their labels alone."""
    return re.sub(r"\b([a-z]+)-[0-9a-f]{16}(?![0-9a-f])", r"<\1>", Redactor(built_in(profile), KEY).text(text))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key sk_live_0123456789abcdefghWXYZ.", "key sk_live_…WXYZ."),
        ("cut short: sk_test_0123456", "cut short: sk_test_…"),
        ("Bearer abcdef.123456-xyz", "Bearer [redacted]"),
        ("authorization: bearer abcdefgh", "authorization: [redacted]"),
        ("Authorization: Bearer sk_live_0123456789abcdefghWXYZ", "Authorization: Bearer sk_live_…WXYZ"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"),
        ("sent Basic dXNlcjpwYXNz", "sent Basic [redacted]"),
        ("Host: x\r\nCookie: a=b; c=d\r\nAccept: */*", "Host: x\r\nCookie: [redacted]\r\nAccept: */*"),
        ("Set-Cookie: id=1; HttpOnly", "Set-Cookie: [redacted]"),
        ("X-Api-Key: 12345", "X-Api-Key: [redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl in it", "[redacted] in it"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "[redacted]"),
        ("github_pat_0123456789abcdefghijABCDEFGHIJ", "[redacted]"),
        ("xoxb-1234567890-abcdefghij", "[redacted]"),
        ("AIzaSyA0123456789abcdefghijklmnopqrstuv", "[redacted]"),
        ("rk_live_0123456789abcdef", "[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[redacted]"),
        ("postgres://app:hunter2@db.example.com/x", "postgres://app:redacted@db.example.com/x"),
        ("login failed: password=hunter2, user=x", "login failed: password=[redacted], user=x"),
        ('password="hunter 2" given', 'password="[redacted]" given'),
        ("grant_type=password&client_secret=abc&scope=all", "grant_type=password&client_secret=[redacted]&scope=all"),
        ("body was {'db_password': 'hunter2'}", "body was {'db_password': '[redacted]'}"),
        ("<login><password>hunter2</password></login>", "<login><password>[redacted]</password></login>"),
        ("GET https://x.example/a?token=abc&b=1 failed", "GET https://x.example/a?token=[redacted]&b=1 failed"),
        ("curl/8.9.1 (token=abc)", "curl/8.9.1 (token=[redacted])"),
        ('curl -H "Authorization: Token abc" /x', 'curl -H "Authorization: [redacted]" /x'),
        ("curl -H 'Cookie: a=b; c=d' /x", "curl -H 'Cookie: [redacted]' /x"),
        ("sent Authorization: Token abc to it", "sent Authorization: [redacted] to it"),
        ("curl -u joe:abc https://x.example", "curl -u joe:[redacted] https://x.example"),
        ("curl --user=joe:abc /x", "curl --user=joe:[redacted] /x"),
        ("curl -u 'joe:a c' /x", "curl -u 'joe:[redacted]' /x"),
        ("curl -ujoe:abc /x", "curl -ujoe:[redacted] /x"),
        ("password: abc", "password: [redacted]"),
        ("user: x\n  password: two words\nport: 1", "user: x\n  password: [redacted]\nport: 1"),
        ("- apiKey: 'two words'", "- apiKey: '[redacted]'"),
        ("invalid password: abc for user x", "invalid password: [redacted] for user x"),
        ('login(user: "x", password: "abc")', 'login(user: "x", password: "[redacted]")'),
        ("{user: x, password: abc}", "{user: x, password: [redacted]}"),
        (r"{\"password\": \"abc\", \"n\": 1}", r"{\"password\": \"[redacted]\", \"n\": 1}"),
        (r"body {\"password\": \"a c\"} was", r"body {\"password\": \"[redacted]\"} was"),
        ("<password><value>abc</value></password>", "<password><value>[redacted]</value></password>"),
        ("<password><![CDATA[abc]]></password>", "<password><![CDATA[[redacted]]]></password>"),
    ],
)
def test_secrets_are_masked_wherever_they_stand(text: str, redacted: str) -> None:
    assert shown("secrets", text) == redacted
    assert shown("personal", text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "pageToken=abc&nextPageToken=def",
        "cursor=abc",
        "Basic authentication is required",
        "bearer",
        "The password must have 8 characters.",
        "password: is required",
        "password: required\ntoken: must not be empty",
        "Unexpected token: expected a comma",
        "login($password: String!) { login(password: $password) }",
        "type Login { password: string; }",
        "the secret: that nobody knows what to do with a sentence",
        "use <password> in <b>a</b>",
        "curl -u joe /x",
        "docker -u joe:abc",
        "-u 10:30",
        "sk_live_…WXYZ",
        "[redacted]",
        "the secretary's tokens",
        "https://x.example/a?page=2#top",
        "a@b.c +1 202 555 0100 4111 1111 1111 1111",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert shown("secrets", text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("amara.abebe17@example.com", "<person>"),
        ("Send it to <amara@example.com>, please.", "Send it to <<person>>, please."),
        ("'o'connor@example.co.uk'", "'<person>'"),
        ("josé.müller@exämple.de", "<person>"),
        ("jose\u0301@example.com", "<person>"),
        ("a+b@example.com.", "<person>."),
        ("amara%40example.com exists", "<person> exists"),
        ("amara%2540example.com exists", "<person> exists"),
        ("mailto:amara@example.com", "mailto:<person>"),
        ("call +442079460006 now", "call <phone> now"),
        ("+44 (0)20 7946 0006", "<phone>"),
        ("+1-202-555-0100", "<phone>"),
        ("+49 (0) 151 / 123 456 78", "<phone>"),
        ("+49\xa0151\u202f123\u2011456", "<phone>"),
        ("＋49 151 123456", "<phone>"),
        ("tel:+4915112345678", "tel:<phone>"),
        ("+4915112345678_1", "<phone>_1"),
        ("004915112345678", "<phone>"),
        ("0049 151 / 123 456 78", "<phone>"),
        ("0151 / 123 456 78", "<phone>"),
        ("email: amara\nfirstName: Amara Abebe", "email: <person>\nfirstName: <name>"),
        ('create(firstName: "Amara", n: 1)', 'create(firstName: "<name>", n: 1)'),
        ("{firstName: Amara, n: 1}", "{firstName: <name>, n: 1}"),
        ("<email><value>x</value></email>", "<email><value><person></value></email>"),
        ("<address><city>x</city>y</address>z", "<address><city><address></city><address></address>z"),
        ('"amara abebe"@example.com', "<person>"),
        ("amara＠example.com", "<person>"),
        ("amara&#64;example.com", "<person>"),
        ("amara&#x40;example.com", "<person>"),
        ("(202) 555-0100", "<phone>"),
        ("202.555.0100", "<phone>"),
        ("020 7946 0006", "<phone>"),
        ("030/23125 123", "<phone>"),
        ("01 23 45 67 89", "<phone>"),
        ("0044 20 7946 0006", "<phone>"),
        ("card 4111 1111 1111 1111 12/26", "card <payment> 12/26"),
        ("4111111111111111", "<payment>"),
        ("card-4111111111111111", "card-<payment>"),
        ("378282246310005", "<payment>"),
        ("3782-822463-10005", "<payment>"),
        ("on 2026 4111-1111-1111-1111", "on 2026 <payment>"),
        ("GB82 WEST 1234 5698 7654 32 is it", "<account> is it"),
        ("de89370400440532013000", "<account>"),
        ("KZ86125KZT5004100100", "<account>"),
        ("Candidate firstName=Amara&lastName=Abebe", "Candidate firstName=<name>&lastName=<name>"),
        ("<a:firstName x='1'>Amara</a:firstName>", "<a:firstName x='1'><name></a:firstName>"),
        (
            '--b\r\nContent-Disposition: form-data; name="firstName"\r\n\r\nAmara\r\n--b--',
            '--b\r\nContent-Disposition: form-data; name="firstName"\r\n\r\n<name>\r\n--b--',
        ),
        ('{"firstName":"Ama', '{"firstName":"<name>"'),
        ('{"firstName":"Amara"}\n{"firstName":"Leila"}', '{"firstName":"<name>"}\n{"firstName":"<name>"}'),
        ('cannot read {"lastName": "Abebe"}', 'cannot read {"lastName": "<name>"}'),
        ("https://x.example/in/amara@example.com?email=x%40y.example", "https://x.example/in/<person>?email=<person>"),
    ],
)
def test_personal_data_have_pseudonyms_wherever_they_stand(text: str, redacted: str) -> None:
    assert shown("personal", text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "f624030b-1078-4752-b751-a9087d2cb820",
        "12345678-1234-4234-8234-123456789012",
        "2026-01-01T00:03:10.706Z",
        "2026-01-01 10:00:00",
        "01/02/2026 and 01.02.2026 10:30",
        "01 / 02 / 2026 10 / 20",
        "192.168.100.200",
        "2001:db8:113::9",
        "1735689600000",
        "1735689600000000000",
        "log_4111111111111111",
        "4111111111111112",
        "GB82 WEST 1234 5698 7654 33",
        "axios@1.7.9",
        "email: is invalid\nphone: must have 7 digits",
        "Note: this endpoint goes away.",
        "name: string",
        "Candidate name: too long",
        "000000000123",
        "0012345678",
        "python-requests/2.32.3",
        "Apache-HttpClient/5.3.1 (Java/21.0.4)",
        "Job 48121 was not found.",
        "db3a7c2408f9",
        "12 + 34 = 46",
        "@nobody",
        "{}",
        "",
    ],
)
def test_what_only_looks_like_personal_data_is_left_alone(text: str) -> None:
    assert shown("personal", text) == text


@pytest.mark.parametrize(
    "spellings",
    [
        ("amara@example.com", "Amara@Example.COM", "'amara@example.com'", "email=amara%40example.com"),
        ("josé@example.com", "jose\u0301@example.com", "JOSÉ@example.com"),
        ("+4915112345678", "phone=4915112345678", "+49 (0) 151 / 123 456 78", "004915112345678"),
        ("a@example.com", "a＠example.com", "a&#64;example.com", "email: a&#x40;example.com"),
        ("+442079460006", "+44 20 7946 0006", "0044 20 7946 0006", "+44 (0)20 7946-0006"),
        ("4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("GB82WEST12345698765432", "gb82 west 1234 5698 7654 32"),
        ("firstName=Amara", "first_name=amara", "First-Name=AMARA", "<firstname> Amara </firstname>"),
    ],
)
def test_one_value_has_one_pseudonym_however_it_is_written(spellings: tuple[str, ...]) -> None:
    redactor = Redactor(built_in("personal"), KEY)
    found = {re.findall(r"[a-z]+-[0-9a-f]{16}", redactor.text(text))[0] for text in spellings}
    assert len(found) == 1


def test_pseudonyms_under_another_key_are_other_ones() -> None:
    first, second = (Redactor(built_in("personal"), key) for key in (KEY, b"x" * 32))
    assert first.text("amara@example.com") != second.text("amara@example.com")
    assert first.key_fingerprint != second.key_fingerprint
    assert KEY.hex() not in f"{first.key_fingerprint}"


@pytest.mark.parametrize("profile", ["secrets", "personal"])
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "+1",
        "@",
        "1",
        "1.",
        "a@",
        "a'",
        "eyJaaaaa-",
        "4111 ",
        "ab12 ",
        "a=",
        "a='",
        '"a":',
        "{",
        "http://",
        "%41",
        "<a ",
        "<a>",
        "</a>",
        "a: ",
        "email: ",
        "(email: ",
        'email: "',
        '\\"a\\":\\"',
        '[["email",',
        '{"name":"email","value":',
        "curl -u a",
        '"a',
        "0049",
        "&a=http://x/?email=b",
    ],
)
def test_no_text_takes_longer_than_its_length(profile: str, unit: str) -> None:
    redactor = Redactor(built_in(profile), KEY)

    def took(length: int) -> float:
        text = unit * (length // len(unit))
        start = time.process_time()
        redactor.text(text)
        redactor.url(f"https://x.example/{text}?a={text}")
        return time.process_time() - start

    took(1000)
    # Eight times the length: quadratic time would be 64 times as much, whatever else the machine does meanwhile.
    assert took(400_000) < max(32 * took(50_000), 3)


def test_an_account_number_in_groups_is_not_taken_for_a_telephone_number() -> None:
    redactor = Redactor(built_in("personal"), b"k" * 32)
    assert re.fullmatch("IBAN account-[0-9a-f]{16}", redactor.text("IBAN DE89 3704 0044 0532 0130 00"))
