"""``sm-ssh cp`` to and from a job: real data channels, cut in the middle, and the way through a bucket."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tests.end_to_end.machine import SM_SSH, Job, Machine, processes
from tests.end_to_end.relay import Relay
from tests.waiting import wait_until

MIB = 1 << 20
LONG = 48 * MIB
BUCKET = "copies-of-this-test"


@pytest.fixture(scope="module")
def job(machine: Machine) -> Iterator[Job]:
    job = machine.job("copies", "sleep", "600")
    job.online()
    yield job
    job.kill()


@pytest.fixture(scope="module")
def long(machine: Machine) -> Path:
    path = machine.folder / "long"
    with path.open("wb") as file:
        for _ in range(LONG // MIB):
            file.write(os.urandom(MIB))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cp(machine: Machine, *words: str, status: int = 0) -> dict[str, Any]:
    done = machine.run("cp", *words, "--output", "json", timeout=120)
    assert done.returncode == status, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def start(machine: Machine, *words: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SM_SSH, "cp", *words],
        env={**machine.env, **env},
        cwd=machine.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def grown(folder: Path, least: int) -> Callable[[], bool]:
    """Return whether a partial file in a folder has so many bytes on the disk."""

    def has() -> bool:
        return any(path.stat().st_blocks * 512 >= least for path in folder.glob(".*.sm-ssh-part"))

    return has


def children(process: subprocess.Popen[str], program: str) -> list[int]:
    found = []
    for pid in processes(lambda words, _: words.split()[0].rpartition("/")[2] == program):
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == process.pid:
            found.append(pid)
    return found


def test_a_tree_with_modes_times_and_odd_names(machine: Machine, job: Job, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub dir" / "empty").mkdir(parents=True)
    for name in ("-x", "a 'b' \"c\"", "$(id)", "ü 日本", "new\nline"):
        (tree / "sub dir" / name).write_text(name)
    (tree / "sub dir" / "-x").chmod(0o755)
    os.utime(tree / "sub dir" / "-x", (1, 2))
    found = cp(machine, str(tree), f"{job.host}:{tmp_path}/there/")
    assert (found["copied_files"], found["verified_files"], found["failed"]) == (5, 5, [])
    found = cp(machine, f"{job.host}:{tmp_path}/there/tree", str(tmp_path / "back"))
    for path in tree.rglob("*"):
        copy = tmp_path / "back" / path.relative_to(tree)
        assert (copy.stat().st_mode, int(copy.stat().st_mtime)) == (path.stat().st_mode, int(path.stat().st_mtime))
        assert path.is_dir() or copy.read_bytes() == path.read_bytes()


def test_sessions_that_are_killed_are_replaced(machine: Machine, job: Job, long: Path, tmp_path: Path) -> None:
    copying = start(machine, str(long), f"{job.host}:{tmp_path}/copy", "--parallel", "3", "--output", "json")
    wait_until(grown(tmp_path, 4 * MIB), 60, what="a part of the copy")
    victims = children(copying, "ssh")[:2]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    out, err = copying.communicate(timeout=120)
    assert copying.returncode == 0, err
    assert json.loads(out)["lost_sessions"] >= 1
    assert digest(tmp_path / "copy") == digest(long)


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_cut_twice_and_gone_on_with(machine: Machine, job: Job, long: Path, tmp_path: Path, up: bool) -> None:
    """Ctrl-C, then the hardest end there is; the third run brings what is missing, and the bytes are the same."""
    words = [str(long), f"{job.host}:{tmp_path}/copy"] if up else [f"{job.host}:{long}", str(tmp_path / "copy")]
    words += ["--parallel", "2"]
    before = 0
    for number in (signal.SIGINT, signal.SIGKILL):
        copying = start(machine, *words)
        wait_until(grown(tmp_path, before + 6 * MIB), 60, what="a part of the copy")
        before = max(path.stat().st_blocks * 512 for path in tmp_path.glob(".*.sm-ssh-part"))
        copying.send_signal(number)
        _, err = copying.communicate(timeout=180)
        assert copying.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), err
        assert number != signal.SIGINT or "the same command goes on where it was" in err
        assert not (tmp_path / "copy").exists()
    found = cp(machine, *words)
    assert found["resumed_bytes"] >= 2 * MIB  # less what was under way
    assert found["resumed_bytes"] + found["moved_bytes"] == found["bytes"] == LONG
    assert found["verified_files"] == 1
    assert digest(tmp_path / "copy") == digest(long)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert not list((machine.home / ".ssh" / "sm-ssh" / "copies").iterdir())


def test_a_network_that_goes_and_comes_back(machine: Machine, job: Job, long: Path, tmp_path: Path) -> None:
    with Relay(machine.env["AWS_ENDPOINT_URL"]) as relay:
        copying = start(machine, f"{job.host}:{long}", str(tmp_path / "copy"), AWS_ENDPOINT_URL=relay.url)
        wait_until(grown(tmp_path, 4 * MIB), 60, what="a part of the copy")
        relay.cut()
        assert copying.poll() is None
        relay.mend()
        _, err = copying.communicate(timeout=120)
    assert copying.returncode == 0, err
    assert digest(tmp_path / "copy") == digest(long)


def test_a_source_that_has_changed_is_copied_anew(machine: Machine, job: Job, long: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(long.read_bytes()[: 32 * MIB])
    words = [str(source), f"{job.host}:{tmp_path}/copy"]
    copying = start(machine, *words)
    wait_until(grown(tmp_path, 8 * MIB), 60, what="a part of the copy")
    copying.kill()
    copying.communicate(timeout=180)
    source.write_bytes(os.urandom(8 * MIB))
    done = machine.run("cp", *words)
    assert done.returncode == 0, done.stderr
    assert "has changed since: it is copied anew" in done.stderr
    assert digest(tmp_path / "copy") == digest(source)


def test_standard_input_and_output(machine: Machine, job: Job, tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(200_000))
    done = machine.run("cp", "-", f"{job.host}:{tmp_path}/piped", stdin=text)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "piped").read_text() == text
    done = machine.run("cp", f"{job.host}:{tmp_path}/piped", "-")
    assert (done.returncode, done.stdout == text) == (0, True), done.stderr
    done = machine.run("cp", "-", f"{job.host}:{tmp_path}", stdin=text)
    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["piped"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nothing", "{node}:{tmp}/x"], 10, "nothing: no such file or folder on this machine"),
        (["{node}:/nothing", "."], 10, "/nothing: no such file or folder on copies.training.sagemaker"),
        (["a", "b"], 2, "both sides are on this machine"),
        (["{node}:/a", "{node}:/b"], 2, "both sides are nodes"),
        (["copies:/a", "."], 2, "did you mean copies.training.sagemaker?"),
        (["/etc/passwd", "{node}:/proc/x"], 30, "the disk of copies.training.sagemaker"),
        (["/etc/passwd", "mi-00000000000000001:/x"], 10, "mi-00000000000000001"),
        (["/etc/passwd", "{node}:{tmp}/x", "--via", "s3", "--bucket", "no-such-bucket-of-ours"], 0, "1 file"),
    ],
)
def test_each_failure_is_a_line_and_a_code(
    machine: Machine, job: Job, words: list[str], status: int, said: str
) -> None:
    done = machine.run("cp", *(word.format(node=job.host, tmp=machine.folder) for word in words))
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def s3(machine: Machine) -> Any:
    keys = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}
    client = botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=machine.env["AWS_ENDPOINT_URL"],
        **{name: machine.env[variable] for name, variable in keys.items()},
    )
    client.create_bucket(Bucket=BUCKET)
    return client


def left_in(s3: Any) -> list[Any]:
    objects = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [*objects, *s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_by_way_of_a_bucket(machine: Machine, job: Job, long: Path, s3: Any, up: bool) -> None:
    tmp_path = long.with_name(f"bucket-{up}")
    tmp_path.mkdir()
    longer = tmp_path / "longer"
    longer.write_bytes(long.read_bytes() + b"more")  # long enough for several parts
    longer.chmod(0o640)
    words = [str(longer), f"{job.host}:{tmp_path}/copy"] if up else [f"{job.host}:{longer}", str(tmp_path / "copy")]
    copying = start(machine, *words, "--via", "s3", "--bucket", BUCKET, "--output", "json")
    seen = []
    while copying.poll() is None:  # an address is a secret: it is in nobody's arguments or environment, all the time
        seen += processes(lambda words, env: "X-Amz-Signature" in words + "".join(env.values()))
    out, err = copying.communicate(timeout=120)
    assert copying.returncode == 0, err
    assert not seen
    found = json.loads(out)
    assert (found["moved_bytes"], found["verified_files"]) == (LONG + 4, 1)
    assert digest(tmp_path / "copy") == digest(longer)
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o640
    assert left_in(s3) == []
    assert "X-Amz" not in job.log + err


def test_nothing_is_left_in_the_bucket_after_a_failure(
    machine: Machine, job: Job, long: Path, tmp_path: Path, s3: Any
) -> None:
    (tmp_path / "source").write_bytes(long.read_bytes()[: 2 * MIB])
    too_long = "x" * 256  # only the last rename finds out
    done = machine.run(
        "cp", str(tmp_path / "source"), f"{job.host}:{tmp_path}/{too_long}", "--via", "s3", "--bucket", BUCKET
    )
    assert done.returncode == 1, done.stderr
    assert left_in(s3) == []
    copying = start(machine, str(long), f"{job.host}:{tmp_path}/copy", "--via", "s3", "--bucket", BUCKET)
    wait_until(lambda: left_in(s3), 60, what="something in the bucket")
    copying.send_signal(signal.SIGINT)
    _, err = copying.communicate(timeout=180)
    assert copying.returncode == 130, err
    assert left_in(s3) == []
    assert not (tmp_path / "copy").exists()


def test_a_bucket_that_is_not_there(machine: Machine, job: Job, long: Path, tmp_path: Path) -> None:
    done = machine.run("cp", str(long), f"{job.host}:{tmp_path}/copy", "--via", "s3")
    assert done.returncode == 10
    assert "there is no bucket sagemaker-us-east-1-" in done.stderr
    assert "--bucket NAME" in done.stderr
