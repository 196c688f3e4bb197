"""The size report: what counts for the budget, and the page that is kept."""

from __future__ import annotations

import pytest

from sm_ssh_entry.images import sizes
from sm_ssh_entry.images.sizes import BUDGET, Layer, Weight

ABOUT = {"agent": {"source": "official", "version": "3.3.1"}}
LAYERS = (Layer(100_000_000, "imported"), Layer(80_000_000, "COPY /delta/ /"))


def weight(**parts: int) -> Weight:
    found = {"ours": 0, "interpreter": 0, "sshd": 0, "agent": 0, "aws-cli": 0, "total": 0, **parts}
    return Weight("mine/sm-ssh-base:debian-12", 180_000_000, LAYERS, {**ABOUT, "bytes": found})


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ({"ours": BUDGET}, True),
        ({"ours": BUDGET, "interpreter": 1}, False),
        ({"ours": BUDGET + 1}, False),
        # A distribution's sshd, AWS's own programs: their size is not ours to budget.
        ({"ours": 1, "sshd": 2 * BUDGET, "agent": 2 * BUDGET, "aws-cli": 2 * BUDGET}, True),
    ],
)
def test_budget_is_for_our_files_and_the_interpreter(parts: dict[str, int], kept: bool) -> None:
    found = weight(**parts)
    assert (found.excess == "") is kept
    assert kept or found.excess.startswith("mine/sm-ssh-base:debian-12: ours and interpreter take 60.0 MB")


def test_an_image_without_the_layer_has_no_budget_to_miss() -> None:
    found = Weight("plain:1", 5_000_000_000, (), None)
    assert (found.parts, found.counted, found.excess, found.agent) == ({}, 0, "", "no agent")


def test_page_names_the_agent_and_leaves_the_registry_out() -> None:
    text = sizes.page([weight(ours=11_800_000, interpreter=36_900_000, agent=1, sshd=9_500_000)], "mine/")
    assert "| `sm-ssh-base:debian-12` | official 3.3.1 | 180.0 | 11.8 | 36.9 | 9.5 | 0.0 | 0.0 | 48.7 |" in text
    assert "## sm-ssh-base:debian-12\n" in text
    assert "| 100.0 | `imported` |\n| 80.0 | `COPY /delta/ /` |" in text
    assert "mine/" not in text
