"""People sign in by an OpenID Connect provider, and their editors by a code that they confirm."""
