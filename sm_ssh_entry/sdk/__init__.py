"""What a submission script imports: SSH for SageMaker SDK v2 and v3 objects and for plain requests. It imports neither."""
