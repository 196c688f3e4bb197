"""A group by a table: what it shows, and when it imports."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sm_ssh_entry.cli.lazy import LazyGroup


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> click.Group:
    source = "import click\n@click.command()\ndef hello() -> None:\n    click.echo('hello')\n"
    (tmp_path / "lazily_imported.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lazily_imported", raising=False)
    table = {
        "second": ("no_such_module", "x", "Never imported."),
        "first": ("lazily_imported", "hello", "Says hello."),
    }
    return LazyGroup("group", table=table)


def test_help_keeps_the_tables_order_and_imports_nothing(group: click.Group) -> None:
    done = CliRunner().invoke(group, ["--help"])
    assert done.exit_code == 0
    assert done.output.index("Never imported.") < done.output.index("Says hello.")
    assert "lazily_imported" not in sys.modules


def test_a_command_is_imported_when_it_is_called(group: click.Group) -> None:
    assert CliRunner().invoke(group, ["first"]).output == "hello\n"
    assert "lazily_imported" in sys.modules


def test_a_name_that_is_not_in_the_table_is_a_usage_error(group: click.Group) -> None:
    done = CliRunner().invoke(group, ["third"])
    assert done.exit_code == 2
    assert "No such command" in done.output
