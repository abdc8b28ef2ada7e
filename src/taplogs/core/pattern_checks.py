"""Checks that a regular expression cannot make: is what it found a card number, an account number, an address?

Each takes a text and where something was found in it, and returns where the value stands, or None where it is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Span = tuple[int, int]
Check = Callable[[str, int, int], Span | None]

_UUID = r"(?<![0-9A-Fa-f-])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f-])"
_UUID_LENGTH = 36
_QUOTES = ".'‘’‚“”„«»‹›*!#$^~`–—"
_AT = r"([@\uff20\ufe6b]|&#(?:0{0,4}64|[xX]0{0,4}40);|&commat;)"
_DATE_OR_ADDRESS = (
    r"[0-9]{1,2}([ \xa0\u202f]?[./\u2010\u2011\u2013-][ \xa0\u202f]?)[0-9]{1,2}\1[0-9]{4}"
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z"
)

# The ranges of the card schemes' first digits (ISO/IEC 7812): Visa, Mastercard, American Express, Diners Club, JCB,
# Discover, Maestro, UnionPay.
_CARD_RANGES = r"4|5[0-8]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[0-9]|6"
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

# The lengths of account numbers by country, from the IBAN registry (ISO 13616).
_IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)


def email(text: str, start: int, end: int) -> Span | None:
    """Leave out quotation marks before an address; `axios@1.7.9` is a version, not an address."""
    local, at, domain = re.split(_AT, text[start:end], maxsplit=1)
    start += len(local) - len(local.lstrip(_QUOTES))
    named = domain.startswith("[") or any(map(str.isalpha, domain.rpartition(".")[2]))
    return (start, end) if named and not text.startswith(at, start) else None


def telephone(text: str, start: int, end: int) -> Span | None:
    """Take 7 to 15 digits (E.164), without + at least 9, that are not a date or an IPv4 address."""
    found = text[start:end]
    digits = sum(map(str.isdigit, found))
    least = 7 if found.startswith(("+", "\uff0b")) else 9
    return (start, end) if least <= digits <= 15 and not re.match(_DATE_OR_ADDRESS, found) else None


def card(text: str, start: int, end: int) -> Span | None:
    """Take 13 to 19 digits of a card scheme with the right check digit (Luhn, ISO/IEC 7812-1), not part of a UUID.

    Of digits in groups the last groups may be something else, such as the date behind the number.
    """
    if not re.match(_CARD_RANGES, re.sub("[ -]", "", text[start : start + 5])) or _within_uuid(text, start):
        return None
    while end > start:
        digits = re.sub("[ -]", "", text[start:end])
        if len(digits) < 13:
            return None
        if _luhn(digits):
            return (start, end)
        end = max(text.rfind(" ", start, end), text.rfind("-", start, end))
    return None


def _luhn(digits: str) -> bool:
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(_DOUBLED[int(digit)] for digit in even)) % 10 == 0


def _within_uuid(text: str, start: int) -> bool:
    begin = max(0, start - _UUID_LENGTH)
    around = text[begin : start + _UUID_LENGTH]
    return any(uuid.start() <= start - begin < uuid.end() for uuid in re.finditer(_UUID, around))


def iban(text: str, start: int, end: int) -> Span | None:
    """Take as many letters and digits as the country's account numbers have, with the right check (mod 97)."""
    country = _IBAN_LENGTHS.find(text[start : start + 2].upper())
    length = int(_IBAN_LENGTHS[country + 2 : country + 4]) if country >= 0 else 0
    places = [place for place in range(start, end) if text[place].isalnum()]
    if not 0 < length <= len(places) or _within_uuid(text, start):
        return None
    end = places[length - 1] + 1
    if len(places) > length and places[length] == end:
        return None
    account = "".join(text[place] for place in places[:length]).upper()
    number = int("".join(str(int(character, 36)) for character in account[4:] + account[:4]))
    return (start, end) if number % 97 == 1 else None


CHECKS: dict[str, Check] = {"card": card, "email": email, "iban": iban, "telephone": telephone}
"""By the names that profiles give them."""
