"""The demo's requests: what clients call, with what, how long it takes, and how it fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlencode

from taplogs.backend import sample_people as people

Payload = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A program of a company that calls the API."""

    client_id: str
    company_id: str
    user_agent: str
    addresses: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class Failure:
    """An error of the platform; `{…}` in its message is filled in, so that repeated errors differ in their ids."""

    status: int
    code: str
    message: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """An operation: how often it is called, its path with query, bodies, latency and likely failures.

    The latency is log-normal: its median in milliseconds, and the spread of its logarithm. `reply` makes the body of
    a success other than 200, the only ones that are kept.
    """

    method: str
    weight: int
    path: Callable[[Random], str]
    median: float
    failures: tuple[Failure, ...]
    spread: float = 0.45
    body: Callable[[Random], Payload] | None = None
    success: int = 200
    reply: Callable[[Random, Payload], Payload] | None = None

    def latency(self, rng: Random) -> int:
        """Return a latency in whole milliseconds."""
        return max(3, round(rng.lognormvariate(math.log(self.median), self.spread)))


CLIENTS = (
    Client("acme-ats-sync", "acme", "python-requests/2.32.3", ("192.0.2.14", "192.0.2.15"), 30),
    Client("acme-careers", "acme", "axios/1.7.9", ("192.0.2.80",), 20),
    Client("globex-mobile", "globex", "okhttp/4.12.0", ("198.51.100.7", "198.51.100.21", "2001:db8:51:7::4"), 18),
    Client("globex-hr-core", "globex", "Apache-HttpClient/5.3.1 (Java/21.0.4)", ("198.51.100.200",), 15),
    Client("initech-import", "initech", "curl/8.9.1", ("203.0.113.45",), 9),
    Client("initech-qa", "initech", "PostmanRuntime/7.43.0", ("203.0.113.9", "2001:db8:113::9"), 8),
)

RATE_LIMITED = Failure(429, "RATE_LIMITED", "Too many requests; try again in {seconds} s.")
INTERNAL = Failure(500, "INTERNAL_ERROR", "Something went wrong on our side.")
UNKNOWN_KEY = Failure(401, "UNAUTHORIZED", "The API key is not known.")
EXPIRED_KEY = Failure(401, "UNAUTHORIZED", "The API key has expired.")
UNAVAILABLE = Failure(503, "SERVICE_UNAVAILABLE", "The search index is not available; try again later.")
BAD_PHONE = Failure(
    422, "INVALID_REQUEST", "The phone number is invalid.", (("phone", "must be a number in E.164 format"),)
)
_BAD_PAGE = Failure(
    400, "INVALID_REQUEST", "The request is invalid.", (("perPage", "must be one of 10, 20, 40, 80, 100"),)
)
_BAD_EMAIL = Failure(422, "INVALID_REQUEST", "The e-mail is invalid.", (("email", "must be an e-mail address"),))
_BAD_JOB = Failure(400, "INVALID_REQUEST", "The request is invalid.", (("title", "is required"),))
_NO_JOB = Failure(404, "NOT_FOUND", "Job {job} was not found.")
_NO_CANDIDATE = Failure(404, "NOT_FOUND", "Candidate {candidate} was not found.")
_NO_BATCH = Failure(404, "NOT_FOUND", "Batch {candidate} was not found.")
_DUPLICATE = Failure(409, "CONFLICT", "A candidate with this e-mail address exists: {candidate}.")
_COMMON = (RATE_LIMITED, INTERNAL, UNKNOWN_KEY)


def _listing(name: str) -> Callable[[Random], str]:
    def path(rng: Random) -> str:
        parameters: dict[str, object] = {
            "pageNumber": rng.randrange(1, 9),
            "perPage": rng.choice((10, 20, 40, 80, 100)),
        }
        if rng.random() < 0.25:
            parameters["search"] = rng.choice(("data analyst", "nurse", "C++", "müller", "remote & senior"))
        return f"/{name}?{urlencode(parameters)}"

    return path


def _job_candidates(rng: Random) -> str:
    return f"/job-candidates?{urlencode({'jobId': people.job_id(rng), 'stage': rng.choice(people.STAGES)})}"


def _bulk_fetch(rng: Random) -> Payload:
    ids = [people.candidate_id(rng) for _ in range(rng.randrange(2, 9))]
    return {"jobId": people.job_id(rng), "candidateIds": ids, "include": ["resume", "notes"]}


def _resumes(rng: Random) -> Payload:
    names = [people.candidate(rng)["resumeUrl"] for _ in range(rng.randrange(1, 4))]
    return {"jobId": people.job_id(rng), "resumes": [{"url": name} for name in names]}


def _created(rng: Random, body: Payload) -> Payload:
    return {"id": people.job_id(rng) if "title" in body else people.candidate_id(rng), **body}


def _queued(rng: Random, body: Payload) -> Payload:
    return {"batchId": people.batch_id(rng), "status": "queued", "files": len(body["resumes"])}


BULK_FETCH = Endpoint(
    "POST", 7, lambda _: "/job-candidates/bulk-fetch", 1400, (*_COMMON, _NO_JOB), spread=0.85, body=_bulk_fetch
)
JOB_CANDIDATES = Endpoint("GET", 8, _job_candidates, 160, (*_COMMON, _NO_JOB))
CREATE_CANDIDATE = Endpoint(
    "POST",
    8,
    lambda _: "/candidates",
    210,
    (*_COMMON, _BAD_EMAIL, _DUPLICATE, _DUPLICATE),
    body=people.candidate,
    success=201,
    reply=_created,
)
ENDPOINTS = (
    Endpoint("GET", 16, _listing("jobs"), 85, (*_COMMON, _BAD_PAGE)),
    Endpoint("GET", 14, lambda rng: f"/jobs/{people.job_id(rng)}", 42, (*_COMMON, _NO_JOB, _NO_JOB)),
    Endpoint("POST", 3, lambda _: "/jobs", 180, (*_COMMON, _BAD_JOB), body=people.job, success=201, reply=_created),
    Endpoint(
        "PATCH",
        4,
        lambda rng: f"/jobs/{people.job_id(rng)}",
        120,
        (*_COMMON, _NO_JOB),
        body=lambda rng: {"salary": people.job(rng)["salary"]},
    ),
    Endpoint("GET", 13, _listing("candidates"), 140, (*_COMMON, _BAD_PAGE)),
    Endpoint(
        "GET", 14, lambda rng: f"/candidates/{people.candidate_id(rng)}", 55, (*_COMMON, _NO_CANDIDATE, _NO_CANDIDATE)
    ),
    CREATE_CANDIDATE,
    Endpoint(
        "PATCH",
        5,
        lambda rng: f"/candidates/{people.candidate_id(rng)}",
        150,
        (*_COMMON, _NO_CANDIDATE, _BAD_EMAIL),
        body=lambda rng: {"phone": people.candidate(rng)["phone"], "stage": rng.choice(people.STAGES)},
    ),
    Endpoint(
        "POST",
        3,
        lambda _: "/candidates/bulk/resume",
        900,
        _COMMON,
        body=_resumes,
        success=202,
        reply=_queued,
        spread=0.6,
    ),
    Endpoint("GET", 9, lambda rng: f"/candidates/batch/{people.batch_id(rng)}", 38, (*_COMMON, _NO_BATCH)),
    JOB_CANDIDATES,
    BULK_FETCH,
    Endpoint("GET", 2, lambda _: "/api-key", 20, _COMMON),
)
