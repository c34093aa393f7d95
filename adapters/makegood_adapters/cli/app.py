"""The command line: what is called, and how every error of ours ends: one sentence, exit status 2."""

import sys
from collections.abc import Collection
from typing import NoReturn

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from makegood_adapters.cli.commands import COMMANDS, add_commands, names

_ABOUT = "Paid AI jobs that either deliver or give the money back."


def build(words: Collection[str] | None = None) -> App:
    """Return the command line; of the commands that are not among *words* it knows no more than their line,
    so that nothing is loaded that is not called. Left out: all of it."""
    app = App(
        name="makegood", version=_release, help=_ABOUT, default_parameter=Parameter(show_default=_default)
    )
    app.help_epilogue = "`makegood COMMAND --help` tells more of each, and ends with an example."
    add_commands(app, names() if words is None else words)
    return app


def run() -> None:
    """Run the command line of this process."""
    words = sys.argv[1:]
    app = build(words)
    try:
        if not names().isdisjoint(words):
            _be_quiet_of_retries()
        app(words, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        _end(f"{_said(error)} {_where_to_look(error)}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # What is not called is not loaded: of a list of commands our errors are no part.
        from makegood.errors import MakegoodError

        if not isinstance(error, MakegoodError):
            raise
        _end(str(error))


def _end(sentence: str) -> NoReturn:
    sys.stderr.write(f"makegood: {sentence}\n")
    sys.exit(2)


def _said(error: CycloptsError) -> str:
    """Return what is wrong with the words as a sentence."""
    if isinstance(error, UnusedCliTokensError):
        words = error.unused_tokens or []
        return f"{' '.join(map(repr, words))} {'is' if len(words) == 1 else 'are'} more than it takes."
    said, _, _ = str(error).partition(" Available commands: ")  # the help has them all
    return " ".join(said.split())


def _where_to_look(error: CycloptsError) -> str:
    chain = list(error.command_chain or ())
    ours = [command.name for command in COMMANDS if chain[:1] == [command.name]]
    return f"`{' '.join(['makegood', *(chain if ours else []), '--help'])}` tells what there is."


def _be_quiet_of_retries() -> None:
    """The library's own lines say that something is asked again, not what and why; ours do."""
    from stamina.instrumentation import set_on_retry_hooks

    set_on_retry_hooks([])


def _default(value: object) -> object:
    """Return what the help tells of a default: of a flag that is not given, nothing."""
    return None if value is False or value in ("", ()) else value


def _release() -> str:
    from makegood_adapters.http.release import release

    return release()
