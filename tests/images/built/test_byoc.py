"""An image as users bring it, without any toolkit: it trains and serves as without our layer, and can be entered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.images.built import engine, family, service
from tests.images.built.engine import Container
from tests.images.built.world import World, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.BYOC)

OFF = {"START_SSH": "false"}
ROOT = Path(__file__).parents[3]
IRIS = {"train": {"iris.csv": (ROOT / "docs" / "demo" / "iris.csv").read_text()}}
FLOWERS = "5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n"
SPECIES = "setosa\nvirginica\n"


def train(
    world: World, root: Path, channels: dict[str, dict[str, str]], *, image: str = "", env: dict[str, str]
) -> Container:
    """Start a training job."""
    root.mkdir()
    options = service.training(root, hyperparameters={"max_depth": "4"}, channels=channels)
    return world.start("train", env=env, options=options, image=image)


class Server:
    """An endpoint with the model that a training job has written, read-only.

    Args:
        world: where it runs.
        trained: the job's container, which has ended.
        image: another image than the world's.
        env: its environment.
    """

    def __init__(self, world: World, trained: Container, *, image: str = "", env: dict[str, str] | None = None) -> None:
        self.port = service.server_port()
        variables = {**service.NO_JOB, "SAGEMAKER_BIND_TO_PORT": str(self.port), **(env or {})}
        options = ("--volumes-from", f"{trained.name}:ro")
        self.container = world.start(service.SERVE, env=variables, options=options, image=image)
        service.wait_for_ping(self.container, self.port)

    def ask(self, rows: str, kind: str = "text/csv") -> tuple[int, str]:
        """Send rows; return the answer's status and text."""
        return service.ask(self.port, "/invocations", rows, kind=kind)


def first(container: Container) -> tuple[list[str], list[str]]:
    """Return command line and variables of process 1, without what only one of two containers can have."""
    words = container.inside("cat", "/proc/1/cmdline").split("\0")
    variables = container.inside("cat", "/proc/1/environ").split("\0")
    return words, sorted(line for line in variables if not line.startswith(("SAGEMAKER_BIND_TO_PORT=", "HOSTNAME=")))


def test_the_users_program_knows_nothing_of_us() -> None:
    files = [file for file in (ROOT / "images" / "byoc" / "program").iterdir() if file.is_file()]
    assert {file.name for file in files} >= {"train", "serve"}
    assert [file.name for file in files if "ssh" in file.read_text().lower()] == []


def test_with_ssh_off_it_trains_and_serves_as_without_the_layer(
    world: World, without_layer: str, tmp_path: Path
) -> None:
    jobs = [
        train(world, tmp_path / name, IRIS, image=image, env=OFF) for name, image in (("a", ""), ("b", without_layer))
    ]
    assert [job.end() for job in jobs] == [0, 0], jobs[0].log
    assert jobs[0].log == jobs[1].log
    assert jobs[0].log.startswith("accuracy on 150 rows: 0.9")
    servers = [Server(world, job, image=image, env=OFF) for job, image in zip(jobs, ("", without_layer), strict=True)]
    for server in servers:
        assert server.ask(FLOWERS) == (200, SPECIES)
        assert server.ask("{}", "application/json")[0] == 415
        assert service.ask(server.port, "/elsewhere")[0] == 404
    assert first(servers[0].container) == first(servers[1].container)
    assert first(servers[0].container)[0] == ["python3", "/opt/program/serve", ""]
    service.wait_for_as_many_processes(*(server.container for server in servers))
    assert [server.container.stop(grace=service.ENDPOINT_GRACE) for server in servers] == [0, 0]


def test_failed_training_says_why_as_without_the_layer(world: World, without_layer: str, tmp_path: Path) -> None:
    world.allow("Traceback")
    nothing: dict[str, dict[str, str]] = {"train": {"notes.txt": "no table here"}}
    jobs = [
        train(world, tmp_path / name, nothing, image=image, env=OFF)
        for name, image in (("a", ""), ("b", without_layer))
    ]
    assert [job.end() for job in jobs] == [255, 255]
    assert jobs[0].log == jobs[1].log
    reasons = [service.read(job, "/opt/ml/output/failure", tmp_path) for job in jobs]
    assert reasons == ["ValueError: the channel train has no CSV file"] * 2


def test_training_is_held_entered_and_released(world: World, tmp_path: Path) -> None:
    job = train(world, tmp_path / "a", IRIS, env={"SSH_WAIT_TIME_SECONDS": "300"})
    job.phase("online")
    script = (
        "import os, sklearn; print(os.getcwd(), os.environ['PATH'].split(':')[:2], sorted(os.listdir('/opt/ml/model')))"
    )
    done = world.login("sh", "-c", f'cd /opt/program && exec python3 -c "{script}"')
    assert (done.returncode, done.stdout) == (0, "/opt/program ['/opt/program', '/opt/venv/bin'] []\n"), done.stderr
    assert world.login("sm-wait", "stop").returncode == 0
    assert job.end() == 0
    assert "accuracy on 150 rows" in job.log


def test_endpoint_is_entered_while_it_answers_and_stops_in_time(world: World, tmp_path: Path) -> None:
    job = train(world, tmp_path / "a", IRIS, env=OFF)
    assert job.end() == 0
    # Process 1 is theirs in the first, ours in the second; 137 would be: killed after the grace.
    other = {"SSH_DEREGISTER_ON_EXIT": "true", "SSH_PORT": str(free_port())}
    servers = [Server(world, job), Server(world, job, env=other)]
    for server in servers:
        node = server.container.phase("online")["node_id"]
        done = world.machine.run(
            "run", node, "--", "sh", "-c", "command -v serve; touch /opt/ml/model/x || echo read-only"
        )
        assert done.stdout == "/opt/program/serve\nread-only\n", done.stderr
        assert server.ask(FLOWERS) == (200, SPECIES)
        assert service.zombies(server.container) == []
    with ThreadPoolExecutor() as pool:
        stops = list(pool.map(lambda one: one.container.stop(grace=service.ENDPOINT_GRACE), servers))
    assert stops == [0, 0]


def test_endpoint_that_lost_its_server_ends_and_logins_do_not_keep_it(world: World, tmp_path: Path) -> None:
    # serve waits for any child: what logins leave behind must neither end it nor keep it from seeing its own server go.
    job = train(world, tmp_path / "a", IRIS, env=OFF)
    assert job.end() == 0
    server = Server(world, job)
    node = server.container.phase("online")["node_id"]
    assert world.machine.run("run", node, "--", "sh", "-c", "sleep 0.1 & exit 0").returncode == 0
    wait_until(lambda: service.zombies(server.container) == [], 10, what="no zombie")
    assert server.ask(FLOWERS) == (200, SPECIES)
    engine.docker("exec", server.container.name, "sh", "-c", "kill $(cat /tmp/nginx.pid)")
    assert server.container.end() == 1
