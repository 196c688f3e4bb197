"""``sm-ssh start-proxy``, the ProxyCommand of ``ssh``: parsed by hand, because every login waits for these imports.

``python -m sm_ssh_entry.cli.proxy`` is the same thing; ``sm-ssh connect`` and the configuration it prints use it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from sm_ssh_entry import contract
from sm_ssh_entry.errors import INTERRUPTED, BadInput, SmSshError

USAGE = (
    "sm-ssh start-proxy [--region R] [--profile P] [--via V] [--index N] [--identity KEY] [--outcome FILE] HOST [PORT]"
)
_OPTIONS = ("region", "profile", "via", "index", "identity", "outcome")
_WAYS = ("", "hybrid", "native")
# Who runs us. Asked here: a helper process of ours has another parent.
_SSH = os.getppid()


def main(argv: Sequence[str] | None = None) -> int:
    """Be the ProxyCommand and return the exit status; an expected failure prints one line and a hint on stderr.

    Args:
        argv: words after the program's name; None: the process's own.
    """
    options: dict[str, str] = {}
    host = ""
    try:
        options, host, port = parse(sys.argv[1:] if argv is None else argv)
        return run(host, port, **options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SmSshError as error:
        from sm_ssh_entry.connect import outcome

        code = outcome.leave(error, host=host, path=options.get("outcome", ""), ssh=_SSH)
        if os.environ.get(contract.DEBUG):
            raise
        return code


def run(host: str, port: int, **options: str) -> int:
    """Take the steps of connect.

    Args:
        host: name of the node.
        port: sshd's port where the node's tags do not say it; 0: the usual one.
        options: those of the command line; ``outcome`` is read by ``main``.

    Raises:
        BadInput: an option's value cannot be right.
    """
    via, index = options.get("via", ""), options.get("index", "0")
    if via not in _WAYS or not index.isdigit():
        raise BadInput("--via is hybrid or native, --index a number", hint=USAGE)
    if os.environ.get(contract.DEBUG):
        _log_to_stderr()
    # What is imported stays, so to look for garbage meanwhile only costs: 50 ms of a login. Later there is little.
    gc.set_threshold(100_000, 20, 20)
    from sm_ssh_entry.connect import connect
    from sm_ssh_entry.connect.access import Reach

    reach = Reach(
        options.get("region") or None, options.get("profile") or None, via, int(index), options.get("identity", "")
    )
    return connect.run(connect.Login(host=host, tell=tell, reach=reach, port=port or connect.DEFAULT_PORT))


def parse(argv: Sequence[str]) -> tuple[dict[str, str], str, int]:
    """Take the command line apart into options, host and port (0: none).

    Raises:
        BadInput: it is not as ``USAGE`` says.
    """
    options: dict[str, str] = {}
    rest: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name.startswith("--") and name[2:] in _OPTIONS:
            if not equals and not words:
                raise BadInput(f"{name} needs a value", hint=USAGE)
            options[name[2:]] = value if equals else words.pop(0)
        elif word.startswith("-"):
            raise BadInput(f"there is no option {word}", hint=USAGE)
        else:
            rest.append(word)
    if not 1 <= len(rest) <= 2:
        raise BadInput("one host name is expected, and perhaps a port", hint=USAGE)
    port = rest[1] if len(rest) == 2 else "0"
    if not port.isdigit() or int(port) > 65535:
        raise BadInput(f"{port!r} is not a port", hint=USAGE)
    return options, rest[0], int(port)


def tell(line: str) -> None:
    """Print one line for the user of ``ssh``."""
    from sm_ssh_entry.connect import outcome

    outcome.tell(line, _SSH)


def _log_to_stderr() -> None:
    """Log what our own modules say. Not the libraries': theirs would show tokens."""
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(relativeCreated)7.0f ms %(name)s: %(message)s"))
    ours = logging.getLogger("sm_ssh_entry")
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)


if __name__ == "__main__":
    sys.exit(main())
