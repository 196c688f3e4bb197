"""Which words are on a node, and which are here."""

from __future__ import annotations

import pytest

from sm_ssh_entry.connect.copy import arguments
from sm_ssh_entry.errors import BadInput

NODE = "my-job.training.sagemaker"


def test_up_and_down() -> None:
    up = arguments.parse(["a", "b:c/d" if False else "./b:c", f"{NODE}:/opt/ml"])
    assert (up.up, up.sources, up.to, up.target.resource) == (True, ("a", "./b:c"), "/opt/ml", "my-job")
    down = arguments.parse([f"me@{NODE}:x", f"me@{NODE}:/y:z", "."])
    assert (down.up, down.sources, down.to, down.target.user) == (False, ("x", "/y:z"), ".", "me")


@pytest.mark.parametrize(("word", "path"), [("", "."), ("~", "."), ("~/x", "x"), ("x y", "x y"), ("-x", "-x")])
def test_relative_paths_are_below_the_home_folder(word: str, path: str) -> None:
    assert arguments.parse([f"{NODE}:{word}", "."]).sources == (path,)


@pytest.mark.parametrize("word", [r"C:\data\x", "C:/data", "c:", "/a:b", "./a:b", r"\\host\a:b"])
def test_these_are_here(word: str) -> None:
    assert arguments.parse([word, f"{NODE}:x"]).sources == (word,)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["a"], "NAME:path"),
        (["a", "b"], "NAME:path"),
        ([f"{NODE}:a", f"{NODE}:b"], "to this machine first"),
        ([f"{NODE}:a", "mi-00000000000000001:b", "c"], "one node"),
        ([f"{NODE}:a", "b", "c"], "one node"),
        (["my-job:a", "b"], "did you mean my-job.training.sagemaker"),
        (["", f"{NODE}:b"], "this folder"),
    ],
)
def test_what_cannot_be_right(words: list[str], hint: str) -> None:
    with pytest.raises(BadInput) as raised:
        arguments.parse(words)
    assert hint in raised.value.hint


@pytest.mark.parametrize(("path", "name"), [("/a/b", "b"), ("/a/b/", "b"), ("/a/b/.", ""), ("x", "x"), ("..", "")])
def test_names_of_copies(path: str, name: str) -> None:
    assert arguments.last_name(path) == name
