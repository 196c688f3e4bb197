"""Takes the agent's programs and configuration out of its package, as its publisher made them. No maintainer script runs.

A .deb is an ar archive (deb(5)); Python reads it on every distribution, so that one package serves them all.
"""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

PROGRAMS = ("amazon-ssm-agent", "ssm-agent-worker", "ssm-session-worker", "ssm-document-worker", "ssm-session-logger")
# The last one is the stand-in's own folder; the official package has nothing there.
TAKEN = (*(f"usr/bin/{name}" for name in PROGRAMS), "etc/amazon/ssm/", "usr/lib/sm-ssh-stand-in/")


def fail(text: str) -> None:
    """End the build with one line."""
    sys.exit(f"sm-ssh: ERROR {text}")


def data(package: bytes) -> tarfile.TarFile:
    """Return the tar file inside that holds the files."""
    position = 8
    while package[:position] and position + 60 <= len(package):
        header = package[position : position + 60]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        if name.startswith("data.tar"):
            return tarfile.open(fileobj=io.BytesIO(package[position + 60 : position + 60 + size]))
        position += 60 + size + size % 2
    raise ValueError("it has no data.tar")


def main() -> None:
    """Check who the agent is, then unpack it."""
    folder = Path(os.environ["ARTIFACTS"], "agent", os.environ["TARGETARCH"])
    about = json.loads((folder / "about.json").read_text())
    wanted = os.environ.get("AGENT_SOURCE", "")
    if wanted and about["source"] != wanted:
        fail(f"the agent among the artifacts is the {about['source']} one, AGENT_SOURCE says {wanted}")
    if about["source"] != "official" and os.environ.get("ALLOW_STAND_IN") != "true":
        fail("a release cannot hold the stand-in agent (hint: sm-ssh image fetch --agent official)")
    file = folder / "amazon-ssm-agent.deb"
    try:
        with data(file.read_bytes()) as archive:
            for item in archive:
                name = item.name.removeprefix("./")
                if not (item.isfile() and name.startswith(TAKEN)):
                    continue
                item.name, item.uid, item.gid, item.mode = name, 0, 0, item.mode & 0o755
                archive.extract(item, "/")
    except (OSError, ValueError, tarfile.TarError) as error:
        fail(f"{file.name}: {error}")
    if not os.access("/usr/bin/amazon-ssm-agent", os.X_OK):
        fail(f"{file.name} has no /usr/bin/amazon-ssm-agent")
    Path(os.environ["STATE"], "agent.json").write_text(json.dumps(about))


main()
