"""``SSHModelWrapper`` and ``SSHMultiModelWrapper``: endpoints of models, or by their names."""

from __future__ import annotations

from typing import Any

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.sdk.wrappers import submitted
from sm_ssh_entry.sdk.wrappers.base import SSHEnvironmentWrapper
from sm_ssh_entry.sdk.wrappers.detached import DetachedModel
from sm_ssh_entry.sdk.wrappers.records import Record

_WAIT = 600


class _EndpointWrapper(SSHEnvironmentWrapper):
    """What endpoints have in common.

    Args:
        model: model, model builder or multi-model, or a stand-in for an endpoint.
        ssm_iam_role: IAM role for the managed nodes, its path and name; ``""``: the model's.
        bootstrap_on_start: False: SSH is left off.
        connection_wait_time_seconds: how long a container waits for ``sm-wait stop`` before it serves.
    """

    kind = "inference"

    def __init__(
        self,
        model: Any,
        ssm_iam_role: str = "",
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
    ) -> None:
        session = getattr(model, "sagemaker_session", None)
        super().__init__(ssm_iam_role, bootstrap_on_start, connection_wait_time_seconds, session)
        self._target = model

    def resource_name(self) -> str:
        """Return the endpoint's name.

        Raises:
            BadInput: it is not deployed yet.
        """
        return submitted.name(self._target, "endpoint", "deploy()")

    def wait_for_endpoint(self) -> None:
        """Wait until the endpoint is in service.

        Raises:
            SmSshError: it has failed; the message says why.
        """
        self._record().wait(logs=False)

    def endpoint_is_online(self) -> bool:
        """Return whether the endpoint is in service."""
        return self._record().status() == "InService"

    def model_name(self) -> str:
        """Return the model's name.

        Raises:
            BadInput: it has none yet.
        """
        built = getattr(self._target, "built_model", None)
        name = getattr(built, "model_name", None) or getattr(self._target, "name", None)
        if not isinstance(name, str) or not name:
            raise BadInput(f"this {type(self._target).__name__} has no model yet", hint="deploy() or build() makes it")
        return name

    def get_cloudwatch_url(self) -> str:
        """Return the address of the endpoint's log in the console."""
        return self.ssh_log.get_endpoint_cloudwatch_url(self.resource_name())

    def get_metadata_url(self) -> str:
        """Return the address of the endpoint's record in the console."""
        return self.ssh_log.get_endpoint_metadata_url(self.resource_name())

    def get_config_metadata_url(self) -> str:
        """Return the address of the endpoint configuration's record: ``deploy()`` calls both the same."""
        return self.ssh_log.get_endpoint_config_metadata_url(self.resource_name())

    def get_model_metadata_url(self) -> str:
        """Return the address of the model's record in the console."""
        return self.ssh_log.get_model_metadata_url(self.model_name())

    def _record(self) -> Record:
        return Record(self.kind, self.resource_name(), self.account)


class SSHModelWrapper(_EndpointWrapper):
    """A model with SSH, and its endpoint. Arguments: model of SDK v2 or model builder; the rest as of the base."""

    def __init__(
        self,
        model: Any,
        ssm_iam_role: str = "",
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
    ) -> None:
        super().__init__(model, ssm_iam_role, bootstrap_on_start, connection_wait_time_seconds)
        self.model = model

    @classmethod
    def create(cls, model: Any, connection_wait_time_seconds: int = _WAIT) -> SSHModelWrapper:
        """Turn SSH on; call it before ``deploy()``, ``transformer()`` or a builder's ``build()``.

        Args:
            model: model of SDK v2, or model builder of either.
            connection_wait_time_seconds: how long a container waits before it serves. An endpoint must answer within
                8 minutes unless its variant says otherwise: 0 is best there.

        Raises:
            BadInput: it was deployed already, cannot have SSH, or a limit of the service is passed.
            SmSshError: STS could not say who the caller is.
        """
        made = cls(model, connection_wait_time_seconds=connection_wait_time_seconds)
        made._turn_on(model)
        return made

    @classmethod
    def attach(cls, endpoint_name: str, sagemaker_session: Any) -> SSHModelWrapper:
        """Return the wrapper for an endpoint that runs, whoever has deployed it; nothing is asked of AWS.

        Args:
            endpoint_name: its name.
            sagemaker_session: session of either SDK or of boto3; None: the environment's account.
        """
        return cls(DetachedModel(endpoint_name, sagemaker_session))


class SSHMultiModelWrapper(_EndpointWrapper):
    """A multi-model of SDK v2 with SSH, and its endpoint. Arguments: the multi-model; the rest as of the base."""

    def __init__(
        self,
        mdm: Any,
        ssm_iam_role: str = "",
        bootstrap_on_start: bool = True,
        connection_wait_time_seconds: int = _WAIT,
    ) -> None:
        super().__init__(mdm, ssm_iam_role, bootstrap_on_start, connection_wait_time_seconds)
        self.mdm = mdm
        self.model = getattr(mdm, "model", None)

    @classmethod
    def create(cls, mdm: Any, connection_wait_time_seconds: int = _WAIT) -> SSHMultiModelWrapper:
        """Turn SSH on; call it before ``deploy()``.

        Args:
            mdm: multi-model, with a model in it or with an image.
            connection_wait_time_seconds: how long a container waits before it serves; 0 is best.

        Raises:
            BadInput: it was deployed already, cannot have SSH, or a limit of the service is passed.
            SmSshError: STS could not say who the caller is.
        """
        made = cls(mdm, connection_wait_time_seconds=connection_wait_time_seconds)
        made._turn_on(mdm)
        return made
