"""Which model answers, in words, and how to get a better one."""

from __future__ import annotations

from cato_lsp.backend.models import Model

_SMALL = 3_000_000_000
"""Parameters below which a larger code model suggests visibly better code."""
_LARGER = (
    "for better suggestions serve a larger code model (cato serve --model NAME), "
    "or set backend.url to a server that has one"
)
_TRAINED = "serve a model trained for fill-in-the-middle, such as Qwen2.5-Coder, with cato serve"


def described(title: str, parameters: int | None) -> str:
    """A model's name and size, such as `Qwen2.5-Coder-7B, 7B parameters`."""
    size = size_of(parameters)
    return f"{title}, {size} parameters" if size else title


def size_of(parameters: int | None) -> str:
    """Such as `7B`, `1.5B` or `5M`; empty while it is not known."""
    if parameters is None:
        return ""
    # From here on the millions would round to 1,000.
    if parameters >= 999_500_000:
        return f"{parameters / 1e9:.1f}".removesuffix(".0") + "B"
    return f"{max(round(parameters / 1e6), 1)}M"


def advice(model: Model) -> str:
    """How to get a better model; empty where there is nothing to say."""
    if not model.fills_in_the_middle:
        return f"the model does not see the code behind the cursor: {_TRAINED}"
    if model.parameters is not None and model.parameters < _SMALL:
        return f"the model is small: {_LARGER}"
    return ""
