"""lock as a user calls it."""

from __future__ import annotations

import shutil

from tests.images import archive
from tests.images.archive import package
from tests.images.user import World


def test_locked_packages_that_the_archive_has_replaced_say_what_to_do(world: World) -> None:
    world.fetch("--packages")
    shutil.rmtree(world.to / "packages")
    del world.site.files["/debian/pool/main/libssl3_3.0.1~deb12u1_amd64.deb"]
    replaced = [
        package("libc6", Essential="yes"),
        package("openssh-server", "1:9.2p1-2", Depends="libc6, libssl3"),
        package("libssl3", "3.0.1~deb12u2", Depends="libc6"),
    ]
    archive.publish(world.site, world.keys[0], "bookworm", replaced)
    code, _ = world.fetch("--packages")
    assert code == 10
    assert "sm-ssh image lock" in world.said
    assert world.sm_ssh("lock", "--only", "packages", "--arch", "amd64", "--for", "debian-12")[0] == 0
    assert world.fetch("--packages")[0] == 0
    assert "packages/debian-12/amd64/libssl3_3.0.1~deb12u2_amd64.deb" in world.there()
    assert "packages/debian-12/amd64/libssl3_3.0.1~deb12u1_amd64.deb" not in world.lock


def test_lock_fetches_only_what_has_no_checksum_of_its_publisher_s(world: World) -> None:
    code, out = world.sm_ssh("lock", "--arch", "amd64", "--for", "debian-12", "--aws-cli", "debian")
    assert code == 0, world.said
    assert f"files are in the lock {world.to}/artifacts.lock" in out
    assert {entry.component for entry in world.lock.values()} == {"wheels", "programs", "agent", "aws-cli", "packages"}
    assert [name for name in world.there() if not name.startswith("agent/")] == ["artifacts.lock"]
    world.site.asked.clear()
    assert world.fetch("--aws-cli", "debian", "--packages")[0] == 0
    assert [path for _, path, _ in world.site.asked if path.startswith(("/simple/", "/agent/", "/debian/dists/"))] == []


def test_one_component_alone(world: World) -> None:
    assert world.sm_ssh("lock", "--only", "wheels", "--for", "debian-12")[0] == 0
    assert {entry.component for entry in world.lock.values()} == {"wheels"}
