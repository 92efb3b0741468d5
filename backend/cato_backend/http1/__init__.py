"""The HTTP/1.1 client for requests to replicas.

It is our own because passing a token on is the gateway's hot path: over these connections one core
carries 1.8 times the requests that it carries over aiohttp's client (docs/decisions/010). It does
only what that path needs: kept connections with TCP user time-outs, one
request at a time on each, a response head and a body in chunks or of known length. It sends a
request again on a fresh connection when a kept one brought not a byte. It follows no
redirection, keeps no cookies and inflates nothing.
"""
