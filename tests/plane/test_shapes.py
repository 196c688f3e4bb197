"""Shapes of the private operations: a model that botocore itself accepts, beside an untouched public one."""

from __future__ import annotations

from botocore.loaders import Loader
from botocore.model import ServiceModel

from sm_ssh_entry.plane import shapes


def test_the_public_model_is_extended_and_left_as_it_was() -> None:
    public = Loader().load_service_model("ssm", "service-2")
    before = len(public["operations"]), len(public["shapes"])
    extended = ServiceModel(shapes.extend(public), "ssm")
    assert (len(public["operations"]), len(public["shapes"])) == before
    private = set(extended.operation_names) - set(public["operations"])
    assert private == {
        "RegisterManagedInstance",
        "RequestManagedInstanceRoleToken",
        "UpdateManagedInstancePublicKey",
        "UpdateInstanceInformation",
        "ListInstanceAssociations",
        "UpdateInstanceAssociationStatus",
    }
    for name in private:
        shape = extended.operation_model(name).input_shape
        assert set(shape.required_members) <= set(shape.members)
        assert all(member.type_name in ("string", "integer") for member in shape.members.values())


def test_the_legacy_queue_has_a_model_of_its_own() -> None:
    model = ServiceModel(shapes.message_delivery(), "ec2messages")
    assert model.metadata["targetPrefix"] == "EC2WindowsMessageDeliveryService"
    assert "GetMessages" in model.operation_names


def test_what_is_secret_is_marked() -> None:
    model = ServiceModel(shapes.extend(Loader().load_service_model("ssm", "service-2")), "ssm")
    shape = model.operation_model("RegisterManagedInstance").input_shape
    assert shape.members["ActivationCode"].metadata["sensitive"]
