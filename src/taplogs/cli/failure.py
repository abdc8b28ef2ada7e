"""Errors -> words on standard error and an exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from typer import Abort, TyperException

from taplogs.cli.runtime import Runtime
from taplogs.core.apikey import mask_keys
from taplogs.errors import ExitCode, TaplogsError, UsageError
from taplogs.output.palette import ERROR_STYLE, HINT_STYLE
from taplogs.output.terminal import Messages, discard, harmless_json, screen_of
from taplogs.settings import color_convention


def exit_code_of(error: BaseException, runtime: Runtime) -> int:
    """Tell the user about `error`, and return the exit code it stands for."""
    if isinstance(error, KeyboardInterrupt | Abort):
        return int(ExitCode.INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        discard(runtime.out)
        return int(ExitCode.PIPE_CLOSED)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(ExitCode.FAILURE)
    known = _translated(error)
    _tell(known, runtime)
    if "--debug" in runtime.arguments and error is not known and not isinstance(error, TyperException):
        _show_origin(error, runtime)
    if isinstance(error, OSError):
        discard(runtime.out)
    return int(known.exit_code)


def _translated(error: BaseException) -> TaplogsError:
    if isinstance(error, TaplogsError):
        return error
    if isinstance(error, TyperException):
        command = getattr(getattr(error, "ctx", None), "command_path", "taplogs")
        return UsageError(error.format_message().rstrip("."), f"'{command} --help' shows what it takes")
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return TaplogsError(f"{error.strerror or error}{place}")
    if isinstance(error, MemoryError):
        return TaplogsError("out of memory", "narrow the window with --since and --until")
    return TaplogsError(
        f"unexpected error: {type(error).__name__}: {error}", "this is a fault of taplogs; --debug shows where"
    )


def _tell(error: TaplogsError, runtime: Runtime) -> None:
    if runtime.err is None:
        return
    said = color_convention(runtime.environ)
    color = runtime.color or (said.value if said else "auto")
    messages = Messages(runtime.err, screen_of(runtime.err, runtime.environ, color))
    if wants_json(runtime.arguments):
        body = {"code": error.code, "message": mask_keys(error.message), "hint": error.hint and mask_keys(error.hint)}
        messages.write_raw(harmless_json(json.dumps({"error": body}).encode("ascii")).decode("ascii") + "\n")
        return
    messages.write(error.message, label="error: ", style=ERROR_STYLE)
    if error.hint:
        messages.write(error.hint, label="hint: ", style=HINT_STYLE)


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether the command line asks for JSON, also where the rest of it cannot be understood."""
    return re.search(r"(?:^| )(?:--json|(?:-o ?|--output[ =])jsonl?)(?: |$)", " ".join(arguments)) is not None


def _show_origin(error: BaseException, runtime: Runtime) -> None:
    """Write the frames that led to `error`: places only, no values."""
    import traceback

    if runtime.err is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        Messages(runtime.err, screen_of(runtime.err, {})).write_raw(mask_keys(frames))
