"""artifacts.toml: the one that comes along is sound; another one is checked before it is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.images import files, manifest

SHIPPED = files.source() / "images" / "artifacts.toml"


def test_official_files_are_over_tls_at_aws_with_a_pinned_version() -> None:
    found = manifest.read(SHIPPED)
    for published in (found.agent, found.aws_cli):
        assert re.fullmatch(r"\d+\.\d+\.\d+(\.\d+)?", published.version)
        for name in published.files:
            for arch in manifest.ARCHES:
                url = published.url(name, arch)
                assert re.match(r"https://(s3\.us-east-1|awscli)\.amazonaws\.com/", url)
                assert published.version in url
                assert "{" not in url
    assert found.aws_cli.url("awscliv2.zip", "arm64").endswith(f"-linux-aarch64-{found.aws_cli.version}.zip")
    assert "/debian_arm64/" in found.agent.url("amazon-ssm-agent.deb", "arm64")
    assert "/linux_amd64/" in found.agent.url("amazon-ssm-agent.rpm", "amd64")


def test_every_system_has_sshd_and_an_interpreter_that_leaves_python3_alone() -> None:
    systems = manifest.read(SHIPPED).systems
    assert set(systems) >= {"debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "amazonlinux-2023"}
    for system in systems.values():
        assert "openssh-server" in system.packages
        assert any(re.fullmatch(r"python3\.1\d(-minimal)?", name) for name in system.packages)
        assert not {"python3", "python3-minimal"} & set(system.packages)


def test_a_file_that_lacks_something_says_what(tmp_path: Path) -> None:
    path = tmp_path / "artifacts.toml"
    path.write_text(SHIPPED.read_text().replace('index = "https', 'other = "https'))
    with pytest.raises(BadInput, match="lacks 'index'"):
        manifest.read(path)


@pytest.mark.parametrize("text", ["not toml", "wheels = 1\nagent = 2\n"])
def test_what_is_none_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "artifacts.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"artifacts\.toml"):
        manifest.read(path)
    with pytest.raises(BadInput, match=r"gone\.toml"):
        manifest.read(tmp_path / "gone.toml")
