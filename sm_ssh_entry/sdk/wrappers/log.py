"""Where people look when something is amiss: addresses of logs and records in the console; and nodes by a name."""

from __future__ import annotations

import logging

from sm_ssh_entry.sdk.wrappers import names, node_ids
from sm_ssh_entry.sdk.wrappers.account import Account
from sm_ssh_entry.sdk.wrappers.manager import SSMManagerBase
from sm_ssh_entry.sdk.wrappers.partition import AWS

# The console writes a slash of a log group's name as %252F with $ for %, and the question mark and = likewise.
_SLASH, _QUESTION, _EQUALS = "$252F", "$3F", "$3D"
_APP_TYPE = "JupyterLab"


class SSHLog(SSMManagerBase):
    """Addresses in the console, and the ids of nodes.

    The ids come from the nodes' tags, as ``SSMManager`` has them: nothing is searched for in logs.

    Args:
        region_name: region; None: the environment's.
        sleep_between_retries_in_seconds: kept for callers; ``sm-ssh wait`` has its own pace.
        redo_attempts: 0: only a job's first node is waited for.
    """

    logger = logging.getLogger("sagemaker-ssh-helper:SSHLog")

    def get_training_ssm_instance_ids(
        self, training_job_name: str, timeout_in_sec: int = 0, expected_count: int = 1
    ) -> list[str]:
        """Return the ids of a training job's nodes; see ``SSMManager.get_training_instance_ids``."""
        return self._of("training", training_job_name, timeout_in_sec, expected_count)

    def get_processing_ssm_instance_ids(self, processing_job_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of a processing job's nodes."""
        return self._of("processing", processing_job_name, timeout_in_sec)

    def get_endpoint_ssm_instance_ids(self, endpoint_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of an endpoint's containers."""
        return self._of("inference", endpoint_name, timeout_in_sec)

    def get_transformer_ssm_instance_ids(self, transform_job_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of a transform job's nodes."""
        return self._of("transform", transform_job_name, timeout_in_sec)

    def get_studio_kgw_ssm_instance_ids(self, kgw_name: str, timeout_in_sec: int = 0) -> list[str]:
        """Return the ids of Studio apps of a name."""
        return self._of("studio", kgw_name, timeout_in_sec)

    def get_training_cloudwatch_url(self, training_job_name: str) -> str:
        """Return the address of a training job's log."""
        return self._job_log("TrainingJobs", training_job_name)

    def get_processing_cloudwatch_url(self, processing_job_name: str) -> str:
        """Return the address of a processing job's log."""
        return self._job_log("ProcessingJobs", processing_job_name)

    def get_transform_cloudwatch_url(self, transform_job_name: str) -> str:
        """Return the address of a transform job's log."""
        return self._job_log("TransformJobs", transform_job_name)

    def get_endpoint_cloudwatch_url(self, endpoint_name: str) -> str:
        """Return the address of an endpoint's log."""
        return self._log_group("Endpoints", endpoint_name)

    def get_notebook_cloudwatch_url(self, notebook_name: str) -> str:
        """Return the address of a notebook instance's log."""
        return self._job_log("NotebookInstances", notebook_name)

    def get_ide_cloudwatch_url(self, domain: str, user: str, app_name: str) -> str:
        """Return the address of a Studio app's log.

        Args:
            domain: id of its domain.
            user: its user profile or space; ``""``: every app of that name.
            app_name: its own name.
        """
        words = [domain, user, _APP_TYPE, app_name] if user else [_APP_TYPE, app_name]
        return self._log_group("studio") + _filter(_SLASH.join(words))

    def get_training_metadata_url(self, training_job_name: str) -> str:
        """Return the address of a training job's record."""
        return self._console("sagemaker", f"/jobs/{training_job_name}")

    def get_processing_metadata_url(self, processing_job_name: str) -> str:
        """Return the address of a processing job's record."""
        return self._console("sagemaker", f"/processing-jobs/{processing_job_name}")

    def get_transform_metadata_url(self, transform_job_name: str) -> str:
        """Return the address of a transform job's record."""
        return self._console("sagemaker", f"/transform-jobs/{transform_job_name}")

    def get_endpoint_metadata_url(self, endpoint_name: str) -> str:
        """Return the address of an endpoint's record."""
        return self._console("sagemaker", f"/endpoints/{endpoint_name}")

    def get_endpoint_config_metadata_url(self, endpoint_config_name: str) -> str:
        """Return the address of an endpoint configuration's record."""
        return self._console("sagemaker", f"/endpointConfig/{endpoint_config_name}")

    def get_model_metadata_url(self, model_name: str) -> str:
        """Return the address of a model's record."""
        return self._console("sagemaker", f"/models/{model_name}")

    def get_notebook_metadata_url(self, notebook_name: str) -> str:
        """Return the address of a notebook instance's record."""
        return self._console("sagemaker", f"/notebook-instances/{notebook_name}")

    def get_ide_metadata_url(self, domain: str, user: str) -> str:
        """Return the address at which a user's JupyterLab is opened."""
        return f"https://studio-{domain}.studio.{self.region_name}.sagemaker.aws/jupyterlab/{user}"

    def _of(self, kind: str, name: str, timeout: int, expected: int = 1) -> list[str]:
        account = Account(region=self.region_name)
        return node_ids.awaited(account, names.host(kind, name), timeout=timeout, expected=self.limited(expected))

    def _job_log(self, group: str, name: str) -> str:
        return self._log_group(group) + _filter(f"{name}{_SLASH}")

    def _log_group(self, *words: str) -> str:
        group = _SLASH.join(["", "aws", "sagemaker", *words])
        return self._console("cloudwatch", f"logsV2:log-groups/log-group/{group}")

    def _console(self, service: str, rest: str) -> str:
        domain = AWS(self.region_name).get_console_domain()
        return f"https://{domain}/{service}/home?region={self.region_name}#{rest}"


def _filter(stream: str) -> str:
    return f"{_QUESTION}logStreamNameFilter{_EQUALS}{stream}"
