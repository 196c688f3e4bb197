"""The container's first process where somebody waits or stays: holds the user's command, then becomes or runs it.

Runs as process 1 (or beside others, under a root prefix), as the container's user, with the job's environment. The stub
has made sure that the command exists and that our Python works. Whatever goes wrong here, the command still runs,
unless SSH_ON_ERROR=fail.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sm_ssh_entry.boot import become, environment, hold, init, log, settings, signals, status, supervise
from sm_ssh_entry.contract import Paths


def main(words: Sequence[str]) -> int:
    """Hold, then exec or supervise the user's command; return an exit status where we did not become it.

    Args:
        words: ``--`` and the command.
    """
    command = list(words[1:] if words[:1] == ["--"] else words)
    given = environment.given()
    try:
        env = environment.text(given)
        asked = settings.read(env)
        paths = Paths(asked.root)
        if supervise.running(str(paths.run)):
            # Not the container's first process: a stub within a stub, or a command run in a login.
            return become.run(command, given)
        pipe = signals.SignalPipe(None if asked.stays else signals.STOPPING)
        outcome = hold.run(command, given, asked, paths, pipe)
        if asked.stays and outcome.status is None:
            status.update(paths, job="running", mark="command")
            return init.run(command, given, asked, paths, pipe)
        if asked.deregister_on_exit and outcome.status is not None:
            init.deregister(given)
        stop = signals.stop_before_exec(pipe)
    except Exception:  # noqa: BLE001 # a defect of ours must not cost the job
        log.unexpected("hold")
        return become.run(command, given)
    if stop or outcome.status is not None:
        return 128 + stop if stop else int(outcome.status or 0)
    status.update(paths, job="running", mark="command")
    return become.run(command, given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
