"""What is wrong with evidence, as data: one finding for each fault, named so that a program can tell them apart."""

from __future__ import annotations

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One fault.

    `code` is a stable name of its kind in snake_case, `where` the file, row or member it is about (foreign text
    perhaps), and `message` says in a sentence what is wrong.
    """

    code: str
    where: str
    message: str
