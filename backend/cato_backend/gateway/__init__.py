"""The HTTP server: routes, authentication, validation, errors. Handlers hold no policy."""
