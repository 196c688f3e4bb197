"""Studio's spaces on the plane: which one a name means, and why there is no way in."""

from __future__ import annotations

from typing import Any

import pytest

from sm_ssh_entry.connect import names, places, studio
from sm_ssh_entry.connect.access import Access
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.nodes import Node
from sm_ssh_entry.errors import Ambiguous, ConnectionLost, NotFound, NotRegistered, SmSshError
from tests.connect import resources
from tests.connect.world import Fleet


@pytest.fixture
def sagemaker(access: Access) -> Any:
    return access.client("sagemaker")


def find(access: Access, name: str) -> Node:
    return studio.find(access, names.parse(f"{name}.studio.sagemaker"))


def refused(access: Access, name: str) -> SmSshError:
    with pytest.raises(SmSshError) as error:
        find(access, name)
    assert error.value.hint
    return error.value


@pytest.mark.parametrize("form", ["desk", "desk.{}", "default.desk", "default.desk.{}"])
def test_every_form_of_a_spaces_name(access: Access, sagemaker: Any, form: str) -> None:
    domain = resources.domain(sagemaker)
    for name in ("desk", "desk-2"):
        resources.space(sagemaker, domain, name)
    node = find(access, form.format(domain))
    assert studio.is_space(node.node_id)
    assert node.node_id.endswith(f":space/{domain}/desk")
    assert node.host == f"default.desk.{domain}.studio.sagemaker"
    assert node.registered is not None


def test_spaces_of_one_name_in_two_domains(access: Access, sagemaker: Any) -> None:
    domains = [resources.domain(sagemaker, name) for name in ("one", "two")]
    for domain in domains:
        resources.space(sagemaker, domain, "desk")
    error = refused(access, "desk")
    assert isinstance(error, Ambiguous)
    assert all(domain in error.message for domain in domains)
    assert find(access, f"desk.{domains[1]}").node_id.endswith(f":space/{domains[1]}/desk")


def test_why_there_is_no_way_into_a_space(access: Access, sagemaker: Any) -> None:
    domain = resources.domain(sagemaker)
    resources.space(sagemaker, domain, "closed", remote=False)
    resources.space(sagemaker, domain, "asleep", running=False)
    for name in ("nobody", f"nobody.{domain}", "nobody.d-nowhere"):
        assert isinstance(refused(access, name), NotFound)
    error = refused(access, "closed")
    assert isinstance(error, NotRegistered)
    assert "RemoteAccess=ENABLED" in error.hint
    assert refused(access, "asleep").message == f"no app runs in space asleep of domain {domain}"
    resources.space(sagemaker, domain, "desk")
    assert refused(access, f"other.desk.{domain}").message.startswith("no other runs in space desk")


def test_a_lost_app_is_said_to_be_lost(fleet: Fleet, access: Access, sagemaker: Any) -> None:
    domain = resources.domain(sagemaker)
    resources.space(sagemaker, domain, "desk", remote=False)
    name = names.parse("desk.studio.sagemaker")
    assert isinstance(_why(access, name), NotRegistered)
    fleet.add(f"default.desk.{domain}", "", kind="studio", online=False)
    assert isinstance(_why(access, name), ConnectionLost)


def _why(access: Access, name: Target) -> SmSshError:
    with pytest.raises(SmSshError) as error:
        places.find(access, name)
    return error.value
