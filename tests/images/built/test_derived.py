"""A user's image: the base and one line more. Their `train` is what the service starts."""

from __future__ import annotations

from collections.abc import Callable

from tests.images.built.world import World

TRAIN = """\
COPY --chmod=755 <<'TRAIN' /usr/local/bin/train
#!/bin/sh
echo "training as process $$ with $1"
mkdir -p /opt/ml/model && echo weights >/opt/ml/model/model.bin
sleep "${TRAIN_SECONDS:-0}"
exit "${TRAIN_STATUS:-0}"
TRAIN
"""


def test_base_and_one_line_is_a_job_that_is_held_entered_and_released(
    world: World, derive: Callable[[str, str], str]
) -> None:
    mine = derive(world.image, TRAIN)
    # A container that ends takes its sessions with it: the command outlives the answer to who released it.
    env = {"SSH_WAIT_TIME_SECONDS": "300", "TRAIN_STATUS": "7", "TRAIN_SECONDS": "3"}
    container = world.start("train", "epochs", env=env, image=mine)
    container.phase("online")
    assert world.login("ls", "/opt/ml/model").returncode != 0
    assert world.login("sm-wait", "stop").returncode == 0
    assert container.end() == 7
    assert "training as process 1 with epochs" in container.log


def test_the_same_image_with_ssh_off_just_trains(world: World, derive: Callable[[str, str], str]) -> None:
    done = world.run("train", "epochs", env={"START_SSH": "false"}, image=derive(world.image, TRAIN))
    assert (done.returncode, done.stdout, done.stderr) == (0, "training as process 1 with epochs\n", "")
