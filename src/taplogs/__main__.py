"""The way in: main(argv) -> exit code. The one place where an error becomes words and a code."""

from __future__ import annotations

import sys

from taplogs import __version__

TYPE_CHECKING = False  # typing itself costs half of what Python takes to start
if TYPE_CHECKING:
    from collections.abc import Sequence

    from taplogs.cli.runtime import Runtime


def main(argv: Sequence[str] | None = None) -> int:
    """Run taplogs with these arguments, those of the process by default, and return the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments in (["--version"], ["-V"]) and _told_version():
        return 0
    from taplogs.cli.runtime import Runtime

    return run_safely(Runtime(arguments))


def _told_version() -> bool:
    """Write the version without importing anything; return False where the full program has to tell a fault."""
    try:
        sys.stdout.write(f"taplogs {__version__}\n")
        sys.stdout.flush()
    except (OSError, AttributeError):  # full, gone, or (None) closed from the start
        return False
    return True


def run_safely(runtime: Runtime) -> int:
    """Run a command; whatever goes wrong is told on standard error, never as a traceback. Return the exit code."""
    try:
        from taplogs.cli.app import run as run_command

        code = run_command(runtime)
        if runtime.out is not None:
            runtime.out.flush()
    except BaseException as error:  # noqa: BLE001 - the one place where every error becomes words
        from taplogs.cli.failure import exit_code_of

        return exit_code_of(error, runtime)
    return code


def run() -> None:
    """The console script."""
    import gc

    # Start-up and exit are most of the time of a short command. Imports make many objects and no garbage, so the
    # collector only looks on; and what is alive at the end need not be searched for cycles.
    gc.set_threshold(50_000, 20, 20)
    try:
        code = main()
    except KeyboardInterrupt:  # so early that nothing else could take it
        code = 130
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    run()
