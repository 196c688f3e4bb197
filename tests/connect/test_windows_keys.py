"""Keys on Windows, with programs that answer as Windows' own do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.connect import windows_keys
from sm_ssh_entry.errors import KeyRefused

WHOAMI = "#!/bin/sh\nprintf '%s\\n' '\"pc\\me\",\"S-1-5-21-1-2-3-1001\"'\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    put(folder / "whoami", WHOAMI)
    return folder


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_a_key_that_others_can_read_is_refused_with_the_fix(programs: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    put(programs / "icacls", "#!/bin/sh\nprintf '%s PC\\\\ME:(F)\\n   BUILTIN\\\\Users:(I)(RX)\\n' \"$1\"\n")
    with pytest.raises(KeyRefused, match="Users") as failed:
        windows_keys.check(key)
    assert "/inheritance:r" in failed.value.hint
    put(programs / "icacls", "#!/bin/sh\nprintf '%s PC\\\\ME:(F)\\n' \"$1\"\n")
    windows_keys.check(key)


@pytest.mark.parametrize("gone", ["icacls", "whoami"])
def test_what_cannot_be_asked_is_left_to_ssh(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    put(programs / "icacls", "#!/bin/sh\nprintf '%s Everyone:(F)\\n' \"$1\"\n")
    (programs / gone).unlink()
    monkeypatch.setenv("PATH", str(programs))
    windows_keys.check(tmp_path / "key")


def test_a_key_of_ours_is_made_private(programs: Path, tmp_path: Path) -> None:
    put(programs / "icacls", f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    windows_keys.protect(tmp_path / "key")
    asked = (tmp_path / "asked").read_text()
    assert asked == f"{tmp_path}/key /inheritance:r /grant:r *S-1-5-21-1-2-3-1001:F /q\n"
    put(programs / "icacls", "#!/bin/sh\necho Access is denied.\nexit 5\n")
    with pytest.raises(KeyRefused, match="Access is denied"):
        windows_keys.protect(tmp_path / "key")
