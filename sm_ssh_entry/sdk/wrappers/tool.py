"""The laptop tool as a child: what ``sm-ssh`` can do is done by it, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from sm_ssh_entry import command, errors
from sm_ssh_entry.sdk.wrappers.account import Account

_PROGRAM, _HINT = "sm-ssh: ", "  hint: "
_SM_SSH = "sm_ssh_entry.cli.main"
_OLD_NAMES = "sm_ssh_entry.cli.old_names"
_END_SECONDS = 5.0


def call(account: Account, *words: str) -> str:
    """Run ``sm-ssh`` to its end and return what it printed. Its progress appears on our standard error as it comes.

    Args:
        account: whom it talks to.
        words: command and arguments.

    Raises:
        SmSshError: what it failed with: same message, hint and class.
    """
    child = start(account, *words)
    said: list[str] = []
    listener = threading.Thread(target=_listen, args=(child.stderr, said), daemon=True)
    listener.start()
    try:
        output = _read(child.stdout)
        status = child.wait()
        listener.join()
    except BaseException:  # Ctrl-C in a notebook reaches us alone
        end(child)
        raise
    finally:
        if child.stdout:
            child.stdout.close()
    if status:
        raise failure(status, said)
    for line in said:
        _tell(line)
    return output


@contextlib.contextmanager
def beside(account: Account, *words: str, grace: float) -> Iterator[None]:
    """Run ``sm-ssh`` while a block runs, its output on our standard output as it comes. Its failure is only told.

    Args:
        account: whom it talks to.
        words: command and arguments.
        grace: seconds that it is given to end after the block.
    """
    child = start(account, *words)
    said: list[str] = []
    readers = [
        threading.Thread(target=_read, args=(child.stdout, _print), daemon=True),
        threading.Thread(target=_listen, args=(child.stderr, said), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        yield
        with contextlib.suppress(command.Expired):
            child.wait(timeout=grace)
    finally:
        if child.poll() is None:
            child.terminate()
        for reader in readers:
            reader.join(timeout=_END_SECONDS)
        end(child)
        for line in said:
            _tell(line)


def entries(account: Account, host: str) -> list[dict[str, Any]]:
    """Return the managed nodes that a name means, as ``sm-ssh list`` orders and describes them.

    Args:
        account: whom to ask.
        host: name of a job, an endpoint or a node.

    Raises:
        SmSshError: they could not be asked for.
    """
    found: list[dict[str, Any]] = json.loads(call(account, "list", host, "--output", "json"))
    return found


def start(account: Account, *words: str) -> command.Popen[bytes]:
    """Start ``sm-ssh`` with pipes for its output and errors; the caller reads and ends it.

    Args:
        account: whom it talks to.
        words: command and arguments.
    """
    return _spawn(account, _SM_SSH, words, output=command.PIPE)


def start_old(account: Account, *words: str) -> command.Popen[bytes]:
    """Start one of the commands that ``sm-ssh`` has under older names: the key of that name is made and used.

    Its errors come by a pipe; what it prints is dropped.

    Args:
        account: whom it talks to.
        words: name of the command, and its arguments.
    """
    return _spawn(account, _OLD_NAMES, words, output=command.DEVNULL)


def end(child: command.Popen[bytes]) -> None:
    """End a child: it hands the signal on to its own."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=_END_SECONDS)
        except command.Expired:
            child.kill()
            child.wait()


def lines(stream: IO[bytes] | None) -> Iterator[str]:
    """Give the lines of a pipe as text, and close it at its end: who reads it owns it."""
    if stream:
        with stream:
            for line in stream:
                yield line.decode("utf-8", "replace")


def failure(status: int, said: Sequence[str]) -> errors.SmSshError:
    """Return the error that a child ended with.

    Args:
        status: its exit status.
        said: its lines on standard error.
    """
    message, hint = "", ""
    for line in said:
        if line.startswith(_PROGRAM):
            message, hint = line.removeprefix(_PROGRAM), ""
        elif line.startswith(_HINT):
            hint = line.removeprefix(_HINT)
    message = message or next((line for line in reversed(said) if line.strip()), f"sm-ssh ended with {status}")
    return _classes().get(status, errors.SmSshError)(message, hint=hint)


def _classes() -> dict[int, type[errors.SmSshError]]:
    return {leaf.exit_code: leaf for leaf in errors.SmSshError.__subclasses__()}


def _spawn(account: Account, module: str, words: Sequence[str], *, output: int) -> command.Popen[bytes]:
    argv = [sys.executable, "-m", module, *words]
    return command.spawn(argv, env=account.environment(), stdout=output, stderr=command.PIPE)


def _read(stream: IO[bytes] | None, each: Callable[[str], None] | None = None) -> str:
    kept = []
    for text in lines(stream):
        if each:
            each(text)
        else:
            kept.append(text)
    return "".join(kept)


def _listen(stream: IO[bytes] | None, said: list[str]) -> None:
    """Show a child's progress; keep what it says of itself, which may be why it failed."""
    for line in lines(stream):
        text = line.rstrip("\r\n")
        if text.startswith((_PROGRAM, _HINT)) or not text.startswith(" "):
            said.append(text)
        else:
            _tell(text)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
