from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.boot import layout


def test_installs_over_what_is_there(tmp_path: Path) -> None:
    folder = layout.install(str(tmp_path))
    assert folder == tmp_path / "opt" / "sm-ssh" / "bin"
    (folder / "sm-wait").write_text("old")
    layout.install(str(tmp_path))
    assert sorted(file.name for file in folder.iterdir()) == ["sm-ssh-entry", "sm-wait", "sm_ssh_login.py"]
    for file in folder.iterdir():
        assert file.read_bytes() == (layout.source() / file.name).read_bytes()
        assert file.stat().st_mode & 0o777 == 0o755


def test_templates_have_no_other_blanks() -> None:
    text = layout.render("sshd_config", {"port": "22"})
    assert "\nPort 22\n" in text
    blanks = {word for word in text.split() if word.startswith("@") and word.endswith("@")}
    assert blanks == {"@listen@", "@host_key@", "@pid_file@", "@strict@", "@authorized_keys@", "@login@", "@sftp@"}


def test_value_cannot_add_a_line() -> None:
    with pytest.raises(ValueError, match="port"):
        layout.render("sshd_config", {"port": "22\nPasswordAuthentication yes"})
