"""What produces each published number; run as `python -m bench.<name>`."""
