"""The transports of messages: stdio, TCP, WebSocket. One server per connection."""
