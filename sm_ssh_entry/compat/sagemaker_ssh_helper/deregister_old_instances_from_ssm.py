"""``python -m sagemaker_ssh_helper.deregister_old_instances_from_ssm``: dead nodes removed by ``sm-ssh deregister``."""

from __future__ import annotations

import sys

from sm_ssh_entry import command


def main() -> int:
    """Run the command that does it now with the same options, and return its exit status."""
    old = ["-m", "sm_ssh_entry.cli.old_names", "sm-ssh-deregister-instances"]
    return command.spawn([sys.executable, *old, *sys.argv[1:]], stdin=None).wait()


if __name__ == "__main__":
    sys.exit(main())
