"""The words that the container and the laptop share: variables, tags, paths, log lines. Stdlib only, no logic."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

# Environment of the container. The first six have meant the same in this field for years.
START_SSH = "START_SSH"
SSH_SSM_ROLE = "SSH_SSM_ROLE"
SSH_OWNER_TAG = "SSH_OWNER_TAG"
SSH_WAIT_TIME_SECONDS = "SSH_WAIT_TIME_SECONDS"
SSH_INSTANCE_COUNT = "SSH_INSTANCE_COUNT"
SSH_LOG_TO_STDOUT = "SSH_LOG_TO_STDOUT"
SSH_AUTHORIZED_KEYS = "SSH_AUTHORIZED_KEYS"
SSH_SESSION_ID = "SSH_SESSION_ID"
SSH_ON_ERROR = "SSH_ON_ERROR"
SSH_HOLD_ON_FAILURE_SECONDS = "SSH_HOLD_ON_FAILURE_SECONDS"
SSH_IDLE_TIMEOUT_SECONDS = "SSH_IDLE_TIMEOUT_SECONDS"
SSH_DEREGISTER_ON_EXIT = "SSH_DEREGISTER_ON_EXIT"
SSH_PORT = "SSH_PORT"

# For several containers on one host, and for machines without the official agent. Never set by SageMaker.
ROOT = "SM_SSH_ROOT"
AGENT = "SM_SSH_AGENT"
PYTHON = "SM_SSH_PYTHON"
MGS_ENDPOINT = "SM_SSH_MGS_ENDPOINT"
# Laptop: bytes of one stream message. The official peers use 1024; whether the real gateway takes more is unknown.
PAYLOAD_BYTES = "SM_SSH_PAYLOAD_BYTES"
LOCAL_DIR = "SM_SSH_LOCAL_DIR"
# Laptop: what a container of a submitted job may take of this machine, as the engine's options of these names say it.
LOCAL_MEMORY = "SM_SSH_LOCAL_MEMORY"
LOCAL_CPUS = "SM_SSH_LOCAL_CPUS"
LOCAL_SHM_SIZE = "SM_SSH_LOCAL_SHM_SIZE"
LOCAL_GPUS = "SM_SSH_LOCAL_GPUS"
# Laptop: the user's own key by its path; else the first of these below ~/.ssh, the second of which we have made.
KEY = "SSH_KEY"
USER_KEYS = ("id_ed25519", "sm-ssh/id_ed25519")
DEBUG = "SM_SSH_DEBUG"
# Where a script installs SSH when it runs: a folder of artifacts that came along, and PREFIX=URL words for mirrors.
ARTIFACTS = "SM_SSH_ARTIFACTS"
MIRRORS = "SM_SSH_MIRRORS"
# Name of the channel or processing input that brings such a folder.
ARTIFACTS_NAME = "sm-ssh-artifacts"

# Tags of the managed node. AWS allows 256 characters of letters, digits, space and _.:/=+-@ in a value.
TAG_OWNER = "SSHOwner"
TAG_CREATOR = "SSHCreator"
TAG_TIMESTAMP = "SSHTimestamp"
TAG_RESOURCE_NAME = "SSHResourceName"
TAG_RESOURCE_ARN = "SSHResourceArn"
TAG_RESOURCE_KIND = "SSHResourceKind"
TAG_SESSION_ID = "SSHSessionId"
TAG_NODE = "SSHNode"
TAG_HOST_KEY = "SSHHostKey"
TAG_KEY_FINGERPRINTS = "SSHKeyFingerprints"
TAG_PORT = "SSHPort"
TAG_VERSION = "SSHEntryVersion"
TAG_VALUE_MAX = 256
TAG_VALUE_PATTERN = r"[\w .:/=+\-@]*"

KINDS = ("training", "processing", "transform", "inference", "studio", "notebook", "hyperpod")
NAME_SUFFIX = ".sagemaker"

# Lines that people and tools look for.
LOG_PREFIX = "[sm-ssh]"
# What the steps of images/layers say when they fail, on a line of its own.
LAYER_LINE = "sm-ssh: "
LAYER_ERROR_PATTERN = r"sm-ssh: ERROR (?P<text>.*?)(?: \(hint: (?P<hint>.*)\))?$"
LINE_REGISTERED = "Successfully registered the instance with AWS SSM using Managed instance-id: {node_id}"

NODE_ID_PATTERN = r"mi-[0-9a-f]{17}"


class Paths(NamedTuple):
    """Every path of the container, below a root prefix.

    Args:
        root: prefix, ``""`` in a container; another folder where several nodes share one host.

    A named tuple, here and in what our long-lived processes import: dataclasses cost each of them 10 ms and 1.5 MB.
    """

    root: str = ""

    def _at(self, path: str) -> Path:
        return Path(self.root + path)

    @property
    def run(self) -> Path:
        """State that dies with the container: status, keys, environment, waiters. Mode 0700."""
        return self._at("/run/sm-ssh")

    @property
    def status(self) -> Path:
        """``status.json``: phase, node id, error, hint, times."""
        return self.run / "status.json"

    @property
    def environment(self) -> Path:
        """The job's environment, NUL-separated, mode 0600."""
        return self.run / "environment"

    @property
    def authorized_keys(self) -> Path:
        """Public keys that may log in."""
        return self.run / "authorized_keys"

    @property
    def waiters(self) -> Path:
        """One FIFO for each process that waits for ``sm-wait stop``."""
        return self.run / "waiters"

    @property
    def ssm_state(self) -> Path:
        """The agent's own state."""
        return self._at("/var/lib/amazon/ssm")

    @property
    def registration(self) -> Path:
        """Where the agent writes its node id. Protocol page, section 2.4."""
        return self.ssm_state / "registration"

    @property
    def agent_config(self) -> Path:
        """The agent's configuration file. Protocol page, section 5."""
        return self._at("/etc/amazon/ssm/amazon-ssm-agent.json")

    @property
    def ml(self) -> Path:
        """SageMaker's tree."""
        return self._at("/opt/ml")

    @property
    def failure(self) -> Path:
        """First 1024 characters become the training job's FailureReason."""
        return self.ml / "output" / "failure"

    @property
    def home(self) -> Path:
        """Our own folder: interpreter environment, scripts, sshd's configuration."""
        return self._at("/opt/sm-ssh")

    @property
    def bin(self) -> Path:
        """``sm-ssh-entry`` and ``sm-wait``."""
        return self.home / "bin"

    @property
    def entry(self) -> Path:
        """The program before the user's command."""
        return self.bin / "sm-ssh-entry"

    @property
    def compat(self) -> Path:
        """What a script of the user's may import: ``sm_ssh_entry.in_script``, also under its predecessor's name."""
        return self.home / "compat"


# Our entrypoint as a container's own path, whatever system this runs on.
ENTRY = Paths().entry.as_posix()
# What a submission puts before an entrypoint that replaces the image's. An image without our layer runs the job all the
# same, for a request does not tell what is in its image. One word has at most 256 characters (contract page, section
# 1.2). Behind -- stands a command, whatever its first word: `start` for one is also a word of our own.
ENTRY_PREFIX = (
    "/bin/sh",
    "-c",
    f'[ -x {ENTRY} ] && exec {ENTRY} -- "$@"; echo "[sm-ssh] WARNING this image lacks the sm-ssh layer: no SSH" >&2; '
    'exec "$@"',
    "sm-ssh",
)
