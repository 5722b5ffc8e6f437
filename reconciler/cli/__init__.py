"""The command line: the only room that prints, reads the environment and exits."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from pathlib import Path

import click

from reconciler.cli.group import group
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _

WRONG_USE = 64
INTERRUPTED = 130
TERMINATED = 143
_NO_TEXT = re.compile("[\ud800-\udfff]").search


class _Terminated(BaseException):
    """The run was asked to stop; open transactions are rolled back on the way out."""


def main() -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _terminate)
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # All is done and closed. Letting go of a million values one by one would only take time.
    os._exit(code)


def _terminate(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise _Terminated


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one for each way to end
    """Run the command line; its exit code is returned."""
    try:
        _require_text(arguments)
        return int(group.main(arguments, prog_name="reconciler", standalone_mode=False) or 0)
    except Failure as failure:
        from reconciler.cli.terminal import show_failure  # noqa: PLC0415

        show_failure(failure)
        return failure.exit_code
    except click.UsageError as error:
        error.show()
        return WRONG_USE
    except click.ClickException as error:
        error.show()
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("Interrupted. Nothing was left half done."), err=True)
        return INTERRUPTED
    except _Terminated:
        return TERMINATED
    except BrokenPipeError:
        # Whoever read the output has enough; nothing is left to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - no traceback, which could show values, reaches users
        return _own_fault(error)


def _require_text(arguments: list[str]) -> None:
    if any(map(_NO_TEXT, arguments)):
        raise click.UsageError(_("An argument is not UTF-8."))


def _own_fault(error: Exception) -> int:
    """Say that the tool itself failed, and where; its values stay out of it."""
    from reconciler.cli.terminal import show_failure  # noqa: PLC0415

    if os.environ.get("RECONCILER_TRACEBACK"):
        raise error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__}, {Path(frame.filename).name}:{frame.lineno}"
    show_failure(Failure.of("MBX900", where=where))
    return 1
