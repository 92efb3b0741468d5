"""Replicas that others run: lists of them in files, in DNS and in Kubernetes."""
