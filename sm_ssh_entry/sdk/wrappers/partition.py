"""What differs between the partitions of AWS, as far as a wrapper shows it to people."""

from __future__ import annotations

import re

# https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html and the pages of the partitions on endpoints and ARNs.
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_CONSOLE = "console.aws.amazon.com"
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]+:role/\S+")


class AWS:
    """A region's console and endpoints.

    Args:
        region: region.
    """

    def __init__(self, region: str) -> None:
        self.region = region

    def get_console_domain(self) -> str:
        """Return the host of the region's console."""
        domain = next((one for prefix, one in _CONSOLES.items() if self.region.startswith(prefix)), _CONSOLE)
        return f"{self.region}.{domain}"

    def get_sts_endpoint(self) -> str:
        """Return the address of the region's own STS."""
        suffix = ".cn" if self.region.startswith("cn-") else ""
        return f"https://sts.{self.region}.amazonaws.com{suffix}"

    @staticmethod
    def is_arn(arn: str) -> re.Match[str] | None:
        """Return a match where a text is the ARN of an IAM role; None where not."""
        return _ROLE_ARN.fullmatch(arn)
