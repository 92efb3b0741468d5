"""Makes `profiles/<hardware>/<model>.json` from kernel tables and rooflines; docs/profiles.md."""
