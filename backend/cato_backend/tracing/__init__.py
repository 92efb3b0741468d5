"""OpenTelemetry traces. Imported only where tracing is switched on, with the extra [otel]."""
