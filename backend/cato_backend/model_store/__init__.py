"""Models that CATO fetches by name: their sources, and the folders that engines serve.

- `models.toml`: what is known of each: file, checksum, licence, sources
- `fetching`: a model from a hub or a package index, checked, converted, and put in place whole
- `fetch_steps`: the downloads and the conversion of a fetch
- `registry`: what `models.toml` says, and the models in the user's cache folder

Nothing here imports torch: the conversion runs in an engine's own environment.
"""
