"""What clients see while replicas, other clients and operators disturb the gateway."""
