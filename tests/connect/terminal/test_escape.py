from __future__ import annotations

import pytest

from sm_ssh_entry.connect.terminal.escape import TYPED_BYTES, Escapes, Wish


def typed(*pieces: bytes) -> tuple[bytes, list[Wish]]:
    """Take pieces one after the other; what goes to the node, and what is wanted."""
    escapes, passed, wishes = Escapes(), b"", list[Wish]()
    for piece in pieces:
        more, wanted = escapes.take(piece)
        passed += more
        wishes += wanted
    return passed, wishes


@pytest.mark.parametrize(
    ("text", "passed", "wishes"),
    [
        (b"~.", b"", [Wish.LEAVE]),
        (b"ls\r~.", b"ls\r", [Wish.LEAVE]),
        (b"ls\n~.", b"ls\n", [Wish.LEAVE]),
        (b"ls\r~?ls\r", b"ls\rls\r", [Wish.HELP]),
        (b"\r~?~.", b"\r", [Wish.HELP, Wish.LEAVE]),
        (b"\r~~", b"\r~", []),
        (b"\r~~.", b"\r~.", []),
        (b"cd ~\r", b"cd ~\r", []),
        (b"a~.", b"a~.", []),
        (b"\r~/bin\r", b"\r~/bin\r", []),
        (b"\r~\r~.", b"\r~\r", [Wish.LEAVE]),
        (b"\r ~.", b"\r ~.", []),
        ("ü~.\r".encode(), "ü~.\r".encode(), []),
    ],
)
def test_escapes_stand_at_the_beginning_of_a_line(text: bytes, passed: bytes, wishes: list[Wish]) -> None:
    assert typed(text) == (passed, wishes)
    assert typed(*(text[at : at + 1] for at in range(len(text)))) == (passed, wishes)


def test_after_leaving_nothing_more_goes_to_the_node() -> None:
    assert typed(b"\r~.rm -rf /\r") == (b"\r", [Wish.LEAVE])


@pytest.mark.parametrize(
    "text", [b"\r~.\r~?\r~~" * TYPED_BYTES, b"\x1b[200~\r~.\x1b[201~", b"\x1b[200~\r~.\r~?\r~~\r\x1b[201~"]
)
def test_a_paste_passes_as_it_is(text: bytes) -> None:
    assert typed(text) == (text, [])


def test_a_marked_paste_may_come_in_pieces_and_ends() -> None:
    assert typed(b"\x1b[200~", b"\r", b"~.", b"\x1b[201~", b"\r", b"~", b".") == (
        b"\x1b[200~\r~.\x1b[201~\r",
        [Wish.LEAVE],
    )


def test_a_tilde_that_was_held_is_not_lost_to_a_paste() -> None:
    paste = b"x" * (TYPED_BYTES + 1)
    assert typed(b"\r", b"~", paste) == (b"\r~" + paste, [])
    assert typed(paste + b"\r", b"~", b".") == (paste + b"\r", [Wish.LEAVE])
