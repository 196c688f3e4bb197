"""Takes the agent's programs and configuration out of its package as they are. No maintainer script runs.

A .deb is an ar archive (deb(5)) that Python reads on every distribution, so that one package serves them all. Where
there is none, an .rpm does.
"""

import compileall
import io
import json
import os
import py_compile
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import rpm

PROGRAMS = ("amazon-ssm-agent", "ssm-agent-worker", "ssm-session-worker", "ssm-document-worker", "ssm-session-logger")
# The last folder is the stand-in's own; the official package has nothing there.
TAKEN = (*(f"usr/bin/{name}" for name in PROGRAMS), "etc/amazon/ssm/", "usr/lib/sm-ssh-stand-in/")


def fail(text: str) -> NoReturn:
    """End the build with one line."""
    sys.exit(f"sm-ssh: ERROR {text}")


def check(about: dict[str, str], given: dict[str, str]) -> None:
    """Make sure that the agent is who the build says it is: the image's label repeats that."""
    for key in ("source", "version"):
        wanted = given.get(f"AGENT_{key.upper()}", "")
        if wanted and about[key] != wanted:
            found = f"{about['source']} {about['version']}"
            fail(f"the agent among the artifacts is {found}, but AGENT_{key.upper()}={wanted}")
    if about["source"] != "official" and given.get("ALLOW_STAND_IN") != "true":
        fail("no release holds the stand-in agent (hint: sm-ssh image fetch --agent official)")


def data(package: bytes) -> bytes:
    """Return the archive inside a .deb that holds its files."""
    position = 8
    while position + 60 <= len(package):
        header = package[position : position + 60]
        begin, size = position + 60, int(header[48:58])
        if header.startswith(b"data.tar"):
            return package[begin : begin + size]
        position = begin + size + size % 2
    raise ValueError("it has no data.tar")


def files(package: bytes) -> Iterator[rpm.File]:
    """Give every regular file of a .deb."""
    with tarfile.open(fileobj=io.BytesIO(data(package))) as archive:
        for item in archive:
            content = archive.extractfile(item) if item.isfile() else None
            if content is not None:
                yield rpm.File(item.name, item.mode, content.read())


def unpack(package: Iterator[rpm.File]) -> list[str]:
    """Put what we take in its place; return the paths."""
    taken = []
    for file in package:
        name = file.name.removeprefix("./").removeprefix("/")
        if ".." in name or not (name in TAKEN or name.startswith(TAKEN[len(PROGRAMS) :])):
            continue
        target = Path("/", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # an agent that the base has may be running nowhere, but may be a link
        target.write_bytes(file.content)
        target.chmod(file.mode & 0o755)
        taken.append(str(target))
    return taken


def main() -> None:
    """Check who the agent is, then unpack it."""
    folder = Path(os.environ["ARTIFACTS"], "agent", os.environ["TARGETARCH"])
    about = json.loads((folder / "about.json").read_text())
    check(about, dict(os.environ))
    deb, other = folder / "amazon-ssm-agent.deb", folder / "amazon-ssm-agent.rpm"
    file, read = (deb, files) if deb.is_file() else (other, rpm.files)
    try:
        taken = unpack(read(file.read_bytes()))
    except FileNotFoundError:
        fail(f"there is neither {deb.name} nor {other.name} among the artifacts (hint: sm-ssh image fetch)")
    except (ValueError, tarfile.TarError) as error:
        fail(f"{file.name} cannot be read: {error}")
    if "/usr/bin/amazon-ssm-agent" not in taken:
        fail(f"{file.name} has no /usr/bin/amazon-ssm-agent")
    state = Path(os.environ["STATE"])
    stand_in = Path("/", TAKEN[-1])
    if stand_in.is_dir():  # it is Python; the official agent has nothing to compile
        compileall.compile_dir(stand_in, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    (state / "agent.json").write_text(json.dumps(about))
    (state / "agent.files").write_text("".join(f"{path}\n" for path in taken))


main()
