"""The subcommands of `cato` that need editor knowledge."""
