"""The demo's candidates and jobs. Everybody here is made up: domains, addresses and numbers are those reserved for it.

Domains: RFC 2606. Telephone numbers: 555-01xx (NANP), 020 7946 0xxx (Ofcom), 030 23125 xxx (Bundesnetzagentur).
"""

from __future__ import annotations

import unicodedata
from hashlib import blake2b
from random import Random
from typing import Any
from uuid import UUID

_FIRST_NAMES = (  # noqa: SIM905 - a list would be formatted to a name a line
    "Amara Aiko Anders Beatriz Björn Camille Chen Dalia Deepak Elif Emeka Farah Felix Giulia Hana Hugo Ines Ivan "
    "Jamal José Katya Kwame Leila Liam Łukasz Mei Mateo Nadia Noah Olga Omar Priya Quinn Rosa Sanjay Siobhán Tomás "
    "Uma Viktor Wanjiru Xavier Yusuf Zoë 美咲"
).split()
_LAST_NAMES = (  # noqa: SIM905
    "Abebe Andersson Becker Castillo Dubois Eriksen Fernández Garcia Haddad Ivanova Jansen Kowalski Laurent Mbeki "
    "Müller Nakamura O'Connor Okafor Papadopoulos Patel Quispe Rossi Sato Schneider Silva Singh Sørensen Tanaka Tran "
    "Usman Varga Wójcik Yılmaz Zhang 佐藤"
).split()
_PLACES = (
    ("12 Sample Street", "Springfield", "00501", "US"),
    ("4 Placeholder Lane", "London", "ZZ99 3VZ", "GB"),
    ("Musterstraße 7", "Musterstadt", "12345", "DE"),
    ("1 rue de l'Exemple", "Exempleville", "75999", "FR"),
    ("見本町1-2-3", "見本市", "000-0000", "JP"),
)
_PHONES = ("+1202555010{}", "+1202555011{}", "+44207946000{}", "+44207946012{}", "+493023125{0}0{0}")
_SKILLS = ("Python", "Go", "Kotlin", "SQL", "React", "Kubernetes", "Negotiation", "Payroll", "Nursing", "Welding")
_TITLES = ("Backend Engineer", "Data Analyst", "Nurse", "Payroll Specialist", "Site Reliability Engineer", "Welder")

STAGES = ("sourced", "screening", "interview", "offer", "hired", "rejected")
"""The stages that a candidate passes through for a job."""


def candidate(rng: Random) -> dict[str, Any]:
    """Return what a client sends to create a candidate."""
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    handle = _ascii(f"{first}.{last}".lower()) or f"candidate.{rng.randrange(1000)}"
    street, city, postal_code, country = rng.choice(_PLACES)
    return {
        "firstName": first,
        "lastName": last,
        "email": f"{handle}{rng.randrange(100)}@example.{rng.choice(('com', 'org', 'net'))}",
        "phone": rng.choice(_PHONES).format(rng.randrange(10)),
        "dateOfBirth": f"{rng.randrange(1962, 2004)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        "address": {"street": street, "city": city, "postalCode": postal_code, "country": country},
        "resumeUrl": f"https://files.example.com/resumes/{handle}-{rng.getrandbits(32):08x}.pdf",
        "profileUrl": f"https://profiles.example.com/in/{handle}",
        "skills": rng.sample(_SKILLS, rng.randrange(1, 5)),
        "source": rng.choice(("careers-site", "referral", "agency", "import")),
    }


def job(rng: Random) -> dict[str, Any]:
    """Return what a client sends to create a job."""
    title = rng.choice(_TITLES)
    low = rng.randrange(30, 90) * 1000
    return {
        "title": title,
        "department": rng.choice(("Engineering", "People", "Operations", "Care")),
        "location": rng.choice(_PLACES)[1],
        "remote": rng.random() < 0.4,
        "salary": {"min": low, "max": low + rng.randrange(5, 40) * 1000, "currency": rng.choice(("USD", "EUR", "GBP"))},
        "description": f"We are looking for a {title} to join our team.\nSend your résumé to jobs@example.com.",
    }


def job_id(rng: Random) -> int:
    """Return the id of one of the jobs."""
    return 1000 + rng.randrange(240)


def candidate_id(rng: Random) -> str:
    """Return the id of one of the candidates."""
    return _uuid(f"candidate {rng.randrange(800)}")


def batch_id(rng: Random) -> str:
    """Return the id of one of the uploads."""
    return _uuid(f"batch {rng.randrange(60)}")


def _uuid(name: str) -> str:
    return str(UUID(bytes=blake2b(name.encode(), digest_size=16).digest(), version=4))


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return plain.replace("'", "").strip(".")
