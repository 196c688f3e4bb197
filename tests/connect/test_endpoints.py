"""Endpoints on the plane: from a name to session ids, by SageMaker's Describe calls alone."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import endpoints, names
from sm_ssh_entry.connect.endpoints import Endpoint
from sm_ssh_entry.errors import NotFound
from tests.connect import resources
from tests.connect.world import Laptop, counted


@pytest.fixture
def sagemaker(laptop: Laptop) -> Any:
    return aws.client("sagemaker", attempts=1)


def look_up(sagemaker: Any, name: str) -> Endpoint | None:
    return endpoints.look_up(sagemaker, names.parse(f"{name}.inference.sagemaker"))


def found(sagemaker: Any, name: str) -> Endpoint:
    endpoint = look_up(sagemaker, name)
    assert endpoint is not None
    return endpoint


def test_an_endpoint_takes_three_calls(sagemaker: Any) -> None:
    resources.endpoint(sagemaker, "e", [resources.variant("blue", resources.model(sagemaker, "m", "id-1"))])
    calls = counted(sagemaker)
    endpoint = found(sagemaker, "e")
    assert (endpoint.name, endpoint.session_ids, endpoint.variants, endpoint.instances) == (
        "e",
        ("id-1",),
        ("blue",),
        1,
    )
    assert calls == {"DescribeEndpoint": 1, "DescribeEndpointConfig": 1, "DescribeModel": 1}


def test_every_variant_counts_and_a_label_means_one(sagemaker: Any) -> None:
    both = [resources.variant(name, resources.model(sagemaker, name, f"id-{name}")) for name in ("blue", "green")]
    resources.endpoint(sagemaker, "e", both)
    assert found(sagemaker, "e").session_ids == ("id-blue", "id-green")
    calls = counted(sagemaker)
    assert found(sagemaker, "green.e").session_ids == ("id-green",)
    assert calls["DescribeModel"] == 1


def test_a_pipelines_containers_count(sagemaker: Any) -> None:
    resources.endpoint(sagemaker, "e", [resources.variant("v", resources.model(sagemaker, "m", "first", "", "third"))])
    assert found(sagemaker, "e").session_ids == ("first", "third")


def test_a_number_is_a_number_unless_a_variant_is_called_so(sagemaker: Any) -> None:
    one = resources.model(sagemaker, "one", "id-1")
    resources.endpoint(sagemaker, "e", [resources.variant("v", one)])
    assert (found(sagemaker, "2.e").number, found(sagemaker, "2.e").session_ids) == (2, ("id-1",))
    two = resources.model(sagemaker, "two", "id-2")
    resources.endpoint(sagemaker, "f", [resources.variant("v", one), resources.variant("2", two)])
    assert (found(sagemaker, "2.f").number, found(sagemaker, "2.f").session_ids) == (0, ("id-2",))


def test_variants_of_one_model_are_told(sagemaker: Any) -> None:
    model = resources.model(sagemaker, "m", "id")
    resources.endpoint(sagemaker, "e", [resources.variant("blue", model), resources.variant("green", model)])
    assert found(sagemaker, "blue.e").shared == ("green",)
    assert found(sagemaker, "e").shared == ()


def test_inference_components(sagemaker: Any) -> None:
    resources.endpoint(sagemaker, "e", [resources.variant("all")])
    resources.component(sagemaker, "of-model", "e", "all", ModelName=resources.model(sagemaker, "m", "id-model"))
    image = {"Image": resources.IMAGE, "Environment": {"SSH_SESSION_ID": "id-container"}}
    resources.component(sagemaker, "of-image", "e", "all", Container=image)
    assert found(sagemaker, "e").session_ids == ("id-container", "id-model")
    assert found(sagemaker, "of-model.e").session_ids == ("id-model",)
    by_itself = found(sagemaker, "of-image")
    assert (by_itself.name, by_itself.session_ids) == ("e", ("id-container",))


def test_a_component_of_another_endpoint_is_none_of_this(sagemaker: Any) -> None:
    for name in ("e", "f"):
        resources.endpoint(sagemaker, name, [resources.variant("all")])
    resources.component(sagemaker, "c", "f", "all", ModelName=resources.model(sagemaker, "m", "id"))
    with pytest.raises(NotFound, match="endpoint e has no variant, inference component or container c") as none:
        look_up(sagemaker, "c.e")
    assert none.value.hint.startswith("its variants: all;")


def test_nothing_of_that_name(sagemaker: Any) -> None:
    assert look_up(sagemaker, "e") is None
    assert look_up(sagemaker, "v.e") is None


def test_a_model_without_a_session_id_is_named(sagemaker: Any) -> None:
    resources.endpoint(sagemaker, "e", [resources.variant("v", resources.model(sagemaker, "plain"))])
    endpoint = found(sagemaker, "e")
    assert (endpoint.session_ids, endpoint.without) == ((), ("plain",))
    assert "plain has no SSH_SESSION_ID" in endpoint.lacking().message


def test_an_endpoint_that_is_not_in_service_says_that(sagemaker: Any) -> None:
    assert Endpoint("e", "Creating").lacking().message.startswith("endpoint e is Creating")


def test_a_configuration_that_is_gone(sagemaker: Any) -> None:
    resources.endpoint(sagemaker, "e", [resources.variant("v", resources.model(sagemaker, "m", "id"))])
    sagemaker.delete_endpoint_config(EndpointConfigName="e-config")
    with pytest.raises(NotFound, match="configuration of endpoint e is gone"):
        look_up(sagemaker, "e")
