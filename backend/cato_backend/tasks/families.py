"""Families of models that were trained to fill in the middle, and similar ones that were not.

Each entry says where its format is documented. The suffix-first layout stands first where a family
was trained equally for both orders: typing then only appends to the prompt, which keeps the
engine's prefix cache hitting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cato_backend.tasks.fim import ContextStyle, FimFormat, FimOrder, Layout, Part

_QWEN_STOP = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<|im_start|>",
    "<|im_end|>",
)


def _prefix_first(prefix: str, suffix: str, middle: str) -> tuple[FimOrder, Layout]:
    return FimOrder.PREFIX_FIRST, (prefix, Part.PREFIX, suffix, Part.SUFFIX, middle)


def _suffix_first(prefix: str, suffix: str, middle: str) -> tuple[FimOrder, Layout]:
    """Return the variant of arXiv 2207.14255 in which no marker follows the prefix."""
    return FimOrder.SUFFIX_FIRST, (prefix, suffix, Part.SUFFIX, middle, Part.PREFIX)


_QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_STARCODER = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")

EMBEDDED = FimFormat(
    name="cato-embedded",
    layouts=(_suffix_first(*_QWEN),),
    stop=_QWEN_STOP,
)
"""The model that ships with the package: Qwen's tokens, suffix first only, on single files."""

QWEN_CODER = FimFormat(
    name="qwen-coder",
    layouts=(_prefix_first(*_QWEN),),
    stop=_QWEN_STOP,
    context=ContextStyle.REPOSITORY,
    repository_token="<|repo_name|>",
    file_token="<|file_sep|>",
    identity=("<|repo_name|>", "<|file_sep|>"),
)
"""Qwen2.5-Coder: file-level and repository-level FIM in its README (QwenLM/Qwen3-Coder, branch of
2.5) and in arXiv 2409.12186; prefix first only."""

QWEN3_CODER = FimFormat(
    name="qwen3-coder",
    layouts=QWEN_CODER.layouts,
    stop=_QWEN_STOP,
    context=ContextStyle.REPOSITORY,
    repository_token="<|repo_name|>",
    file_token="<|file_sep|>",
    instruct=True,
)
"""Qwen3-Coder: the same prompt (README of QwenLM/Qwen3-Coder); every model of it takes chat."""

STARCODER2 = FimFormat(
    name="starcoder2",
    layouts=(_suffix_first(*_STARCODER), _prefix_first(*_STARCODER)),
    stop=("<|endoftext|>", "<file_sep>", "<repo_name>", *_STARCODER, "<fim_pad>"),
    context=ContextStyle.BARE_FILES,
    repository_token="<repo_name>",
    file_token="<file_sep>",
    identity=("<file_sep>",),
)
"""StarCoder2: repository context and FIM in arXiv 2402.19173, section 5; half of its FIM samples
are suffix first, in the layout of its predecessors (arXiv 2301.03988)."""

GRANITE_CODE = FimFormat(
    name="granite-code",
    layouts=(_suffix_first(*_STARCODER), _prefix_first(*_STARCODER)),
    stop=("<|endoftext|>", *_STARCODER, "<fim_pad>"),
)
"""Granite Code (3B to 34B): StarCoder's tokenizer, "both PSM and SPM" (arXiv 2405.04324)."""

GRANITE3 = FimFormat(
    name="granite3",
    layouts=(_prefix_first(*_STARCODER),),
    stop=("<|end_of_text|>", *_STARCODER, "<fim_pad>"),
    identity=("<|end_of_text|>",),
    instruct=True,
)
"""Granite 3.x: StarCoder's markers (tokenizer of granite-3.3-8b-base; ggml-org/llama.cpp#12988),
documented prefix first."""

GRANITE4 = FimFormat(
    name="granite4",
    layouts=(_prefix_first(*_QWEN),),
    stop=("<|end_of_text|>", *_QWEN, "<|fim_pad|>"),
    identity=("<|end_of_text|>",),
    instruct=True,
)
"""Granite 4: the markers in the spelling that Qwen also uses (its tokenizer), prefix first."""

CODEGEMMA = FimFormat(
    name="codegemma",
    layouts=(_prefix_first(*_QWEN),),
    stop=("<|file_separator|>", *_QWEN, "<eos>"),
    context=ContextStyle.BARE_FILES,
    file_token="<|file_separator|>",
    identity=("<|file_separator|>",),
)
"""CodeGemma: trained for both orders (arXiv 2406.11409), but only the prefix-first layout is
documented (ai.google.dev, "CodeGemma formatting"), so only that one is used. BOS is the
tokenizer's own doing."""

CODE_LLAMA = FimFormat(
    name="codellama",
    layouts=(
        (FimOrder.PREFIX_FIRST, ("▁<PRE>", " ", Part.PREFIX, "▁<SUF>", Part.SUFFIX, "▁<MID>")),
    ),
    stop=("▁<EOT>",),
)
"""Code Llama 7B, 13B and 70B: trained for both orders; its authors advise prefix first, because
suffix first splits tokens at the cursor (arXiv 2308.12950, appendix). Its tokens are spelled with
SentencePiece's low bar for the space before them (CodeLlamaTokenizer; ggml-org/llama.cpp#11850)."""

DEEPSEEK_CODER = FimFormat(
    name="deepseek-coder",
    layouts=(_prefix_first("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),),
    stop=("<｜end▁of▁sentence｜>", "<|EOT|>"),
)
"""DeepSeek-Coder V1 (README of deepseek-ai/DeepSeek-Coder; arXiv 2401.14196: prefix first, at a
rate of one half) and V2 (arXiv 2406.11931: prefix first). Other files precede the prefix under a
comment with their path, as in its repository-level pre-training. BOS is the tokenizer's doing."""

CODESTRAL = FimFormat(
    name="codestral",
    layouts=((FimOrder.SUFFIX_FIRST, ("[SUFFIX]", Part.SUFFIX, "[PREFIX]", Part.PREFIX)),),
    stop=("</s>", "[SUFFIX]", "[PREFIX]", "[MIDDLE]"),
    instruct=True,
)
"""Codestral 22B and later: suffix first, without a marker before the middle (`encode_fim` of
mistralai/mistral-common)."""

SEED_CODER = FimFormat(
    name="seed-coder",
    layouts=(
        (
            FimOrder.SUFFIX_FIRST,
            ("<[fim-suffix]>", Part.SUFFIX, "<[fim-prefix]>", Part.PREFIX, "<[fim-middle]>"),
        ),
    ),
    stop=("<[end▁of▁sentence]>", "<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"),
)
"""Seed-Coder: suffix first only (arXiv 2506.03524, section 2.2.4)."""


@dataclass(frozen=True, slots=True)
class NamedFamily:
    """Models whose name matches, and the formats to try for them.

    There are none, and a reason, where the models were not trained for it.
    """

    pattern: re.Pattern[str]
    formats: tuple[FimFormat, ...]
    reason: str = ""


def _family(pattern: str, *formats: FimFormat, reason: str = "") -> NamedFamily:
    return NamedFamily(re.compile(pattern), formats, reason)


_NO_INFILL = "its authors say that it was not trained to fill in the middle"

BY_NAME = (
    _family(r"cato[-_]?embedded", EMBEDDED),
    _family(r"code[-_]?llama.*(34b|python)", reason=_NO_INFILL),
    _family(r"mamba[-_]?codestral|codestral[-_]?mamba", reason=_NO_INFILL),
    _family(r"opencoder", reason=_NO_INFILL),
    _family(r"qwen[-_]?3[-_]?coder", QWEN3_CODER),
    _family(r"qwen[-_]?2\.?5[-_]?coder", QWEN_CODER),
    _family(r"star[-_]?coder[-_]?2", STARCODER2),
    _family(r"deepseek[-_]?coder", DEEPSEEK_CODER),
    _family(r"code[-_]?llama", CODE_LLAMA),
    _family(r"code[-_]?gemma", CODEGEMMA),
    _family(r"codestral", CODESTRAL),
    _family(r"granite.*code", GRANITE_CODE),
    _family(r"granite", GRANITE4, GRANITE3),
    _family(r"seed[-_]?coder", SEED_CODER),
)
"""Matched in this order against the lower-case last part of a model's name."""

FORMATS = (
    EMBEDDED,
    QWEN_CODER,
    QWEN3_CODER,
    STARCODER2,
    GRANITE_CODE,
    GRANITE3,
    GRANITE4,
    CODEGEMMA,
    CODE_LLAMA,
    DEEPSEEK_CODER,
    CODESTRAL,
    SEED_CODER,
)

BY_TOKENS = (
    QWEN_CODER,
    CODEGEMMA,
    GRANITE4,
    STARCODER2,
    GRANITE3,
    GRANITE_CODE,
    DEEPSEEK_CODER,
    SEED_CODER,
    CODESTRAL,
    CODE_LLAMA,
)
"""Tried in this order for a model of unknown name: those with more tokens of their own first."""
