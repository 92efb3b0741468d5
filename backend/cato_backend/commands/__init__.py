"""The subcommands of `cato`: one module each, with `SUMMARY`, `configure` and `run`."""
