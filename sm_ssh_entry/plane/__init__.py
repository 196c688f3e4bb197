"""The embedded local control plane: AWS APIs over moto, plus hybrid nodes, Run Command and Session Manager."""
