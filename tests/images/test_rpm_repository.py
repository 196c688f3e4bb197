"""A repository as Amazon Linux lays its own out, published by an HTTP server of this test."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from sm_ssh_entry.errors import ArtifactRefused, NotFound
from sm_ssh_entry.images.distribution import Distributions
from sm_ssh_entry.images.lockfile import Entry
from sm_ssh_entry.images.manifest import System
from tests.images.heard import Heard, network
from tests.images.publisher import Publisher

RPM = b"an rpm"
HEAD = 'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"'


def package(
    name: str,
    version: str = "1",
    requires: tuple[str, ...] = (),
    provides: tuple[str, ...] = (),
    *,
    arch: str = "x86_64",
    href: str = "",
    files: str = "",
) -> str:
    own = f'<rpm:entry name="{name}" flags="EQ" epoch="0" ver="{version}" rel="1"/>'
    place = href or f"../../../../blobstore/{name}/{name}-{version}-1.{arch}.rpm"
    return (
        f'<package type="rpm"><name>{name}</name><arch>{arch}</arch><version epoch="0" ver="{version}" rel="1"/>'
        f'<checksum type="sha256" pkgid="YES">{hashlib.sha256(RPM).hexdigest()}</checksum>'
        f'<size package="{len(RPM)}"/><location href="{place}"/>'
        f"<format><rpm:provides>{own}{''.join(map(entry, provides))}</rpm:provides>"
        f"<rpm:requires>{''.join(map(entry, requires))}</rpm:requires>{files}</format></package>"
    )


def entry(words: str) -> str:
    name, *bound = words.split()
    more = f' flags="{bound[0]}" epoch="0" ver="{bound[1]}"' if bound else ""
    return f'<rpm:entry name="{name}"{more}/>'


def publish(site: Publisher, *packages: str, primary: bytes | None = None) -> None:
    text = f'<metadata {HEAD} packages="{len(packages)}">{"".join(packages)}</metadata>'
    listed = gzip.compress(text.encode()) if primary is None else primary
    sha256 = hashlib.sha256(listed).hexdigest()
    top = "/al2023/core/guids/abc/x86_64"
    site.publish("/al2023/core/mirrors/latest/x86_64/mirror.list", f"{site.url}{top}/\n".encode())
    site.publish(
        f"{top}/repodata/repomd.xml",
        '<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="filelists"/><data type="primary">'
        f'<checksum type="sha256">{sha256}</checksum><location href="repodata/primary.xml.gz"/>'
        f"<size>{len(listed)}</size></data></repomd>".encode(),
    )
    site.publish(f"{top}/repodata/primary.xml.gz", listed)


def resolved(site: Publisher, *wanted: str, base: tuple[str, ...] = ()) -> list[Entry]:
    mirrors = f"{site.url}/al2023/core/mirrors/latest/{{arch}}/mirror.list"
    system = System("amazonlinux-2023", Path(), {}, {}, mirrors, base, wanted, (), ())
    heard = Heard()
    return Distributions({}, network(heard), heard).packages(system, "amd64")


def names(found: list[Entry]) -> list[str]:
    return [one.file.rpartition("/")[2] for one in found]


def test_what_is_needed_beyond_the_base_with_address_size_and_checksum(site: Publisher) -> None:
    publish(
        site,
        package("bash", "5", files="<file>/bin/sh</file>"),
        package(
            "openssh-server", "8.7", ("/bin/sh", "libcrypto.so.3()(64bit)", "rpmlib(X)", "(a if b)", "openssh EQ 8.7")
        ),
        package("openssh", "8.6"),
        package("openssh", "8.7"),
        package("openssl-libs", "3", provides=("libcrypto.so.3()(64bit)",)),
        package("openssl-libs", "4", provides=("libcrypto.so.3()(64bit)",), arch="aarch64"),
        package("docs", "1", arch="noarch"),
    )
    found = resolved(site, "openssh-server", "docs", base=("bash",))
    assert names(found) == [
        "docs-1-1.noarch.rpm",
        "openssh-8.7-1.x86_64.rpm",
        "openssh-server-8.7-1.x86_64.rpm",
        "openssl-libs-3-1.x86_64.rpm",
    ]
    assert found[1] == Entry(
        "packages",
        "amazonlinux-2023",
        "packages/amazonlinux-2023/amd64/openssh-8.7-1.x86_64.rpm",
        f"{site.url}/al2023/blobstore/openssh/openssh-8.7-1.x86_64.rpm",
        len(RPM),
        hashlib.sha256(RPM).hexdigest(),
        "8.7-1",
    )


def test_what_is_there_serves_before_another_that_could(site: Publisher) -> None:
    publish(
        site,
        package("coreutils-single", provides=("coreutils EQ 9",)),
        package("coreutils", "9"),
        package("app", requires=("coreutils",)),
    )
    assert names(resolved(site, "app", base=("coreutils-single",))) == ["app-1-1.x86_64.rpm"]
    assert names(resolved(site, "app")) == ["app-1-1.x86_64.rpm", "coreutils-9-1.x86_64.rpm"]


@pytest.mark.parametrize("wanted", ["gone", "app"])
def test_what_is_missing_is_named(site: Publisher, wanted: str) -> None:
    publish(site, package("app", requires=("gone GE 2",)), package("other"))
    with pytest.raises(NotFound, match="the repository has no gone"):
        resolved(site, wanted)


def test_one_flipped_byte_of_the_list_is_refused(site: Publisher) -> None:
    publish(site, package("app"))
    path = "/al2023/core/guids/abc/x86_64/repodata/primary.xml.gz"
    site.publish(path, site.files[path][:-1] + bytes([site.files[path][-1] ^ 1]))
    with pytest.raises(ArtifactRefused, match="not the locked file"):
        resolved(site, "app")


@pytest.mark.parametrize(
    "primary",
    [b"", b"no gzip", gzip.compress(b"<no xml"), gzip.compress(b"x")[:-4]],
    ids=["empty", "no gzip", "no xml", "cut"],
)
def test_a_list_of_no_known_form_is_refused(site: Publisher, primary: bytes) -> None:
    publish(site, primary=primary)
    with pytest.raises((ArtifactRefused, NotFound)):
        resolved(site, "app")


def test_a_package_on_another_server_is_refused(site: Publisher) -> None:
    publish(site, package("app", href="https://elsewhere.example/app.rpm"))
    with pytest.raises(ArtifactRefused, match="another server"):
        resolved(site, "app")
