"""The one talker to a container engine: the ``docker`` command line, with whatever engine it is set up for.

The command line and not the HTTP API: it honours contexts, DOCKER_HOST and rootless engines, and builds need it anyway.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping
from typing import IO, Any

from sm_ssh_entry import command
from sm_ssh_entry.errors import NoSpace, NotFound, SmSshError, TimedOut, ToolMissing

DOCKER = "docker"
_ASK_SECONDS = 20.0
_NO_SPACE = re.compile(r"no space left on device", re.IGNORECASE)
_NO_FILE = re.compile(r"could not find the file|no such file or directory|not a directory", re.IGNORECASE)


class EngineFailed(SmSshError):
    """The engine refused something, in its own words."""


def require(*, hint: str, buildx: bool = False) -> None:
    """Make sure that an engine answers.

    Args:
        hint: what the user can do without one.
        buildx: whether images are to be built.

    Raises:
        ToolMissing: no client, no engine behind it, or no buildx.
    """
    try:
        found = command.run([DOCKER, "info", "--format", "{{json .ServerVersion}}"], timeout=_ASK_SECONDS)
    except ToolMissing as error:
        raise ToolMissing("docker is not installed", hint=hint) from error
    except TimedOut as error:
        raise ToolMissing("the container engine does not answer", hint=hint) from error
    # An old client prints an empty version and ends with 0 where no engine answers.
    if not found.ok or found.stdout.strip() in ("", '""', "null"):
        raise ToolMissing(f"no container engine answers: {_last_line(found.stderr)}", hint=hint)
    if buildx and not command.run([DOCKER, "buildx", "version"], timeout=_ASK_SECONDS).ok:
        raise ToolMissing(
            "the docker client has no buildx", hint="install the package docker-buildx-plugin (docker-buildx in Debian)"
        )


def docker(
    *words: str, timeout: float | None = None, stdin: str | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run the client to its end and return its output.

    Args:
        words: subcommand and arguments.
        timeout: seconds.
        stdin: text for its standard input.
        env: variables on top of ours; what the client passes on by name alone stands in no list of processes.

    Raises:
        NoSpace: the engine's disk is full.
        EngineFailed: it failed; the message is the engine's last line.
        ToolMissing: there is no client.
        TimedOut: it took too long.
    """
    whole = None if env is None else {**os.environ, **env}
    done = command.run([DOCKER, *words], timeout=timeout, stdin=stdin, env=whole)
    if not done.ok:
        raise failure(f"docker {words[0]}", done.stderr)
    return done.stdout


def spawn(*words: str) -> tuple[command.Popen[bytes], IO[bytes]]:
    """Start the client and return at once, with what both of its streams say; a terminal's Ctrl-C does not reach it.

    Args:
        words: subcommand and arguments.

    Raises:
        ToolMissing: there is no client.
    """
    child = command.spawn([DOCKER, *words], stdout=command.PIPE, stderr=command.STDOUT, new_session=True)
    if child.stdout is None:
        raise RuntimeError("a pipe that was asked for is not there")
    return child, child.stdout


def failure(what: str, output: str) -> SmSshError:
    """Return the error that the client's output speaks of.

    Args:
        what: what was tried.
        output: what the client said.
    """
    if _NO_SPACE.search(output):
        return NoSpace(f"{what}: no space left on the engine's disk", hint="docker system df shows what takes it")
    return EngineFailed(f"{what}: {_last_line(output)}")


def inspect(image: str) -> dict[str, Any]:
    """Return what the engine knows of an image.

    Args:
        image: its tag or id.

    Raises:
        NotFound: the engine has no such image.
    """
    done = command.run([DOCKER, "image", "inspect", image], timeout=_ASK_SECONDS)
    if not done.ok:
        raise NotFound(f"the engine has no image {image}", hint=f"docker pull {image}, or check its name")
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def copied(container: str, path: str, most: int = 0) -> tuple[tarfile.TarInfo, bytes] | None:
    """Read one file of a container, running or not; links are followed. None: there is no such file.

    Args:
        container: its name or id.
        path: full path in it.
        most: bytes of its content to return at the most; none of a folder's.

    Raises:
        EngineFailed: the engine did not give it.
        ToolMissing: there is no client.
    """
    with tempfile.TemporaryFile() as said:
        words = [DOCKER, "cp", "--follow-link", f"{container}:{path}", "-"]
        child = command.spawn(words, stdout=command.PIPE, stderr=said, new_session=True)
        with child:
            try:
                with tarfile.open(fileobj=child.stdout, mode="r|") as archive:
                    item = archive.next()
                    file = archive.extractfile(item) if item is not None and most else None
                    if item is not None:
                        return item, file.read(most) if file else b""
            except tarfile.TarError:
                child.wait()  # it gave nothing, and says why on its way out
            finally:
                # The rest of a large file is of no use.
                child.kill()
        said.seek(0)
        words_said = said.read().decode(errors="replace")
    if _NO_FILE.search(words_said):
        return None
    raise failure("docker cp", words_said)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Where the client sums up at the end, the engine's own words stand before that.
    lines = [line for line in lines if line.startswith("Error response from daemon: ")] or lines
    return lines[-1].removeprefix("ERROR: ")[:300] if lines else "it said nothing"
