"""The command line. Commands are thin: they read arguments, call the rooms and print; heavy imports are inside them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from suite.cli import datasets, looking, running, writing
from suite.cli.options import complain
from suite.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Does what sixty papers printed hold when someone else runs it? Start with: suite list; suite show 17",
)
data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Data sets: what is here, how to get the rest."
)
COMMANDS: dict[str, Callable[..., int | None]] = {
    "list": looking.list_papers,
    "show": looking.show,
    "verdicts": looking.verdicts,
    "why": looking.why,
    "run": running.run,
    "confirm": running.confirm,
    "train": running.train,
    "import": running.import_records,
    "report": writing.report,
    "pipeline": writing.pipeline,
    "new": writing.new,
}
DATA_COMMANDS: dict[str, Callable[..., int | None]] = {
    "list": datasets.data_list,
    "fetch": datasets.data_fetch,
    "verify": datasets.data_verify,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(data_app, name="data")
for name, command in DATA_COMMANDS.items():
    data_app.command(name)(command)


def main() -> NoReturn:
    """The console script: runs a command and turns user errors and signals into messages and exit codes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        result = app(arguments, standalone_mode=False)
        if result == 130:  # how the command line library tells of Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()  # here, where a reader that went away can still be told from an error
        sys.exit(result if isinstance(result, int) else 0)
    except UserError as error:
        if debug:
            raise
        _fail(str(error), error.code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; what was finished is kept, run the same command again to go on", 130)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Rich and Typer make it an exit with code 1
            _reader_gone()
        raise
    except BrokenPipeError:
        _reader_gone()
    except OSError as error:
        if debug:
            raise
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; mend that and run the same command again", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of the command line library
            context = getattr(error, "ctx", None)
            hint = f" (see {context.command_path} --help)" if context else ""
            _fail(f"{error.format_message()}{hint}", 2)
        raise


def _fail(message: str, code: int) -> NoReturn:
    complain(message)
    sys.exit(code)


def _reader_gone() -> NoReturn:
    """Ends as the signal SIGPIPE would (141): a view was cut as its reader wished, but a run may not be finished.

    The signal itself stays ignored, since it would also end a run whose worker died or a fetch whose server hung up.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)
