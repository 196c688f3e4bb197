"""Pages and their tokens."""

from __future__ import annotations

import pytest

from sm_ssh_entry.plane.api import AwsError, Request
from sm_ssh_entry.plane.paging import page


def ask(params: dict[str, object], operation: str = "List", region: str = "r") -> Request:
    return Request(operation, dict(params), region)


def test_pages_cover_the_listing() -> None:
    items, token = list(range(10, 33)), dict[str, object]()
    seen: list[int] = []
    sizes: list[int] = []
    while True:
        found, token = page(ask({"MaxResults": 5} | token), items, lambda item: item)
        seen += found
        sizes.append(len(found))
        if not token:
            break
    assert seen == items
    assert sizes == [5, 5, 5, 5, 3]


def test_the_last_full_page_has_no_token() -> None:
    assert page(ask({}), [1, 2], lambda item: item, default=2) == ([1, 2], {})
    assert page(ask({}), [], lambda item: item) == ([], {})


@pytest.mark.parametrize("token", ["", "x", "ä", "AAAA" * 20, "=" * 7, "\x00"])
def test_a_made_up_token_is_refused(token: str) -> None:
    if not token:
        assert page(ask({"NextToken": token}), [1], lambda item: item)[0] == [1]
        return
    with pytest.raises(AwsError) as raised:
        page(ask({"NextToken": token}), [1], lambda item: item)
    assert raised.value.code == "InvalidNextToken"


def test_a_token_of_another_operation_or_region_is_refused() -> None:
    _, token = page(ask({"MaxResults": 1}), [1, 2], lambda item: item)
    for other in (ask(token, operation="Other"), ask(token, region="s"), ask(token | {"Filter": "x"})):
        with pytest.raises(AwsError):
            page(other, [1, 2], lambda item: item)
