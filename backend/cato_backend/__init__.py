"""CATO's backend: the gateway, the scheduler and the fleet of vLLM replicas."""

__version__ = "0.2.0"
