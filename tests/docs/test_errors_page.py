"""docs/errors.md says what the source says: no message without an entry, no kind without a cause."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from sm_ssh_entry import errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SCRIPT = runpy.run_path(str(ROOT / "docs" / "errors_page.py"))
KINDS = {
    name: kind.exit_code
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SmSshError)
}
# A literal piece of a message, found without the parser that the page is made with.
_PIECE = re.compile(r"\b(?:" + "|".join(KINDS) + r")\(\s*f?\"([^\"{}\\`|]{8,})")


def test_the_page_is_what_the_source_says() -> None:
    assert SCRIPT["page"]() == PAGE, "messages have changed: .venv/bin/python docs/errors_page.py"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_cause_and_its_code(kind: str) -> None:
    assert kind in SCRIPT["KINDS"]
    assert f"\n## {KINDS[kind]} {kind}\n" in PAGE


@pytest.mark.parametrize("room", ["boot", "cli", "connect"])
def test_pieces_of_messages_in_the_source_stand_on_the_page(room: str) -> None:
    folder = ROOT / "sm_ssh_entry" / room
    pieces = [
        (path.name, " ".join(piece.split()))
        for path in folder.rglob("*.py")
        for piece in _PIECE.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(pieces) > 10, "the search is wrong"
    assert [piece for piece in pieces if piece[1] not in PAGE] == []
