"""What SageMaker itself does for a container: folders below /opt/ml, and requests to the port of one that serves."""

from __future__ import annotations

import json
import random
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.images.built import engine
from tests.images.built.engine import Container
from tests.waiting import wait_until

# The service starts an image by one of these words; it has no TRAINING_JOB_NAME where it serves.
SERVE = "serve"
NO_JOB = {"TRAINING_JOB_NAME": "", "TRAINING_JOB_ARN": ""}
# Grace of a stop, in seconds: sections 1.3 and 1.4 of the SageMaker contract page.
ENDPOINT_GRACE = 30
HOST = "algo-1"


def folders(root: Path, files: Mapping[str, str], *written: str) -> tuple[str, ...]:
    """Write files below a folder that stands for /opt/ml; return the options of ``docker run`` that mount it.

    Args:
        root: an empty folder.
        files: path below /opt/ml → text. The container cannot change them.
        written: folders below /opt/ml that the container may write to, and from which ``read`` takes.
    """
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in written:
        # Where it lies inside a folder that is mounted, it has to be there.
        if "/" in name:
            (root / name).mkdir(parents=True)
    # Nothing of the host's is written to: what a container's root makes, a test's user could not remove.
    mounts = [f"{entry}:/opt/ml/{entry.name}:ro" for entry in sorted(root.iterdir())]
    mounts += [f"/opt/ml/{name}" for name in written]
    return tuple(word for mount in mounts for word in ("--volume", mount))


def training(
    root: Path,
    *,
    hyperparameters: Mapping[str, str],
    channels: Mapping[str, Mapping[str, str]],
    code: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Return the options that make a container a node of a training job.

    Args:
        root: an empty folder.
        hyperparameters: as in CreateTrainingJob.
        channels: name → file → text.
        code: file → text, below /opt/ml/code.
    """
    files = {
        "input/config/hyperparameters.json": json.dumps(dict(hyperparameters)),
        "input/config/inputdataconfig.json": json.dumps({name: {"TrainingInputMode": "File"} for name in channels}),
        "input/config/resourceconfig.json": json.dumps(
            {"current_host": HOST, "hosts": [HOST], "network_interface_name": "eth0"}
        ),
    }
    files |= {f"input/data/{name}/{file}": text for name, held in channels.items() for file, text in held.items()}
    files |= {f"code/{file}": text for file, text in (code or {}).items()}
    return (*folders(root, files, "model", "output"), "--add-host", f"{HOST}:127.0.0.1")


def read(container: Container, path: str, folder: Path) -> str:
    """Return a file of a container's, running or ended.

    Args:
        container: it.
        path: the file in it.
        folder: where it is put for a moment.
    """
    copy = folder / "copied"
    engine.docker("cp", f"{container.name}:{path}", str(copy))
    try:
        return copy.read_text()
    finally:
        copy.unlink()


def exists(container: Container, path: str) -> bool:
    """Tell whether a running container has a file."""
    return engine.docker("exec", container.name, "test", "-e", path, check=False).returncode == 0


def server_port() -> int:
    """Return a port that nobody listens on, below 32767: multi-model-server takes no other."""
    while True:
        port = random.randrange(20000, 32767)
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) != 0:
                return port


def ask(port: int, path: str, body: Any = None, *, method: str = "", kind: str = "application/json") -> tuple[int, str]:
    """Send the container one request as the service does; return the answer's status and text. 0: nobody answers.

    Args:
        port: its port.
        path: ``/ping`` and the like.
        body: text as it is, anything else as JSON.
        method: GET without a body and POST with one, if empty.
        kind: the body's media type.
    """
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method or None)
    request.add_header("Content-Type", kind)
    try:
        with urllib.request.urlopen(request, timeout=180) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def wait_for_ping(container: Container, port: int) -> None:
    """Wait until a container says that it is ready to serve."""

    def answered() -> bool:
        if ask(port, "/ping")[0] == 200:
            return True
        assert engine.docker("inspect", "--format", "{{.State.Running}}", container.name).stdout == "true\n"
        return False

    try:
        wait_until(answered, 90, every=0.1)
    except AssertionError:
        raise AssertionError(f"no ping: {ask(port, '/ping')}\n{container.log}") from None


def zombies(container: Container) -> list[str]:
    """Return the command lines of a container's processes that have ended and that nobody has asked for."""
    return [words for state, words in container.processes() if state.startswith("Z")]


def timeless(log: str) -> str:
    """Return a log without the moments at which its lines were written."""
    return re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+", "TIME", log, flags=re.MULTILINE)


def wait_for_as_many_processes(one: Container, other: Container) -> None:
    """Wait until two containers run equally many processes, none of which has ended: servers start theirs by and by."""
    wait_until(lambda: len(one.processes()) == len(other.processes()), 30, every=0.2, what="as many processes")
    assert zombies(one) == zombies(other) == []
