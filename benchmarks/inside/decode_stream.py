"""Decode a stream that was saved to a file: FILE NUMBER."""

import sys
from functools import partial
from pathlib import Path

from taplogs.core.decoding import decode_lines, decode_trailer
from taplogs.sources.body import CHUNK, MEBIBYTE, whole_lines


def main() -> None:
    """Read it in the pieces that a client gets, and see that all entries are there."""
    name, number = sys.argv[1:]
    decoded = 0
    with Path(name).open("rb") as file:
        for block in whole_lines(iter(partial(file.read, CHUNK), b""), 16 * MEBIBYTE):
            last_line = block.rstrip(b"\n").rfind(b"\n") + 1
            decoded += len(decode_lines(block[:last_line] if decode_trailer(block[last_line:]) else block))
    if decoded != int(number):
        sys.exit(f"{decoded} entries, not {number}")


if __name__ == "__main__":
    main()
