"""vLLM's error bodies."""

from __future__ import annotations

from typing import Any

from cato_backend.errors import CatoError


class VllmError(CatoError):
    """One of vLLM's refusals, with its status and body."""

    def __init__(
        self, message: str, *, status: int = 400, type: str = "BadRequestError", param: str | None
    ) -> None:
        super().__init__(message)
        self.status = status
        self._body = {"message": message, "type": type, "param": param, "code": status}

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body, which is also the data of an error event."""
        return {"error": self._body}


def invalid(message: str, param: str, value: object) -> VllmError:
    """Return a value that vLLM's own checks refuse.

    It repeats parameter and value in the message.
    """
    return VllmError(f"{message} (parameter={param}, value={value})", param=param)


def malformed(field: str, expected: str, got: object) -> VllmError:
    """Return a body that does not fit the schema."""
    message = (
        f"1 validation error:\n  {{'loc': 'body.{field}', 'msg': '{expected}', 'input': {got!r}}}"
    )
    return VllmError(message, type="Bad Request", param=f"body.{field}")


def unknown_model(model: object, served: str) -> VllmError:
    """Return vLLM's error for a model that is not served here."""
    message = f"The model `{model}` does not exist. Valid aliases: {served}."
    return VllmError(message, status=404, type="NotFoundError", param="model")


def too_long(tokens: int, limit: int) -> VllmError:
    """Return vLLM's error for a prompt that is longer than the model's context."""
    return invalid(
        f"This model's maximum context length is {limit} tokens. However, your prompt contains "
        f"{tokens} input tokens, which exceeds this limit even without any output tokens. "
        "Please reduce the length of the input prompt.",
        "input_tokens",
        tokens,
    )


def internal(status: int) -> VllmError:
    """Return the engine failed."""
    message = "EngineCore encountered an issue. See stack trace (above) for the root cause."
    return VllmError(message, status=status, type="InternalServerError", param=None)
