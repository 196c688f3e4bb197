"""The whole story on one machine, offline: ``make demo`` runs this.

Where a Docker engine answers and has the image sm-ssh-base, the job runs in a container of it, else as processes;
SM_SSH_DEMO_IMAGE names another image, or, empty, none. A training job is held before its start; we log in with the
system's ``ssh``, look around, fetch a page through a forwarded port, release the job, follow its training to the model
file. Each step checks what it shows: the demo ends with 0 only if all of it really happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What would do, the first that is there; the last is what `make demo` builds where none is (.ci/demo-image).
IMAGES = ("sm-ssh-base:debian-12", "sm-ssh-test/sm-ssh-base:debian-12", "sm-ssh-demo/sm-ssh-base:debian-12-thin")
OUR_PYTHON = "/opt/sm-ssh/bin/python"
SM_SSH = [sys.executable, "-m", "sm_ssh_entry.cli.main"]
JOB = "demo"
HOST = f"{JOB}.training.sagemaker"
SECRET = "line one\n$HOME 'quoted' \"twice\" größe"


class Failed(Exception):
    """A step did not show what it promised."""


@dataclass(frozen=True)
class Where:
    """What the job runs in, and what is where in it: a container of ``image``; ``""``: processes here."""

    image: str
    python: str
    scripts: Path
    scratch: Path
    said: str


class Demo:
    """What the steps share: the folder, the environment, the job's log, the clock."""

    def __init__(self, folder: Path, where: Where) -> None:
        self.folder = folder
        self.where = where
        home = folder / "home"
        home.mkdir()
        # A home of its own: your ~/.ssh and ~/.sm-ssh are neither read nor written.
        self.env = {**os.environ, "HOME": str(home), "SM_SSH_LOCAL_DIR": str(folder / "local")}
        # The engine that you have chosen stands in your own home.
        self.env.setdefault("DOCKER_CONFIG", str(Path.home() / ".docker"))
        self.log: list[str] = []
        self.job: subprocess.Popen[str] | None = None
        self.timings: list[tuple[str, float]] = []
        self.changed = threading.Condition()

    def sm_ssh(self, *words: str) -> str:
        """Run one command of ours and return its output."""
        return self.check([*SM_SSH, *words])

    def check(self, argv: list[str]) -> str:
        """Run a program that must succeed and return its output."""
        done = subprocess.run(
            argv, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise Failed(f"{' '.join(argv[-4:])} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def ssh(self, *options: str, command: str = "") -> list[str]:
        """Return the system's ssh with the configuration of this demo."""
        return ["ssh", "-F", str(self.folder / "ssh_config"), *options, HOST, *([command] if command else [])]

    def wait_for(self, what: str, seen: Callable[[], bool], timeout: float = 60.0) -> None:
        """Wait until the job's log shows something."""
        with self.changed:
            if not self.changed.wait_for(lambda: seen() or self.ended(), timeout) or not seen():
                raise Failed(f"the job's log never showed {what}")

    def ended(self) -> bool:
        """Say whether the job is over."""
        return self.job is None or self.job.poll() is not None

    def follow(self) -> None:
        """Print the job's log as it comes, and keep it."""
        assert self.job is not None
        assert self.job.stdout is not None
        for line in self.job.stdout:
            print(f"    {line}", end="", flush=True)
            with self.changed:
                self.log.append(line)
                self.changed.notify_all()
        self.job.wait()
        with self.changed:
            self.changed.notify_all()


def docker(*words: str) -> str:
    """Return what the engine's client says, ``""`` where there is none or it fails."""
    try:
        done = subprocess.run(
            ["docker", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def choose(folder: Path) -> Where:
    """Choose between a container and processes, and say why."""
    named = os.environ.get("SM_SSH_DEMO_IMAGE")
    reason = "SM_SSH_DEMO_IMAGE is empty" if named == "" else ""
    if not reason and not docker("version", "--format", "{{.Server.Version}}"):
        reason = "no container engine answers here"
    label = '{{index .Config.Labels "sm-ssh.version"}}'
    there = (
        []
        if reason
        else [one for one in ((named,) if named else IMAGES) if docker("image", "inspect", "--format", label, one)]
    )
    if named and not there:
        raise Failed(f"SM_SSH_DEMO_IMAGE={named}: {reason or 'no such image here, or it lacks the sm-ssh layer'}")
    if not there:
        reason = reason or f"the engine has no image {IMAGES[0]}; make images builds it"
        return Where("", sys.executable, HERE, folder, f"The job runs as processes of this machine: {reason}.")
    ask = f"command -v python3 || command -v {OUR_PYTHON}"
    python = docker("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", there[0], "-c", ask)
    if not python:
        raise Failed(f"{there[0]} has no Python to run the demo's script with")
    own = "the image's own" if python != OUR_PYTHON else "sm-ssh's own; the image has none for its users"
    said = f"The job runs in a container of {there[0]}, its script with {python} ({own})."
    # docs/demo is the job's channel "train", and so is in the container.
    return Where(there[0], python, Path("/opt/ml/input/data/train"), Path("/tmp"), said)


@contextlib.contextmanager
def step(demo: Demo, title: str) -> Iterator[None]:
    """Print a step's title, time it, keep the time."""
    print(f"\n==> {title}", flush=True)
    started = time.monotonic()
    yield
    demo.timings.append((title, time.monotonic() - started))


def start_plane(demo: Demo) -> None:
    """Bring up the local control plane and take its environment over."""
    demo.sm_ssh("local", "up")
    for line in demo.sm_ssh("local", "env").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        demo.env[name] = value.strip("'")
    print(f"    {demo.env['AWS_ENDPOINT_URL']}")


def start_job(demo: Demo) -> None:
    """Start a training job that is held before its first line."""
    words = ["local", "run", "--name", JOB, "--wait", "300", "--env", f"DEMO_VALUE={SECRET}"]
    words += ["--image", demo.where.image] if demo.where.image else []
    words += ["--channel", f"train={HERE}", "--", demo.where.python, str(demo.where.scripts / "train.py")]
    demo.job = subprocess.Popen(
        [*SM_SSH, *words],
        env=demo.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    threading.Thread(target=demo.follow, daemon=True).start()
    demo.sm_ssh("wait", HOST, "--timeout", "60")


def log_in(demo: Demo) -> None:
    """Log in with the system's ssh: the job's environment and its /opt/ml are there, the job itself has not begun."""
    (demo.folder / "ssh_config").write_text(demo.sm_ssh("connect", HOST, "--print-config"))
    environment = demo.check(demo.ssh(command="env -0")).split("\0")
    if f"DEMO_VALUE={SECRET}" not in environment:
        raise Failed("the job's environment did not arrive as it is")
    for name in ("TRAINING_JOB_NAME", "TRAINING_JOB_ARN"):
        print(f"    {next(one for one in environment if one.startswith(name + '='))}")
    tree = demo.check(demo.ssh(command="cd ${SAGEMAKER_BASE_DIR:-/opt/ml} && find . -type f -o -type l | sort"))
    print("    " + tree.replace("\n", "\n    ").rstrip())
    if "./input/config/resourceconfig.json" not in tree.split():
        raise Failed("/opt/ml is not what SageMaker makes")
    if any("epoch" in line for line in demo.log):
        raise Failed("the job was not held")


def forward_port(demo: Demo) -> None:
    """Serve a page on the node, forward a port to it, fetch it through the tunnel."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        near = probe.getsockname()[1]
    far = demo.where.scratch / "page.sock"
    page = f"{demo.where.python} {demo.where.scripts / 'page.py'} {far}"
    options = ("-L", f"127.0.0.1:{near}:{far}", "-o", "ExitOnForwardFailure=yes")
    server = subprocess.Popen(
        demo.ssh(*options, command=page), env=demo.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise Failed("the page's server did not start on the node")
        with urllib.request.urlopen(f"http://127.0.0.1:{near}/", timeout=20) as answer:
            text = answer.read().decode()
    finally:
        server.terminate()
        server.wait(timeout=20)
    print(f"    {text.strip()}")
    if text != f"hello from {JOB}\n":
        raise Failed("another page came through the tunnel")


def release(demo: Demo) -> None:
    """Stop the wait; the user's command runs its first line."""
    print("    " + demo.check(demo.ssh(command="sm-wait stop")).strip())
    demo.wait_for("the first epoch", lambda: any("epoch 1 " in line for line in demo.log))


def follow_training(demo: Demo) -> None:
    """Follow the job to its end, and read the model that it wrote."""
    demo.wait_for("its end", demo.ended, timeout=120)
    assert demo.job is not None
    if demo.job.wait(timeout=30) != 0:
        raise Failed(f"the job ended with {demo.job.returncode}")
    models = list((demo.folder / "local").glob("**/opt/ml/model/model.json"))
    if len(models) != 1:
        raise Failed(f"{len(models)} model files")
    model = json.loads(models[0].read_text())
    print(f"    model.json: {len(model['weights'])} classes, test accuracy {model['accuracy']:.3f}")
    if model["accuracy"] < 0.9:
        raise Failed("the model has learnt nothing")


STEPS = (
    ("start the local control plane", start_plane),
    ("start a held training job, wait until its node is Online", start_job),
    ("log in with ssh, look around", log_in),
    ("forward a port, fetch a page through it", forward_port),
    ("stop the wait", release),
    ("follow the training to its model", follow_training),
)


def clean_up(demo: Demo) -> None:
    """Stop what the demo started, whatever happened before."""
    if demo.job is not None and demo.job.poll() is None:
        os.kill(demo.job.pid, signal.SIGTERM)
        demo.job.wait(timeout=130)
    demo.sm_ssh("local", "down")


def main() -> int:
    """Run the steps, clean up, print the timings. ``--images`` prints the names of images that would do instead."""
    if sys.argv[1:] == ["--images"]:
        print(*IMAGES)
        return 0
    with tempfile.TemporaryDirectory(prefix="sm-ssh-demo-") as folder:
        try:
            where = choose(Path(folder))
        except Failed as error:
            print(f"demo FAILED: {error}", file=sys.stderr)
            return 1
        missing = [program for program in ("ssh", "ssh-keygen") if shutil.which(program) is None]
        if not where.image and shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            missing.append("sshd")
        if missing:
            print(f"the demo needs {', '.join(missing)}: install OpenSSH client and server", file=sys.stderr)
            return 1
        print(where.said, flush=True)
        demo = Demo(Path(folder), where)
        try:
            for title, run in STEPS:
                with step(demo, title):
                    run(demo)
        except (Failed, subprocess.TimeoutExpired, OSError) as error:
            print(f"\ndemo FAILED: {error}", file=sys.stderr)
            return 1
        finally:
            with step(demo, "clean up"):
                clean_up(demo)
    print("\n" + "\n".join(f"{seconds:7.2f} s  {title}" for title, seconds in demo.timings))
    print(f"\neverything above really happened. {where.said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
