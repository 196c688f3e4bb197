"""Packages under the names of SageMaker SSH Helper, for scripts that import them: docs/moving.md."""
