"""CATO beside the routers that people use, in front of the same emulated replicas."""
