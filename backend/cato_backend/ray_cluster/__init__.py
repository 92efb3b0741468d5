"""Replicas on the nodes of a Ray cluster.

The gateway speaks to a process of its own, the agent, which is the only one that speaks to Ray: a
head that dies takes the processes along that are connected to it. What runs on the nodes continues,
and the gateway reaches it over HTTP as before.
"""
