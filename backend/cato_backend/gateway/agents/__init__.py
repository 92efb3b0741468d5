"""The APIs that coding agents speak: Anthropic's Messages and OpenAI's Responses."""
