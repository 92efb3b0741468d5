"""Operation of the replicas: launch, placement, scaling, health, measurement."""
