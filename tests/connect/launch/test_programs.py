"""IDEs: where they are looked for, and what they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_ssh_entry.connect.launch.programs import PROGRAMS, launcher
from sm_ssh_entry.errors import ToolMissing

HOST = "My-Job.training.sagemaker"


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_that_is_missing_is_named_with_the_way_by_hand(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    del home
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing) as failed:
        launcher(PROGRAMS[name], HOST, "root", "/opt/ml/a b")
    assert PROGRAMS[name].name in failed.value.message
    assert HOST in failed.value.hint
    assert "%20b" in failed.value.hint


def test_where_path_does_not_know_it_the_usual_places_are_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    place = home / ".local/share/JetBrains/Toolbox/scripts/gateway"
    place.parent.mkdir(parents=True)
    place.write_text("#!/bin/sh\n")
    with pytest.raises(ToolMissing):
        launcher(PROGRAMS["pycharm"], HOST, "root", "/")
    place.chmod(0o755)
    words = launcher(PROGRAMS["pycharm"], HOST, "me@x", "/opt/ml")
    assert words[0] == str(place)
    assert words[1:] == [
        f"jetbrains-gateway://connect#type=ssh&deploy=true&host={HOST}&port=22&user=me%40x&projectPath=%2Fopt%2Fml"
    ]
