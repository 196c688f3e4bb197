"""What a node's own words mean for an IDE's server, and scripts that fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sm_ssh_entry.connect.launch import node

FINE = "writable yes\nchown yes\nhome /root\ndisk overlayfs\nfree 50000\nmemory 16000\nleft 9000\n"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("", ""), []),
        (("writable yes\nchown yes", "writable no"), ["cannot be written to"]),
        (("overlayfs", "nfs"), ["network disk (nfs)"]),
        (
            ("chown yes\nhome /root\ndisk overlayfs", "chown no\nhome /root\ndisk nfs4"),
            ["network disk", "no change of owner"],
        ),
        (("chown yes", "chown no"), []),
        (("free 50000", "free 200"), ["200 MB left"]),
        (("memory 16000", "memory 700"), ["700 MB of memory"]),
        (("left 9000", "left 300"), ["300 MB of memory"]),
        ((FINE, ""), []),
        ((FINE, "free\nmemory \nleft x\n\n"), []),
    ],
)
def test_warnings(change: tuple[str, str], expected: list[str]) -> None:
    found = node.warnings(FINE.replace(*change) if change[0] else FINE)
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


def test_the_probe_runs_in_a_plain_shell_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-s"],
        input=node._PROBE,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    facts = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert (facts["writable"], facts["home"], done.stderr) == ("yes", str(tmp_path), "")
    assert int(facts["free"]) > 0
    assert int(facts["memory"]) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/a b", "~", "~/it's", "$(touch x)", "-n", "a;b"])
def test_paths_reach_the_shell_as_they_are(tmp_path: Path, path: str) -> None:
    script = f"printf %s {node.quoted(path)}"
    done = subprocess.run(
        ["sh", "-c", script], env={"HOME": "/h h"}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == (path.replace("~", "/h h", 1) if path.startswith("~") else path)
    assert list(tmp_path.iterdir()) == []
