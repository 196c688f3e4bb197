"""The processing image: a job whose container entrypoint replaces the image's, and names ours as its first word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images.built import family, service
from tests.images.built.engine import Container
from tests.images.built.world import World
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.PROCESSING)

OFF = {"START_SSH": "false"}
STUB = "/opt/sm-ssh/bin/sm-ssh-entry"
CODE = "/opt/ml/processing/input/code/summarize.py"
# What a data scientist writes; it ends early, with a status of its own, when the service stops the job.
SCRIPT = """\
import json, os, pathlib, signal, sys, time
import pandas

def stop(*_):
    print("stopped early", flush=True)
    sys.exit(4)

signal.signal(signal.SIGTERM, stop)
root = pathlib.Path("/opt/ml/processing")
table = pandas.read_csv(root / "input" / "data" / "rows.csv")
print(f"summing {len(table)} rows", flush=True)
while os.environ.get("PAUSE"):
    time.sleep(0.1)
sums = {name: int(value) for name, value in table.sum().items()}
seen = {
    "sums": sums,
    "words": sys.argv,
    "process": os.getpid(),
    "first": pathlib.Path("/proc/1/cmdline").read_text(),
    "environment": dict(os.environ),
}
(root / "output" / "seen.json").write_text(json.dumps(seen))
if sums["a"] > 100:
    (root.parent / "output" / "message").write_text("too many")
    sys.exit(3)
"""

Start = Callable[..., Container]


@pytest.fixture
def start(world: World, tmp_path: Path) -> Start:
    """Return what starts a job: ``start(*entrypoint, rows=, env=)``; the script and its argument follow."""

    def run(*entrypoint: str, rows: str = "1,2\n3,4\n", env: dict[str, str] | None = None) -> Container:
        arn = f"arn:aws:sagemaker:{world.env['AWS_REGION']}:123456789012:processing-job/{world.job}"
        words = [*entrypoint, CODE]
        request = {
            "ProcessingJobName": world.job,
            "ProcessingJobArn": arn,
            "AppSpecification": {"ContainerEntrypoint": words, "ContainerArguments": ["--all"]},
        }
        files = {
            "config/processingjobconfig.json": json.dumps(request),
            "config/resourceconfig.json": json.dumps({"current_host": service.HOST, "hosts": [service.HOST]}),
            "processing/input/code/summarize.py": SCRIPT,
            "processing/input/data/rows.csv": f"a,b\n{rows}",
        }
        root = tmp_path / f"ml{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        mounts = service.folders(root, files, "processing/output", "output")
        # Only the first word is the engine's --entrypoint; what follows comes before the arguments all the same.
        options = (*mounts, "--entrypoint", words[0])
        return world.start(*words[1:], "--all", env={**service.NO_JOB, **(env or {})}, options=options)

    return run


@pytest.mark.parametrize(("rows", "status"), [("1,2\n3,4\n", 0), ("99,2\n3,4\n", 3)])
def test_prefix_with_ssh_off_is_as_if_it_were_not_there(start: Start, tmp_path: Path, rows: str, status: int) -> None:
    prefixed = start(STUB, "python3", rows=rows, env=OFF)
    alone = start("python3", rows=rows, env=OFF)
    assert (prefixed.end(), alone.end()) == (status, status), prefixed.log
    assert prefixed.log == alone.log == "summing 2 rows\n"
    files = [service.read(one, "/opt/ml/processing/output/seen.json", tmp_path) for one in (prefixed, alone)]
    assert json.loads(files[0]) == json.loads(files[1])
    seen = json.loads(files[0])
    assert seen["words"] == [CODE, "--all"]
    assert (seen["process"], seen["first"]) == (1, f"python3\0{CODE}\0--all\0")
    messages = [service.read(one, "/opt/ml/output/message", tmp_path) for one in (prefixed, alone) if status]
    assert messages == ["too many"] * len(messages)


def test_stop_reaches_the_script(start: Start) -> None:
    ways = [start(STUB, "python3", env={"PAUSE": "1", **more}) for more in (OFF, {})]
    for container in ways:
        container.saw("summing 2 rows")
        assert container.stop(grace=60) == 4
        assert "stopped early" in container.log


def test_job_is_found_by_its_name_held_entered_and_released(world: World, start: Start, tmp_path: Path) -> None:
    container = start(STUB, "python3", env={"SSH_WAIT_TIME_SECONDS": "300"})
    container.phase("online")
    assert container.log.count("summing") == 0
    host = f"{world.job}.processing.sagemaker"

    def login(*words: str) -> str:
        done = world.machine.run("run", host, "--", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # The input is there before the script runs, and the image's Python reads it.
    script = "import pandas; print(len(pandas.read_csv('/opt/ml/processing/input/data/rows.csv')))"
    assert login("python3", "-c", script) == "2\n"
    login("sm-wait", "stop")
    assert container.end() == 0, container.log
    assert json.loads(service.read(container, "/opt/ml/processing/output/seen.json", tmp_path))["sums"] == {
        "a": 4,
        "b": 6,
    }


def test_failed_job_is_held_and_its_status_is_kept(world: World, start: Start) -> None:
    container = start(STUB, "python3", rows="99,2\n3,4\n", env={"SSH_HOLD_ON_FAILURE_SECONDS": "300"})
    wait_until(lambda: container.phase("online").get("job") == "failed", 60, every=0.1, what="the script has failed")
    done = world.machine.run("run", f"{world.job}.processing.sagemaker", "--", "cat", "/opt/ml/output/message")
    assert (done.returncode, done.stdout) == (0, "too many"), done.stderr
    container.inside("/opt/sm-ssh/bin/sm-wait", "stop")
    assert container.end() == 3
