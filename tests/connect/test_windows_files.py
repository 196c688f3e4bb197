"""The answers of Windows' own programs, as data."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect import windows_files
from sm_ssh_entry.connect.windows_files import Identity

PATH = "C:\\Users\\A B\\.ssh\\id_ed25519"
ME = Identity("desktop-1\\a b", "S-1-5-21-1-2-3-1001")
PRIVATE = f"""\
{PATH} NT AUTHORITY\\SYSTEM:(F)
{" " * len(PATH)} BUILTIN\\Administrators:(F)
{" " * len(PATH)} DESKTOP-1\\A B:(F)

Successfully processed 1 files; Failed processing 0 files
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('"desktop-1\\a b","S-1-5-21-1-2-3-1001"\r\n', ME),
        ('"azuread\\größe","S-1-12-1-1-2-3-4"\r\n', Identity("azuread\\größe", "S-1-12-1-1-2-3-4")),
        ("", None),
        ("ERROR: Invalid argument/option\r\n", None),
        ('"one","two"', None),
    ],
)
def test_who_runs_us(said: str, expected: Identity | None) -> None:
    assert windows_files.identity(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (PRIVATE, []),
        (f"{PATH} DESKTOP-1\\A B:(F)\n", []),
        (f"{PATH} *S-1-5-21-1-2-3-1001:(F)\n{' ' * 30}S-1-5-18:(I)(F)\n", []),
        (PRIVATE.replace("BUILTIN\\Administrators:(F)", "BUILTIN\\Users:(I)(RX)"), ["BUILTIN\\Users"]),
        (PRIVATE.replace("DESKTOP-1\\A B:(F)", "Everyone:(R)"), ["Everyone"]),
        (PRIVATE.replace("DESKTOP-1\\A B:(F)", "OTHER\\A B:(I)(M)"), ["OTHER\\A B"]),
        (PRIVATE.replace("DESKTOP-1\\A B:(F)", "Everyone:(DENY)(R)"), []),
        (PRIVATE.replace("DESKTOP-1\\A B:(F)", "Everyone:(N)"), []),
        (PRIVATE.replace("DESKTOP-1\\A B:(F)", "Everyone:(I)(OI)(CI)(IO)"), []),
        (f"{PATH} VORDEFINIERT\\Administratoren:(I)(F)\n  NT-AUTORITÄT\\SYSTEM:(F)\n  Jeder:(RX,W)\n", ["Jeder"]),
        ("", []),
        ("The system cannot find the file specified.\n", []),
    ],
)
def test_who_else_can_read_a_key(said: str, expected: list[str]) -> None:
    assert windows_files.others(said, PATH, ME) == expected


def test_a_key_is_given_to_its_owner_by_identifier() -> None:
    words = windows_files.protect_argv(PATH, ME)
    assert words[:2] == ["icacls", PATH]
    assert words[2:5] == ["/inheritance:r", "/grant:r", "*S-1-5-21-1-2-3-1001:F"]
    by_hand = windows_files.protect_by_hand(PATH, ME)
    assert by_hand == f'icacls "{PATH}" /inheritance:r /grant:r "desktop-1\\a b:F"'
