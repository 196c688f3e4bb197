"""SSH into Amazon SageMaker containers: entrypoint, laptop tool, images and a local control plane."""

__version__ = "0.1.0"
