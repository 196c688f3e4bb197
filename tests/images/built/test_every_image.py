"""What every image promises, whatever lies upon its base: one process and no word with SSH off, a way in with it on."""

from __future__ import annotations

import pytest

from tests.images.built import engine, family
from tests.images.built.world import World
from tests.waiting import wait_until

pytestmark = pytest.mark.images(*family.ROOTS, children=True)

OFF = {"START_SSH": "false"}
STUB = "/opt/sm-ssh/bin/sm-ssh-entry"
OCI = ("title", "description", "version", "licenses", "base.name")
# A release fills these in; a build of a checkout may leave them empty.
OCI_OF_RELEASE = ("source", "revision", "created")
# What an engine gives to an image that says nothing of it, and a build writes down.
DEFAULT_ENV = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def variables(output: str) -> dict[str, str]:
    """Return what ``env -0`` has printed."""
    return dict(pair.split("=", 1) for pair in output.split("\0") if pair)


def test_labels_say_what_it_is_and_which_agent_is_inside(image: str) -> None:
    labels = engine.labels(image)
    assert [name for name in OCI if not labels.get(f"org.opencontainers.image.{name}")] == []
    assert [name for name in OCI_OF_RELEASE if f"org.opencontainers.image.{name}" not in labels] == []
    assert labels["sm-ssh.version"]
    assert labels["sm-ssh.variant"] == ("thin" if image.endswith("-thin") else "full")
    assert labels["sm-ssh.agent"].split()[0] in ("official", "stand-in")


def test_entrypoint_and_health_command_are_ours(image: str) -> None:
    config = engine.config(image)
    assert config["Entrypoint"] == [STUB]
    assert config["Healthcheck"]["Test"] == ["CMD", STUB, "health"]


def test_ssh_off_is_one_process_without_a_word(world: World) -> None:
    container = world.start("sleep", "300", env=OFF)
    wait_until(lambda: container.processes()[0][1] == "sleep 300", what="sleep is process 1")
    assert [words for _, words in container.processes()] == ["sleep 300"]
    assert container.log == ""


def test_ssh_off_changes_no_variable(world: World) -> None:
    options = ("--hostname", "same")
    ours = world.run("env", "-0", env=OFF, options=options)
    bare = world.run("-0", env=OFF, options=(*options, "--entrypoint", "env"))
    assert (ours.returncode, bare.returncode) == (0, 0), ours.stderr + bare.stderr
    assert variables(ours.stdout) == variables(bare.stdout)


def test_ssh_on_leads_into_the_running_job_which_a_stop_reaches(world: World) -> None:
    command = "trap 'echo saved; exit 5' TERM; echo ready; sleep 300 & wait"
    container = world.start("sh", "-c", command, env={"MODEL_NOTE": "a note"})
    container.phase("online")
    done = world.login("sh", "-c", 'head -c 5 /proc/1/cmdline | tr "\\0" " "; echo "$MODEL_NOTE"; command -v sm-wait')
    assert (done.returncode, done.stdout) == (0, "sh -ca note\n/usr/local/bin/sm-wait\n"), done.stderr
    assert container.inside(STUB, "health").startswith("online mi-")
    assert container.stop(grace=60) == 5
    assert "saved" in container.log


@pytest.mark.images(*family.ROOTS, *family.BASES, family.FREE_12, family.FREE_13)
def test_a_base_keeps_what_the_plain_image_says(image: str, plain: str) -> None:
    ours, theirs = engine.config(image), engine.config(plain)
    theirs["Env"] = theirs["Env"] or DEFAULT_ENV
    kept = ("Cmd", "Env", "ExposedPorts", "Shell", "StopSignal", "User", "Volumes", "WorkingDir")
    assert {name: ours.get(name) or None for name in kept} == {name: theirs.get(name) or None for name in kept}


@pytest.mark.images(*family.ROOTS, *family.BASES)
def test_a_command_of_a_base_finds_what_it_finds_in_the_plain_image(world: World, plain: str) -> None:
    # The variables of a process, its folder, its user, where programs are found; SSH off, so that nothing is added.
    found = "; ".join(f"command -v {name}" for name in ("sh", "python", "python3", "perl", "pip"))
    script = f"env -0 | sort -z; pwd; id; umask; {found}; locale 2>&1; ulimit -a; :"
    options = ("--hostname", "same")
    ours = world.run("sh", "-c", script, env=OFF, options=options)
    theirs = world.run("sh", "-c", script, env=OFF, options=options, image=plain)
    assert (ours.returncode, ours.stderr) == (0, theirs.stderr)
    assert ours.stdout.replace("\0", "\n").splitlines() == theirs.stdout.replace("\0", "\n").splitlines()
