"""The keys of groups as cells of a table, under the names of their dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from taplogs.core.dimensions import Dimension, Group, Key
from taplogs.core.stats import OTHERS
from taplogs.core.timestamp import parse_timestamp
from taplogs.output.grid import Cell, GridColumn
from taplogs.output.palette import STATUS_STYLES
from taplogs.output.terminal import Screen
from taplogs.zone import in_zone


def key_columns(dimensions: Sequence[Dimension]) -> list[GridColumn]:
    """Return a column for each dimension; those that strangers fill give way where the screen is narrow."""
    return [
        GridColumn(dimension.name.replace("-", " ").upper(), flexible=dimension.name in ("endpoint", "user-agent"))
        for dimension in dimensions
    ]


def key_cells(group: Group, dimensions: Sequence[Dimension], screen: Screen, zone: tzinfo) -> list[Cell]:
    """Return the keys of a group, made harmless; hours as they are in `zone`."""
    return [_key_cell(key, dimension, screen, zone) for key, dimension in zip(group, dimensions, strict=True)]


def _key_cell(key: Key, dimension: Dimension, screen: Screen, zone: tzinfo) -> Cell:
    if key is None:
        return Cell("-")
    text = str(key)
    if dimension.name == "hour" and text != OTHERS:
        return Cell(_hour(in_zone(parse_timestamp(text), zone)))
    if dimension.field == "status_code":
        return Cell(text, STATUS_STYLES.get(int(text[0]), "") if text[0].isdigit() else "")
    return Cell(screen.clean(text))


def _hour(local: datetime) -> str:
    """Return an hour as clocks showed it, with its offset where they showed it twice."""
    text = local.isoformat(" ")
    comes_twice = local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()
    return text[:16] + text[19:] if comes_twice else text[:16]
