"""How messages come in and go out: stdio, TCP, WebSocket. One server per connection."""
