"""The command line, as real processes: registration, its files, its refusals."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from sm_ssh_entry.contract import LINE_REGISTERED, NODE_ID_PATTERN
from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.agent.conftest import NodeMaker
from tests.plane.agent.processes import Agent

UNKNOWN = ["-code", "A" * 20, "-id", "11111111-2222-3333-4444-555555555555", "-region", "us-east-1"]


def files(agent: Agent) -> dict[str, str]:
    return {str(path): path.read_text() for path in sorted(agent.paths.ssm_state.rglob("*")) if path.is_file()}


def fail_next(plane: PlaneThread, operation: str, **fault: Any) -> None:
    plane.call(lambda one: one.faults.add(operation, **fault))


def test_it_says_what_it_is(new_node: NodeMaker) -> None:
    done = new_node().cli("-version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"sm-ssh stand-in agent \S+ \(not the official amazon-ssm-agent\)\n", done.stdout)


def test_registration_leaves_what_others_read(new_node: NodeMaker) -> None:
    agent = new_node()
    done = agent.cli(*agent.activate())
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(agent.paths.registration.read_text())
    assert re.fullmatch(NODE_ID_PATTERN, found["ManagedInstanceID"])
    assert found["Region"] == "us-east-1"
    assert done.stdout == LINE_REGISTERED.format(node_id=found["ManagedInstanceID"]) + "\n"
    assert stat.S_IMODE(agent.paths.registration.stat().st_mode) == 0o600
    assert agent.plane.call(lambda plane: plane.store.nodes.get(found["ManagedInstanceID"])) is not None


def test_flags_may_be_written_as_go_allows(new_node: NodeMaker) -> None:
    agent = new_node()
    flags = agent.activate()
    joined = [f"-{flags[0]}", *(f"-{name}={value}" for name, value in zip(flags[1::2], flags[2::2], strict=True))]
    done = agent.cli(*joined)
    assert done.ok, done


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-register"], "-register needs -code, -id, -region"),
        (["-register", "-code", "c", "-id", "i"], "-register needs -region"),
        (["-register", "-code", "c", "-id", "i", "-region", "not a region"], "is not a region"),
        (["-register", "-clear", "-code", "c"], "-clear takes no"),
        (["-code", "c"], "go with -register"),
        (["-nonsense"], "unrecognized arguments: -nonsense"),
        (["-register", "-code"], "expected one argument"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_1(new_node: NodeMaker, flags: list[str], words: str) -> None:
    agent = new_node()
    done = agent.cli(*flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert files(agent) == {}


def test_an_unknown_activation_is_refused_at_once_and_its_code_is_not_shown(new_node: NodeMaker) -> None:
    agent = new_node()
    done = agent.cli("-register", *UNKNOWN)
    assert done.returncode == 1
    assert "InvalidActivation" in done.stderr
    assert "A" * 20 not in done.stderr + done.stdout
    assert files(agent) == {}


def test_throttling_and_no_answer_are_tried_again(new_node: NodeMaker, plane: PlaneThread) -> None:
    agent = new_node()
    flags = agent.activate()
    fail_next(plane, "RegisterManagedInstance", code="TooManyUpdates", message="slow", times=1)
    fail_next(plane, "RegisterManagedInstance", code="InternalServerError", message="oops", status=500, times=1)
    assert agent.cli(*flags).ok


def test_a_plane_that_is_down_is_a_line_with_a_hint(new_node: NodeMaker) -> None:
    agent = new_node(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    done = agent.cli("-register", *UNKNOWN)
    assert done.returncode == 1
    assert "registration failed after 6 tries" in done.stderr
    assert "hint: " in done.stderr


def test_no_endpoint_is_refused_rather_than_aws_asked(new_node: NodeMaker) -> None:
    done = new_node(AWS_ENDPOINT_URL="").cli("-register", *UNKNOWN)
    assert done.returncode == 1
    assert "no SSM endpoint is set" in done.stderr


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_a_registration_is_never_replaced_without_consent(new_node: NodeMaker, answer: str) -> None:
    agent = new_node()
    agent.register()
    before = files(agent)
    done = agent.cli(*agent.activate(), stdin=answer)
    assert done.returncode == 1
    assert f"already registered as {agent.node_id}" in done.stderr
    assert files(agent) == before


def test_y_replaces_it_and_so_does_a_yes(new_node: NodeMaker) -> None:
    agent = new_node()
    seen = {agent.register()}
    for flags, answer in (((*agent.activate(), "-y"), None), ((*agent.activate(),), "y\n")):
        assert agent.cli(*flags, stdin=answer).ok
        seen.add(json.loads(agent.paths.registration.read_text())["ManagedInstanceID"])
    assert len(seen) == 3


def test_a_failed_replacement_leaves_the_registration_as_it_was(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.register()
    before = files(agent)
    assert agent.cli("-register", *UNKNOWN, "-y").returncode == 1
    assert files(agent) == before
    agent.start()
    agent.online()


def test_clear_forgets(new_node: NodeMaker) -> None:
    agent = new_node()
    agent.register()
    assert agent.cli("-register", "-clear").returncode == 1
    assert agent.paths.registration.exists()
    assert agent.cli("-register", "-clear", "-y").ok
    assert files(agent) == {}
    again = agent.cli("-register", "-clear", "-y")
    assert (again.returncode, again.stdout) == (0, "there was no registration\n")


def test_the_similarity_check_is_noted(new_node: NodeMaker) -> None:
    thresholds = []
    for more in ((), ("-disableSimilarityCheck",)):
        agent = new_node()
        assert agent.cli(*agent.activate(), *more).ok
        path = agent.paths.ssm_state / "Vault" / "Store" / "InstanceFingerprint"
        thresholds.append(json.loads(path.read_text())["similarityThreshold"])
    assert thresholds == [40, -1]


def test_it_does_not_run_unregistered(new_node: NodeMaker) -> None:
    done = new_node().cli()
    assert done.returncode == 1
    assert "this node is not registered" in done.stderr


def test_a_folder_that_cannot_be_written_spends_no_activation(new_node: NodeMaker, tmp_path: Path) -> None:
    agent = new_node()
    flags = agent.activate()
    (tmp_path / "file").write_text("")
    agent.root, root = tmp_path / "file", agent.root
    done = agent.cli(*flags)
    assert done.returncode == 1
    assert "cannot write below" in done.stderr
    agent.root = root
    assert agent.cli(*flags).ok
