"""``python -m sm_ssh_entry.compat``: prints the folder to put on PYTHONPATH for scripts that import the older names."""

from __future__ import annotations

from pathlib import Path

if __name__ == "__main__":
    print(Path(__file__).resolve().parent)
