"""fetch as a user calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.images import container_wheel, lockfile
from tests.images.publisher import Fault
from tests.images.user import AGENT, CLI, OFFICIAL, PURE, World


def sums_hold(folder: Path) -> bool:
    argv = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    return subprocess.run(argv, cwd=folder, check=False, timeout=180).returncode == 0


def test_the_first_fetch_brings_all_and_locks_it(world: World, shipped: Path) -> None:
    lockfile.write(shipped, [])
    code, out = world.fetch()
    assert code == 0, world.said
    assert world.there() == OFFICIAL
    assert (world.to / "agent" / "amd64" / "amazon-ssm-agent.deb").read_bytes() == AGENT["amazon-ssm-agent.deb"]
    assert world.about("agent/amd64") == {"source": "official", "version": "3.3.1"}
    assert world.about("aws-cli/amd64") == {"source": "official", "version": "2.1.0"}
    assert set(world.lock) == {
        name for name in OFFICIAL if not name.endswith(("SUMS", ".json", ".lock", container_wheel.FILE))
    }
    assert sums_hold(world.to)
    assert "WARNING agent/amd64: locked as it came" in world.said
    assert out.splitlines()[-1] == f"10 files are in {world.to}, each with its checksum"


def test_the_second_fetch_asks_nobody(world: World) -> None:
    world.fetch()
    world.site.asked.clear()
    code, _ = world.fetch()
    assert (code, world.site.asked) == (0, [])
    assert "WARNING" not in world.said


def test_what_comes_locked_is_not_resolved_and_not_copied_to_the_user_s_lock(world: World) -> None:
    assert world.fetch()[0] == 0
    assert [path for _, path, _ in world.site.asked if path.startswith("/simple/")] == []
    assert {one.component for one in world.lock.values()} == {"agent", "aws-cli"}


def test_another_folder_with_the_same_lock_gets_the_same_bytes(world: World) -> None:
    world.fetch()
    sums = (world.to / "SHA256SUMS").read_bytes()
    lock = world.folder / "kept.lock"
    (world.to / "artifacts.lock").rename(lock)
    shutil.rmtree(world.to)
    text = lock.read_bytes()
    code, _ = world.fetch("--lock", str(lock))
    assert code == 0
    assert (world.to / "SHA256SUMS").read_bytes() == sums
    assert lock.read_bytes() == text
    assert not (world.to / "artifacts.lock").exists()


def test_a_file_that_has_changed_at_its_publisher_is_refused(world: World) -> None:
    world.fetch()
    (world.to / "aws-cli" / "amd64" / "awscliv2.zip").unlink()
    world.site.publish("/cli/awscli-exe-linux-x86_64-2.1.0.zip", CLI + b"and more")
    code, _ = world.fetch()
    assert code == 29
    assert "aws-cli/amd64/awscliv2.zip is not the locked file" in world.said
    assert not (world.to / "aws-cli" / "amd64" / "awscliv2.zip").exists()


def test_signatures_are_checked_with_a_key(world: World) -> None:
    keys = ["--key", f"agent={world.keys[0].armored}", "--key", f"aws-cli={world.keys[0].public}"]
    code, _ = world.fetch(*keys)
    assert code == 0
    assert "agent/amd64: signatures hold" in world.said
    assert "WARNING" not in world.said
    code, out = world.sm_ssh("verify", *keys)
    assert code == 0
    assert out.count("good, signed") == 3


def test_a_stranger_s_agent_is_refused_and_neither_kept_nor_locked(world: World) -> None:
    path = "/agent/3.3.1/debian_amd64/amazon-ssm-agent.deb"
    world.site.publish(f"{path}.sig", world.keys[1].detached(AGENT["amazon-ssm-agent.deb"]))
    code, _ = world.fetch("--key", f"agent={world.keys[0].public}")
    assert code == 29
    assert "the signature of amazon-ssm-agent.deb does not hold" in world.said
    assert [name for name in world.there() if name.startswith("agent/")] == []
    assert world.lock == {}


def test_where_aws_cannot_be_reached_the_others_are_taken_and_it_says_so(world: World) -> None:
    world.cut_off_aws()
    code, _ = world.fetch()
    assert code == 0, world.said
    assert world.about("agent/amd64")["source"] == "stand-in"
    assert world.about("aws-cli/debian-12/amd64") == {"source": "debian", "version": "2.9.19-1"}
    found = [name for name in world.there() if name.startswith(("agent/", "aws-cli/", "stand-in/"))]
    assert found == [
        "agent/amd64/about.json",
        "agent/amd64/amazon-ssm-agent.deb",
        "aws-cli/debian-12/amd64/about.json",
        "aws-cli/debian-12/amd64/awscli_2.9.19-1_amd64.deb",
        "aws-cli/debian-12/amd64/python3-six_1.0_amd64.deb",
        f"stand-in/amd64/app-1.0-{PURE}",
        f"stand-in/amd64/lib-1.0-{PURE}",
    ]
    warnings = [line for line in world.said.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 2
    assert "taking the stand-in agent for amd64, which no release may hold" in warnings[0]
    assert sums_hold(world.to)


def test_who_asks_for_the_official_agent_never_gets_another(world: World) -> None:
    world.cut_off_aws()
    code, _ = world.fetch("--agent", "official", "--aws-cli", "none")
    assert code == 20
    assert "127.0.0.1:1 cannot be reached" in world.said


def test_a_version_that_is_not_published_is_an_error_and_no_reason_for_the_stand_in(world: World) -> None:
    for path in [path for path in world.site.files if path.startswith("/agent/")]:
        del world.site.files[path]
    code, _ = world.fetch()
    assert code == 10
    assert "404" in world.said


def test_the_official_agent_takes_the_place_of_the_stand_in_and_back(world: World) -> None:
    world.fetch("--agent", "stand-in")
    assert world.about("agent/amd64")["source"] == "stand-in"
    world.fetch("--agent", "official")
    assert world.about("agent/amd64") == {"source": "official", "version": "3.3.1"}
    code, _ = world.fetch("--agent", "stand-in")
    assert code == 0
    assert [name for name in world.there() if name.startswith("agent/")] == [
        "agent/amd64/about.json",
        "agent/amd64/amazon-ssm-agent.deb",
    ]
    assert world.sm_ssh("verify")[0] == 0


def test_packages_for_builds_without_a_network(world: World) -> None:
    code, _ = world.fetch("--packages", "--aws-cli", "debian")
    assert code == 0, world.said
    assert [name for name in world.there() if name.startswith(("packages/", "aws-cli/"))] == [
        "aws-cli/debian-12/amd64/about.json",
        "aws-cli/debian-12/amd64/awscli_2.9.19-1_amd64.deb",
        "aws-cli/debian-12/amd64/python3-six_1.0_amd64.deb",
        "packages/debian-12/amd64/libssl3_3.0.1~deb12u1_amd64.deb",
        "packages/debian-12/amd64/openssh-server_9.2p1-2_amd64.deb",
    ]
    locked = world.lock["packages/debian-12/amd64/openssh-server_9.2p1-2_amd64.deb"]
    assert (locked.source, locked.version) == ("debian-12", "1:9.2p1-2")


def test_a_distribution_without_the_command_line_says_so(world: World) -> None:
    code, _ = world.sm_ssh("fetch", "--arch", "amd64", "--for", "ubuntu-22.04", "--aws-cli", "debian")
    assert code == 2
    assert "ubuntu-22.04 has no AWS CLI 2 of its own" in world.said


def test_an_unknown_system_is_named(world: World) -> None:
    code, _ = world.fetch("--for", "slackware")
    assert code == 2
    assert "no such system: slackware" in world.said


def test_an_interrupted_fetch_goes_on(world: World) -> None:
    path = "/cli/awscli-exe-linux-x86_64-2.1.0.zip"
    assert world.sm_ssh("lock", "--arch", "amd64", "--for", "debian-12", "--only", "aws-cli")[0] == 0
    (world.to / "aws-cli" / "amd64" / "awscliv2.zip").unlink()
    world.site.asked.clear()
    # Broken five times over: this run gives up, with what came kept.
    world.site.fail(path, *[Fault(cut=1000)] * 5)
    patched = ["--parallel", "1", "--agent", "stand-in"]
    code, _ = world.fetch(*patched)
    assert code == 20
    assert (world.to / "aws-cli" / "amd64" / "awscliv2.zip.part").stat().st_size == 5000
    code, _ = world.fetch(*patched)
    assert code == 0
    assert [one.get("Range") for one in world.site.gets(path)][-1] == "bytes=5000-"
    assert (world.to / "aws-cli" / "amd64" / "awscliv2.zip").read_bytes() == CLI


def test_an_interrupted_first_fetch_keeps_and_locks_what_it_has(world: World) -> None:
    world.site.fail("/cli/awscli-exe-linux-x86_64-2.1.0.zip", Fault(status=404))
    assert world.fetch("--parallel", "1")[0] == 10
    assert {one.component for one in world.lock.values()} == {"agent"}
    world.site.asked.clear()
    assert world.fetch()[0] == 0
    assert [path for method, path, _ in world.site.asked if method == "GET" and path.startswith("/agent/")] == []


def test_a_mirror_that_is_a_folder_serves_all(world: World) -> None:
    """What one machine fetched, another one without any network takes from a share."""
    world.fetch()
    share = world.folder / "share"
    for path, content in world.site.files.items():
        if not path.endswith("/"):
            (share / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (share / path[1:]).write_bytes(content)
    (world.to / "artifacts.lock").rename(world.folder / "kept.lock")
    shutil.rmtree(world.to)
    world.site.asked.clear()
    options = ["--lock", str(world.folder / "kept.lock"), "--mirror", f"{world.site.url}/={share.as_uri()}/"]
    code, _ = world.fetch(*options)
    assert code == 0, world.said
    assert world.site.asked == []
    assert sums_hold(world.to)


def test_json_says_it_all(world: World, shipped: Path) -> None:
    code, out = world.fetch("--output", "json")
    found = json.loads(out)
    assert code == 0
    assert [part["component"] for part in found["parts"]] == ["wheels", "programs", "agent", "aws-cli"]
    listed = {one["file"]: (one["size"], one["sha256"]) for part in found["parts"] for one in part["files"]}
    locked = {**lockfile.read(shipped), **world.lock}
    assert listed == {name: (locked[name].size, locked[name].sha256) for name in listed}
    assert set(world.lock) < set(listed)
    assert f"wheel/{container_wheel.FILE}" in found["made"]


@pytest.mark.parametrize("words", [["--mirror", "nonsense"], ["--key", "agent"], ["--parallel", "0"]], ids=" ".join)
def test_bad_words_are_bad_input(world: World, words: list[str]) -> None:
    assert world.fetch(*words)[0] == 2
