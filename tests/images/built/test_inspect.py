"""``sm-ssh image inspect`` on real images: what it says is what is inside, and nothing of them is run."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sm_ssh_entry import __version__
from tests.end_to_end.machine import SM_SSH
from tests.images.built import engine, family, wrapping
from tests.images.built.world import World

OFF = {"START_SSH": "false"}
# Steps that a user's own Dockerfile may have after our base, and what they break.
BROKEN = {
    "sshd removed": ("RUN rm /usr/sbin/sshd", "/usr/sbin/sshd is gone"),
    "interpreter removed": ("RUN rm /usr/bin/python3.1*", "/opt/sm-ssh/bin/python is gone"),
    "entrypoint replaced": ('ENTRYPOINT ["python3", "app.py"]', "does not start with train, serve, processing"),
    "entrypoint emptied": ("ENTRYPOINT []", "there is no ENTRYPOINT"),
    "nameless user": ("USER 4242", "its user 4242 has no entry in /etc/passwd"),
    "user without folders": ("RUN useradd trainer\nUSER trainer", "cannot write /run/sm-ssh"),
    "locked account": ("RUN sed -i 's/^root:[^:]*/root:!/' /etc/shadow", "the account root is locked"),
    "certificates removed": ("RUN rm -r /etc/ssl/certs", "no certificates"),
}
WARNED = {
    "secret": ("ENV AWS_SECRET_ACCESS_KEY=hidden", "AWS_SECRET_ACCESS_KEY is in the image"),
    "always on": ("ENV START_SSH=true", "START_SSH=true is in the image"),
    "word of ours": ('CMD ["start"]', "the command start is taken"),
}


def inspect(image: str) -> subprocess.CompletedProcess[str]:
    argv = [*SM_SSH, "image", "inspect", image, "--output", "json"]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def found(image: str, status: int) -> dict[str, Any]:
    """Inspect an image; return the report."""
    done = inspect(image)
    assert done.returncode == status, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def said(report: dict[str, Any], level: str) -> list[str]:
    """Return findings of one level; which agent is inside is the build's affair, not these tests'."""
    texts = [finding["text"] for finding in report["findings"] if finding["level"] == level]
    return [text for text in texts if not text.startswith("its agent is")]


@pytest.mark.images(*family.ROOTS, children=True)
def test_what_is_said_is_what_is_inside(world: World) -> None:
    report = found(world.image, 0)
    layer, labels = report["layer"], engine.labels(world.image)
    assert (layer["version"], layer["variant"]) == (__version__, labels["sm-ssh.variant"])
    assert layer["agent"]["source"] == labels["sm-ssh.agent"].split()[0]
    assert report["reached"] == {"train": True, "serve": True, "processing": True}
    assert (said(report, "problem"), said(report, "warning")) == ([], [])
    stand_in = [finding for finding in report["findings"] if "stand-in" in finding["text"]]
    assert bool(stand_in) == (layer["agent"]["source"] == "stand-in")
    script = (
        ". /etc/os-release; echo $ID-$VERSION_ID; /opt/sm-ssh/bin/python --version; readlink -f /opt/sm-ssh/bin/python;"
        " du --bytes --summarize /opt/sm-ssh; ssh -V 2>&1; uname -m"
    )
    done = world.run("-c", script, env=OFF, options=("--entrypoint", "/bin/sh"))
    release, python, path, size, ssh, _ = done.stdout.splitlines()
    assert report["distribution"] == release
    assert python == f"Python {layer['interpreter']['version']}"
    assert path == layer["interpreter"]["path"]
    assert re.search(r"OpenSSH_([0-9.]+)", ssh)[1] in layer["sshd"]["version"]  # type: ignore[index]
    # Folders have a size of their own there, which is none of the files'.
    parts = layer["bytes"]
    assert parts["total"] == sum(count for name, count in parts.items() if name != "total")
    assert parts["ours"] + parts["aws-cli"] == pytest.approx(int(size.split()[0]), rel=0.1)


@pytest.mark.images(family.BASE_12)
def test_an_image_without_the_layer(plain: str) -> None:
    report = found(plain, 1)
    assert (report["layer"], report["findings"], report["usable"]) == (None, [], False)


@pytest.mark.images(family.BASE_12)
@pytest.mark.parametrize(("lines", "text"), BROKEN.values(), ids=BROKEN.keys())
def test_what_keeps_people_out_is_a_problem(
    image: str, derive: Callable[[str, str], str], lines: str, text: str
) -> None:
    report = found(derive(image, lines), 25)
    assert any(text in problem for problem in said(report, "problem")), report["findings"]
    assert report["usable"] is False


@pytest.mark.images(family.BASE_12)
@pytest.mark.parametrize(("lines", "text"), WARNED.values(), ids=WARNED.keys())
def test_what_its_owner_may_not_mean_is_a_warning(
    image: str, derive: Callable[[str, str], str], lines: str, text: str
) -> None:
    name = derive(image, lines)
    report = found(name, 0)
    (warning,) = said(report, "warning")
    assert text in warning
    assert "hidden" not in json.dumps(report)


@pytest.mark.images(family.BASE_12)
def test_train_on_path_is_reached_by_training_alone(image: str, derive: Callable[[str, str], str]) -> None:
    lines = "ENTRYPOINT []\nRUN ln -s /opt/sm-ssh/bin/sm-ssh-entry /usr/local/bin/train"
    report = found(derive(image, lines), 0)
    assert report["reached"] == {"train": True, "serve": False, "processing": False}


@pytest.mark.images(family.BASE_12)
def test_no_container_is_left_and_none_has_run(image: str, derive: Callable[[str, str], str]) -> None:
    name = derive(image, 'VOLUME /data\nLABEL sm-ssh-test-once=1\nCMD ["sh", "-c", "echo it ran"]')
    assert inspect(name).returncode == 0
    assert engine.docker("ps", "--all", "--quiet", "--filter", f"ancestor={name}").stdout == ""


@pytest.fixture
def tiny(host: None) -> Iterator[Callable[[str], str]]:
    """Return what makes an image of nothing but some lines."""
    made: list[str] = []

    def build(lines: str) -> str:
        made.append(engine.build(f"FROM scratch\n{lines}\n"))
        return made[-1]

    yield build
    for name in made:
        engine.docker("rmi", "--force", name, check=False)


LOADERS = "".join(f"COPY <<'EOF' /lib/ld-musl-{machine}.so.1\nEOF\n" for machine in ("x86_64", "aarch64"))
EMPTY = "COPY <<'EOF' /hello\nEOF\n"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (EMPTY, "no /bin/sh"),
        ("COPY --chmod=755 <<'EOF' /bin/sh\nEOF\n" + LOADERS, "musl"),
        ("COPY --chmod=755 <<'EOF' /bin/sh\nEOF\nONBUILD COPY . /app\n", "ONBUILD"),
    ],
    ids=["no shell", "musl", "ONBUILD"],
)
def test_an_image_that_cannot_have_the_layer_is_told_of_and_not_wrapped(
    tiny: Callable[[str], str], lines: str, text: str
) -> None:
    image = tiny(lines)
    assert any(text in problem for problem in said(found(image, 1), "problem"))
    tag = wrapping.fresh()
    done = wrapping.wrap(image, tag=tag)
    assert done.returncode == 2
    assert text in done.stderr
    assert not engine.has_image(tag)
