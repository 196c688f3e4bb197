"""Who gets the next invocation, and what is known of instances that come and go."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sm_ssh_entry.plane.in_service import Endpoint, name_of


def told(name: str, variant: str = "blue") -> dict[str, Any]:
    container = {"label": "primary", "where": "127.0.0.1:1", "models": ""}
    return {"id": name, "variant": variant, "mode": "Single", "containers": [container]}


def weighted(**weights: float) -> list[dict[str, Any]]:
    return [{"VariantName": name, "CurrentWeight": weight} for name, weight in weights.items()]


def test_variants_are_picked_by_weight_and_only_those_with_instances() -> None:
    endpoint = Endpoint()
    endpoint.take(weighted(blue=3.0, green=1.0, red=5.0, off=0.0), [told("1"), told("2", "green"), told("3", "off")])
    picked = Counter(one.variant for one in (endpoint.pick() for _ in range(400)) if one)
    assert set(picked) == {"blue", "green"}
    assert picked["blue"] > picked["green"]
    # One of no weight is for those who name it.
    assert [getattr(endpoint.pick(name), "id", None) for name in ("off", "red")] == ["3", None]


def test_of_a_variant_the_least_busy_instance_is_picked() -> None:
    endpoint = Endpoint()
    endpoint.take(weighted(blue=1.0), [told("1"), told("2")])
    with endpoint.instances["1"].answering():
        assert {getattr(endpoint.pick(), "id", None) for _ in range(20)} == {"2"}
        second = endpoint.instances["2"]
        assert {getattr(endpoint.pick(tried=[second]), "id", None) for _ in range(20)} == {"1"}
    assert {getattr(endpoint.pick(), "id", None) for _ in range(50)} == {"1", "2"}


def test_an_instance_that_leaves_is_known_until_it_has_answered() -> None:
    endpoint = Endpoint()
    assert endpoint.take(weighted(blue=1.0), [told("1"), told("2")]) == []
    first = endpoint.instances["1"]
    with first.answering():
        assert endpoint.take(weighted(blue=1.0), [told("2"), told("3")]) == ["1"]
        assert set(endpoint.instances) == {"2", "3"}
        assert endpoint.take(weighted(blue=1.0), [told("2")]) == ["1"]
    assert endpoint.take(weighted(blue=1.0), [told("2")]) == []
    # What is known of one that stays is kept: its models for one.
    second = endpoint.instances["2"]
    endpoint.take(weighted(blue=1.0), [told("2")])
    assert endpoint.instances["2"] is second


def test_what_is_to_be_deleted_does_not_come_into_service_any_more() -> None:
    endpoint = Endpoint()
    endpoint.open()
    assert endpoint.in_service
    endpoint.close()
    endpoint.open()
    assert not endpoint.in_service


def test_a_models_name_tells_nothing_and_is_its_own() -> None:
    names = [name_of(target) for target in ("a.tar.gz", "../a.tar.gz", "b/a.tar.gz")]
    assert len(set(names)) == 3
    assert all(name.isalnum() and len(name) == 32 for name in names)
