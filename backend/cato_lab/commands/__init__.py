"""The laboratory's subcommands of `cato`, and what they share."""
