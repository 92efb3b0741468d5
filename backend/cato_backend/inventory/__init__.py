"""The GPUs that replicas can be placed on: found on this machine, or planned in a file.

gpus = detect_gpus() or read_gpus(Path("gpus.toml"))
seats = place([Need("models.0", least=1, most=2, memory=None, sleeps=False)], gpus)
seats[0][1].gpu, seats[0][1].held     # the GPU of the first model's second replica, and bytes
"""
