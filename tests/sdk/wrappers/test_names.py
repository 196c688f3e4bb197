"""Host names taken apart by their older words."""

from __future__ import annotations

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.wrappers.names import KINDS, SageMakerSecureShellHelper


@pytest.mark.parametrize(
    ("fqdn", "kind", "name", "user", "domain"),
    [
        ("job.training.sagemaker", "training", "job", "", ""),
        ("training.sagemaker", "training", "", "", ""),
        ("default.me.d-1.studio.sagemaker", "ide", "default", "me", "d-1"),
        ("me.d-1.studio.sagemaker", "ide", "me", "me", "d-1"),
        ("studio.sagemaker", "ide", "", "", ""),
        ("one.notebook.sagemaker", "notebook", "one", "", ""),
        ("sagemaker", "all", "", "", ""),
        ("mytraining.sagemaker", "all", "", "", ""),
    ],
)
def test_a_name_has_a_kind_and_words_before_it(fqdn: str, kind: str, name: str, user: str, domain: str) -> None:
    helper = SageMakerSecureShellHelper
    found = helper.fqdn_to_type(fqdn), helper.fqdn_to_name(fqdn)
    assert found == (kind, name)
    assert (helper.fqdn_to_studio_user_name(fqdn), helper.fqdn_to_studio_domain_id(fqdn)) == (user, domain)


def test_kinds_have_their_ends() -> None:
    assert [SageMakerSecureShellHelper.type_to_fqdn(kind) for kind in KINDS][:2] == [
        "studio.sagemaker",
        "training.sagemaker",
    ]
    with pytest.raises(BadInput, match="'all' is not a kind"):
        SageMakerSecureShellHelper.type_to_fqdn("all")
