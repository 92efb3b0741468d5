"""The replicas around the request's path: launching, placing, scaling, watching, measuring."""
