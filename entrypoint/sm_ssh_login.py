"""Runs every login: sshd's ForceCommand, as the user who logged in, isolated and without site packages.

    sm_ssh_login.py ENVIRONMENT_FILE FOLDER [--again]

The session gets the job's environment with what belongs to the session itself on top. A command runs as sshd would run
it; a login shell first runs its profile, which on many systems resets PATH, then gets the job's environment once more.
Each login pays for this file's start: nothing but the smallest modules is imported.
"""

from __future__ import annotations

import os
import sys

# What sshd sets for a session, which the job's values must not hide.
SESSION = (b"SSH_CLIENT", b"SSH_CONNECTION", b"SSH_TTY", b"SSH_AUTH_SOCK", b"SSH_USER_AUTH", b"DISPLAY", b"TERM")
COMMAND = b"SSH_ORIGINAL_COMMAND"
# /etc/profile.d/sm-ssh.sh, where an image has it, gives this PATH back to a login shell that a tool starts by itself.
PATH_KEPT = b"SM_SSH_PATH"


def merged(session: dict[bytes, bytes], data: bytes, folder: bytes) -> dict[bytes, bytes]:
    """Return the login's environment.

    Args:
        session: what we were started with: sshd's variables, later those of the profile.
        data: the job's environment, NUL-separated.
        folder: our programs, put at the end of PATH so that the job's order stays as it is.
    """
    job = dict(entry.partition(b"=")[::2] for entry in data.split(b"\0") if b"=" in entry)
    result = {**session, **job}
    result.update({name: session[name] for name in SESSION if name in session})
    path = job.get(b"PATH") or session.get(b"PATH") or b"/usr/local/bin:/usr/bin:/bin"
    result[b"PATH"] = path if folder in path.split(b":") else path + b":" + folder
    result[PATH_KEPT] = result[b"PATH"]
    result.pop(COMMAND, None)
    # Ours, not the job's: see SetEnv in sshd_config.
    if b"SHLVL" not in job:
        result.pop(b"SHLVL", None)
    return result


def main(file: str, folder: str, *, again: bool) -> None:
    """Become the user's command or shell.

    Args:
        file: the job's environment.
        folder: our programs.
        again: whether the profile has run already.
    """
    import signal

    # Python ignores this one; the session's programs must not inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    session = dict(os.environb)
    try:
        with open(file, "rb") as source:
            data = source.read()
    except OSError:
        data = b""
        os.write(2, b"[sm-ssh] the job's environment cannot be read; this session goes on without it\n")
    env = merged(session, data, os.fsencode(folder))
    shell = os.fsdecode(session.get(b"SHELL") or b"/bin/sh")
    command = session.get(COMMAND)
    name = shell.rpartition("/")[2]
    if command is not None:
        # See SetEnv in sshd_config: this shell must not read ~/.bashrc either.
        env[b"SHLVL"] = max(env.get(b"SHLVL", b""), b"1")
        os.execve(shell, [name, "-c", os.fsdecode(command)], env)  # noqa: S606 # that is what a login does
    terminal = [] if not os.isatty(0) else ["-i"]
    if again:
        os.execve(shell, [name, *terminal], env)  # noqa: S606
    words = [sys.executable, "-I", "-S", os.path.realpath(__file__), file, folder, "--again"]
    # The login shell reads its profile and then becomes us again; its standard input is still unread.
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    os.execve(shell, ["-" + name, "-c", "exec " + quoted], env)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], again="--again" in sys.argv[3:])
