"""A real Kubernetes cluster for `make demo` and `make test`, with or without a registry.

Start reading at `cli.py`; one file answers one question. Standard library only: this code runs
before anything is installed.
"""
