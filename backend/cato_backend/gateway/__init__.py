"""The HTTP side: routes, authentication, validation, errors. Handlers adapt; they do not think."""
