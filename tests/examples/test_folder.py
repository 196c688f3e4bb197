"""What the folder of examples promises: each is described, complete and as the repository has it."""

from __future__ import annotations

import json
import re

import pytest

from tests.examples.user import EXAMPLES

FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if (path / "submit.py").is_file())
PAGE = EXAMPLES.parents[0] / "docs" / "examples.md"


@pytest.mark.parametrize("name", FOLDERS)
def test_an_example_is_on_both_pages_and_says_what_it_is(name: str) -> None:
    for page in (EXAMPLES / "README.md", PAGE):
        assert re.search(rf"\b{name}\b", page.read_text(encoding="utf-8")), f"{page.name} lacks {name}"
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert "python submit.py" in text
    script = (EXAMPLES / name / "submit.py").read_text(encoding="utf-8")
    assert "enable_ssh(" in script
    assert "sm-ssh connect" in script
    default = re.search(r'"IMAGE", "([^"]+)"', script)
    assert default, "no default image"
    assert default.group(1) in text


def test_the_notebook_is_stored_without_what_it_printed() -> None:
    book = json.loads((EXAMPLES / "quickstart.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
