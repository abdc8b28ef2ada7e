"""Figures for Prometheus, in its text format, version 0.0.4.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
"""What is appended to the metric's name (`_bucket`, `_sum`, `_count`, mostly nothing), the labels, and the value."""


class Metric(Struct, frozen=True):
    """One metric and its samples."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]


def counter(name: str, words: str, value: float) -> Metric:
    """Return a counter that has no labels; its name ends with `_total`."""
    return Metric(name, "counter", words, [("", {}, value)])


def gauge(name: str, words: str, value: float) -> Metric:
    """Return a gauge that has no labels."""
    return Metric(name, "gauge", words, [("", {}, value)])


def histogram_samples(labels: Labels, bounds: Sequence[float], counts: Sequence[int], total: float) -> list[Sample]:
    """Return the samples of one histogram.

    `counts` has a number for each of `bounds`, the buckets' upper ends, and one for what lies beyond; `total` is the
    sum of all that was measured.
    """
    samples: list[Sample] = []
    so_far = 0
    for bound, count in zip((*map(_number, bounds), "+Inf"), counts, strict=True):
        so_far += count
        samples.append(("_bucket", {**labels, "le": bound}, so_far))
    return [*samples, ("_sum", labels, total), ("_count", labels, so_far)]


def exposition(metrics: Iterable[Metric]) -> bytes:
    """Return the page that is scraped."""
    lines: list[str] = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {_escaped(metric.help)}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        lines += [
            f"{metric.name}{suffix}{_labels(labels)} {_number(value)}" for suffix, labels, value in metric.samples
        ]
    return "\n".join([*lines, ""]).encode("utf-8")


def _labels(labels: Labels) -> str:
    named = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels.items())
    return f"{{{named}}}" if named else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
