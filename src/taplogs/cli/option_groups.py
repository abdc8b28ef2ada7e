"""Groups of options that several commands share, declared once as a Struct.

A command takes a parameter of the group's type; on the command line each field of it is an option.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

from msgspec import NODEFAULT, Struct


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with each parameter that is a group replaced by the group's fields."""
    signature = inspect.signature(command, eval_str=True)
    groups = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, Struct)
    }

    @wraps(command)
    def expanded(**values: Any) -> None:
        built = {
            name: group(**{field: values.pop(field) for field in group.__struct_fields__})
            for name, group in groups.items()
        }
        command(**values, **built)

    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name in groups:
            parameters += _parameters_of(groups[name])
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return expanded


def _parameters_of(group: type[Struct]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    without = [NODEFAULT] * (len(group.__struct_fields__) - len(group.__struct_defaults__))
    defaults = [*without, *group.__struct_defaults__]
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is NODEFAULT else default,
            annotation=hints[name],
        )
        for name, default in zip(group.__struct_fields__, defaults, strict=True)
    ]
