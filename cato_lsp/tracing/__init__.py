"""OpenTelemetry traces from the person's key on; imported where the setting asks for them."""
