"""The inference image: one model or several behind the service's HTTP contract, the same without our layer; entered."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.images.built import engine, family, service
from tests.images.built.engine import Container
from tests.images.built.world import World, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.images(family.INFERENCE)

OFF = {"START_SSH": "false"}
# What comes in a model: its factor is the model, and no numbers ask for its environment.
CODE = """\
import os, pathlib

def model_fn(model_dir):
    return int(pathlib.Path(model_dir, "factor").read_text())

def predict_fn(data, model):
    return data * model if data.size else dict(os.environ)
"""
SINGLE = {"model/factor": "2", "model/code/inference.py": CODE}
SEVERAL = {
    f"models/{name}/model/{file}": text
    for name, factor in (("double", "2"), ("triple", "3"))
    for file, text in (("factor", factor), ("inference.py", CODE))
}


class Server:
    """A container that serves, as an endpoint has it: the models are read-only, the port is the service's choice.

    Args:
        world: where it runs.
        root: an empty folder.
        files: what is below /opt/ml.
        image: another image than the world's.
        env: its environment.
    """

    def __init__(
        self, world: World, root: Path, files: dict[str, str], *, image: str = "", env: dict[str, str] | None = None
    ) -> None:
        root.mkdir()
        self.port = service.server_port()
        self._world = world
        variables = {**service.NO_JOB, "SAGEMAKER_BIND_TO_PORT": str(self.port), **(env or {})}
        options = service.folders(root, files)
        self.container: Container = world.start(service.SERVE, env=variables, options=options, image=image)
        service.wait_for_ping(self.container, self.port)

    def ask(self, path: str, body: Any = None, method: str = "") -> tuple[int, Any]:
        """Send one request; return the answer's status and its JSON."""
        status, text = service.ask(self.port, path, body, method=method)
        return status, json.loads(text) if text else None

    def login(self, *words: str) -> str:
        """Run a command over ssh; return its output. An endpoint has no name: its node is asked for."""
        node = self.container.phase("online")["node_id"]
        done = self._world.machine.run("run", node, "--", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


def workers(container: Container) -> set[str]:
    """Return the names of the models that some process of a container works for."""
    found = (re.search(r"--model-name (\S+)", words) for _, words in container.processes())
    return {match.group(1) for match in found if match}


@pytest.fixture(autouse=True)
def _usual_lines(world: World) -> None:
    # Java on the one function that it no longer has, and multi-model-server on what it does anyway.
    world.allow(r"sun\.reflect\.Reflection\.getCallerClass")
    # The toolkit asks for one more child than it has when its launcher, or Java, ends after its handler is there.
    world.allow("sagemaker-inference - ERROR - Failed to reap children process")
    world.allow(r"\[WARN \] .* - ((attach|terminate)IOStreams\(\)|worker pid is not available yet)")


def test_labels_ask_for_several_models_and_a_port(image: str) -> None:
    labels = engine.labels(image)
    prefix = "com.amazonaws.sagemaker.capabilities."
    assert [labels.get(prefix + name) for name in ("multi-models", "accept-bind-to-port")] == ["true", "true"]


def test_endpoint_with_ssh_off_is_that_of_the_image_without_the_layer(
    world: World, without_layer: str, tmp_path: Path
) -> None:
    ours = Server(world, tmp_path / "ours", SINGLE, env=OFF)
    theirs = Server(world, tmp_path / "theirs", SINGLE, env=OFF, image=without_layer)
    seen = []
    for server in (ours, theirs):
        assert server.ask("/invocations", [1, 2, 3]) == (200, [2, 4, 6])
        status, variables = server.ask("/invocations", [])
        assert status == 200
        # What only one of them can have.
        assert variables.pop("SAGEMAKER_BIND_TO_PORT") == str(server.port)
        seen.append((server.container.inside("cat", "/proc/1/cmdline"), variables))
    assert seen[0] == seen[1]
    service.wait_for_as_many_processes(ours.container, theirs.container)
    assert seen[0][0].split("\0")[:2] == ["python3", "/usr/local/bin/serve"]
    stops = [server.container.stop(grace=service.ENDPOINT_GRACE) for server in (ours, theirs)]
    assert stops == [0, 0]


def test_endpoint_is_entered_while_it_answers_and_stops_in_time(world: World, tmp_path: Path) -> None:
    # Process 1 is theirs in the first, ours in the second. 137 would be: killed after the grace.
    ways = {
        "exec": Server(world, tmp_path / "exec", SINGLE),
        "init": Server(
            world,
            tmp_path / "init",
            SINGLE,
            env={"SSH_DEREGISTER_ON_EXIT": "true", "SSH_PORT": str(free_port())},
        ),
    }
    for server in ways.values():
        look = "id -un; tr '\\0' ' ' </proc/1/cmdline; touch /opt/ml/model/x 2>&1 || echo read-only"
        user, first, *rest = server.login("sh", "-c", look).splitlines()
        assert user == "root"
        assert rest[-1] == "read-only"
        assert ("serve" in first) or server is ways["init"], first
        assert server.ask("/invocations", [1, 2, 3]) == (200, [2, 4, 6])
        assert service.zombies(server.container) == []
    with ThreadPoolExecutor() as pool:
        stops = list(pool.map(lambda one: one.container.stop(grace=service.ENDPOINT_GRACE), ways.values()))
    assert dict(zip(ways, stops, strict=True)) == {"exec": 0, "init": 0}


def test_two_models_are_served_and_one_is_unloaded_while_somebody_is_logged_in(world: World, tmp_path: Path) -> None:
    server = Server(world, tmp_path / "ours", SEVERAL, env={"SAGEMAKER_MULTI_MODEL": "true"})
    stays = "touch /run/in; until [ -e /run/out ]; do sleep 0.1; done; echo still here"
    with ThreadPoolExecutor() as pool:
        session = pool.submit(server.login, "sh", "-c", stays)
        wait_until(lambda: service.exists(server.container, "/run/in"), 60, every=0.1, what="logged in")
        try:
            for name in ("double", "triple"):
                wanted = {"model_name": f"{name}-1", "url": f"/opt/ml/models/{name}/model"}
                assert [server.ask("/models", wanted)[0] for _ in range(2)] == [200, 409]
            listed = server.ask("/models")[1]["models"]
            assert sorted(one["modelName"] for one in listed) == ["double-1", "triple-1"]
            assert server.ask("/models/double-1/invoke", [1, 2, 3]) == (200, [2, 4, 6])
            assert server.ask("/models/triple-1/invoke", [1, 2, 3]) == (200, [3, 6, 9])
            # Its worker is ended in the middle of whatever it does, its own logging for one, and says so at length.
            world.allow(r" W-double-1-1-std(out|err) com\.amazonaws\.ml\.mms\.wlm\.WorkerLifeCycle ")
            assert server.ask("/models/double-1", method="DELETE")[0] == 200
            assert server.ask("/models/double-1/invoke", [1, 2, 3])[0] == 404
            assert [one["modelName"] for one in server.ask("/models")[1]["models"]] == ["triple-1"]
            assert server.ask("/models/triple-1/invoke", [1, 2, 3]) == (200, [3, 6, 9])
            assert server.ask("/ping")[0] == 200
            # The workers of the model that is gone are gone too, and nobody's ended process lies about.
            wait_until(lambda: workers(server.container) == {"triple-1"}, 30, every=0.1, what="its workers are gone")
            assert service.zombies(server.container) == []
        finally:
            server.container.inside("touch", "/run/out")
        assert session.result() == "still here\n"
    assert server.container.stop(grace=service.ENDPOINT_GRACE) == 0
