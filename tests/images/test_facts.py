"""What is read out of an image; that it is read from an engine, tests/images/built/test_inspect.py shows."""

from __future__ import annotations

import pytest

from sm_ssh_entry.images import facts
from sm_ssh_entry.images.facts import Account, Facts, File

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
broken
trainer:x:1000:100::/home/trainer:/bin/sh
12:x:1012:100::/home/12:/bin/sh
"""
SHADOW = "root:*:19000:0:99999:7:::\ntrainer:!:19000:0:99999:7:::\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n', "debian-12"),
        ("ID=ubuntu\nVERSION_ID='22.04'\nID_LIKE=debian\n", "ubuntu-22.04"),
        ('ID="amzn"\nVERSION_ID="2023"\n', "amazonlinux-2023"),
        ("ID=arch\n", "arch"),
        ("# nothing\n\nnot a line", ""),
        ("", ""),
    ],
)
def test_distributions_have_the_layers_names(text: str, name: str) -> None:
    assert facts.release(text) == name


@pytest.mark.parametrize(
    ("owner", "account"),
    [
        ("0", Account(0, "root")),
        ("root", Account(0, "root")),
        ("1000", Account(1000, "trainer", locked=True)),
        ("trainer", Account(1000, "trainer", locked=True)),
        ("4242", Account(4242)),
        ("nobody", Account(-1)),
        ("12", Account(12)),
    ],
)
def test_the_images_user(owner: str, account: Account) -> None:
    assert facts.account(owner, PASSWD, SHADOW) == account


def test_folders_above() -> None:
    assert facts.with_parents("/etc/amazon/ssm") == ("/etc/amazon/ssm", "/etc/amazon", "/etc")


@pytest.mark.parametrize(
    ("loaders", "musl"),
    [
        ((), False),
        (("/lib/ld-musl-aarch64.so.1",), True),
        (("/lib/ld-linux-aarch64.so.1",), False),
        # Debian's package musl beside the C library that everything else uses.
        (("/lib/ld-musl-aarch64.so.1", "/lib/ld-linux-aarch64.so.1"), False),
        (("/lib/ld-musl-x86_64.so.1",), False),
    ],
)
def test_musl(loaders: tuple[str, ...], musl: bool) -> None:
    files = {path: File(0, 0o755, 1) for path in loaders}
    assert Facts("mine:1", "sha256:1", "linux", "arm64", files=files).musl is musl
