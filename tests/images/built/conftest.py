"""The images that bake has built, a plane for their containers, and what every test of them asks: a clean log.

A test names the images that it runs on: ``@pytest.mark.images(family.TRAINING)``, with ``children=True`` also what is
made of them; the bases without the mark. It takes ``world`` (or ``image``, the name alone).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.machine import Machine
from tests.images.built import engine, family
from tests.images.built.local_runs import Runs
from tests.images.built.world import World, opened

REQUIRED = "SM_SSH_IMAGES_REQUIRED"


def lacking(reason: str) -> None:
    """Skip for a reason; fail where images were built for these tests.

    Args:
        reason: what is not here.
    """
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason}, but {REQUIRED}=1 says that the images are there")
    pytest.skip(reason)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "image" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("images")
    names = mark.args if mark else family.BASES
    if mark and mark.kwargs.get("children"):
        names = family.family(*names)
    metafunc.parametrize("image", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def host() -> None:
    """Make sure that containers can be run and reached from here."""
    programs = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    reason = engine.missing() or (f"not installed: {', '.join(programs)}" if programs else "")
    if reason:
        lacking(reason)


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, host: None) -> str:
    """Return the full name of the image that this test runs on."""
    tag = family.tag(request.param)
    if not engine.has_image(tag):
        lacking(f"no image {tag} here (make images builds it)")
    return tag


@pytest.fixture(scope="session")
def machine(host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a user's machine with a plane on it."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.up()
    try:
        yield machine
    finally:
        machine.down()


@pytest.fixture
def world(image: str, machine: Machine) -> Iterator[World]:
    """Return what runs containers; after the test it removes them, and fails where a log has a line it should not."""
    with opened(image, machine) as world:
        yield world


@pytest.fixture
def runs(image: str, machine: Machine) -> Iterator[Runs]:
    """Return what runs jobs in containers of the image on the plane; after the test it ends them."""
    runs = Runs(machine, image)
    try:
        yield runs
    finally:
        runs.close()


@pytest.fixture(scope="session")
def derive(host: None) -> Iterator[Callable[[str, str], str]]:
    """Return what makes an image of another one: ``derive(image, lines)``, lines of a Dockerfile, gives its name."""
    made: dict[tuple[str, str], str] = {}

    def build(image: str, lines: str) -> str:
        if (image, lines) not in made:
            made[image, lines] = engine.build(f"FROM {image}\n{lines}\n")
        return made[image, lines]

    try:
        yield build
    finally:
        for name in made.values():
            engine.docker("rmi", "--force", name, check=False)


@pytest.fixture(scope="session")
def plain(image: str) -> str:
    """Return the base image without our layer, for comparisons side by side."""
    name = engine.labels(image)["org.opencontainers.image.base.name"]
    if not engine.has_image(name):
        lacking(f"no image {name} here, which {image} is made of")
    return name


@pytest.fixture(scope="session")
def without_layer(image: str) -> str:
    """Return what bake makes of the same Dockerfile on the plain distribution, for comparisons side by side."""
    folder, slash, name = image.rpartition("/")
    other = folder + slash + name.replace("sm-ssh-", "plain-", 1)
    if not engine.has_image(other):
        lacking(f"no image {other} here (make images builds it)")
    return other
