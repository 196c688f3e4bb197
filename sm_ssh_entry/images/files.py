"""Where the files of an image build lie: in the wheel, or in a checkout above the package."""

from __future__ import annotations

from pathlib import Path

DOCKERFILE = "Dockerfile.base"
WANTED = Path("images", "artifacts.toml")
# Where fetched artifacts lie unless the user says otherwise, below the folder that they work in.
ARTIFACTS = Path("images", "artifacts")


def source() -> Path:
    """Return the folder that a build takes for its context: it holds ``Dockerfile.base`` and ``images/``."""
    package = Path(__file__).resolve().parent.parent
    return next(folder for folder in (package / "image_files", package.parent) if (folder / WANTED).is_file())
