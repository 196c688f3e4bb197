"""Host names taken apart, under their older name."""

from __future__ import annotations

from sm_ssh_entry.sdk.wrappers.names import SageMakerSecureShellHelper

__all__ = ["SageMakerSecureShellHelper"]
