"""Signals as bytes in a pipe, so that one poll waits for them together with everything else.

For a process that later becomes another program: what it changed about signals is undone before that.
"""

from __future__ import annotations

import contextlib
import os
import signal

# Not ours to catch: the kernel's own two, faults of our own code, children (reaped, not forwarded), and terminal
# output from the background, which must stay ignored while we hand the terminal over.
_LEFT = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGSEGV,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGBUS,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGPIPE,
    signal.SIGTTOU,
    signal.SIGTTIN,
    signal.SIGXFSZ,
}
# What the service and people stop a job with.
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


class SignalPipe:
    """Catches signals; each arrives as a byte, its number.

    A signal that was ignored when we started stays ignored, for us and for what we become.

    Args:
        numbers: which; None: all that can be caught.
    """

    def __init__(self, numbers: tuple[int, ...] | None = None) -> None:
        wanted = signal.valid_signals() - _LEFT if numbers is None else set(numbers)
        self.descriptor, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before = {}
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in wanted:
            with contextlib.suppress(OSError, ValueError):
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, _caught)

    def read(self) -> list[int]:
        """Return the numbers that have arrived."""
        try:
            return list(os.read(self.descriptor, 4096))
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Undo what we changed, as the first step to another program."""
        signal.set_wakeup_fd(-1)
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)
        # Python's own start ignores these two, which a program would inherit.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.close(self.descriptor)
        os.close(self._writing)


def _caught(_number: int, _frame: object) -> None:
    """Do nothing: the byte in the pipe is what counts."""


def stop_before_exec(pipe: SignalPipe) -> int:
    """Give signals back their defaults; return the number of a stop that came before, 0 where none did.

    They are held back meanwhile, so that a stop during the change is seen as well.

    Args:
        pipe: what caught them; closed afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    arrived = pipe.read()
    pipe.close()
    pending = signal.sigpending()
    stop = next((number for number in STOPPING if number in arrived or number in pending), 0)
    if not stop:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return int(stop)
