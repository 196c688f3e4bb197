"""Which packages a minimal base lacks."""

from __future__ import annotations

import pytest

from sm_ssh_entry.errors import NotFound
from sm_ssh_entry.images.debian_closure import Index, Package


def package(name: str, depends: str = "", version: str = "1", *, base: bool = False, provides: str = "") -> Package:
    return Package(name, version, base, depends, provides, f"https://archive.example/{name}.deb", 1, "0" * 64)


def closed(index: Index, *wanted: str, present: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in index.closure(wanted, present)]


def test_what_is_needed_comes_and_what_is_there_does_not() -> None:
    index = Index([
        package("dpkg", "libc6", base=True),
        package("libc6"),
        package("sshd", "libc6, libssl"),
        package("libssl", "libc6"),
        package("other"),
    ])  # fmt: skip
    assert index.base() == {"dpkg", "libc6"}
    assert [one.name for one in index.closure(["sshd"], index.base())] == ["libssl", "sshd"]


def test_the_newest_of_several_suites_wins() -> None:
    index = Index([package("a", version="1.9"), package("a", version="1.10"), package("a", version="1.10~rc1")])
    assert [one.version for one in index.closure(["a"], ())] == ["1.10"]


def test_a_ring_of_dependencies_ends() -> None:
    assert closed(Index([package("a", "b"), package("b", "a")]), "a") == ["a", "b"]


def test_the_first_alternative_that_can_be_had_is_taken() -> None:
    assert closed(Index([package("a", "gone | b | c"), package("b"), package("c")]), "a") == ["a", "b"]


def test_an_alternative_that_is_there_or_wanted_is_enough() -> None:
    index = Index([package("a", "systemd | small"), package("systemd"), package("small")])
    assert closed(index, "a", "small") == ["a", "small"]
    assert closed(index, "a", present=("small",)) == ["a"]


def test_what_another_package_provides_is_had() -> None:
    index = Index(
        [package("a", "mta"), package("postfix", provides="mta, mail (= 2)"), package("exim", provides="mta")]
    )
    assert closed(index, "a") == ["a", "exim"]
    assert closed(index, "a", "postfix") == ["a", "postfix"]


@pytest.mark.parametrize(("bound", "found"), [("mail (>= 2)", True), ("mail (>= 3)", False)])
def test_what_is_provided_with_a_version_meets_bounds(bound: str, found: bool) -> None:
    index = Index([package("a", bound), package("postfix", provides="mail (= 2)")])
    if found:
        assert closed(index, "a") == ["a", "postfix"]
    else:
        with pytest.raises(NotFound, match="the archive has no mail, which a needs"):
            closed(index, "a")


def test_a_package_too_old_for_its_dependent_is_an_error() -> None:
    with pytest.raises(NotFound, match="the archive has no b, which a needs"):
        closed(Index([package("a", "b (>= 2)"), package("b")]), "a")


def test_a_wanted_package_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"the archive has no sshd$"):
        closed(Index([]), "sshd")


def test_a_base_holds_nothing_that_is_a_choice() -> None:
    """One tool to make images takes the first, another the second: only what both have counts as there."""
    index = Index([
        package("init", "merge | is-merged, awk", base=True),
        package("merge", "perl"),
        package("is-merged"),
        package("perl"),
        package("mawk", provides="awk", base=True),
        package("gawk", provides="awk"),
    ])  # fmt: skip
    assert index.base() == {"init", "mawk"}
