"""The byte-level BPE tokenizer: training it, and its special tokens under Qwen's names."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"
FIM_PREFIX = "<|fim_prefix|>"
FIM_MIDDLE = "<|fim_middle|>"
FIM_SUFFIX = "<|fim_suffix|>"
SPECIALS = (
    END,
    "<|im_start|>",
    "<|im_end|>",
    FIM_PREFIX,
    FIM_MIDDLE,
    FIM_SUFFIX,
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)

# Qwen2's splitting rule without the English contractions: a letter run may carry one leading
# mark (so "_name" and ".join" are one piece), digits stand alone, line ends close a piece.
SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{{ '\\n' }}{% endfor %}"


def train_tokenizer(texts: Iterable[str], vocab: int) -> Tokenizer:
    """A tokenizer of exactly `vocab` entries, the special tokens being the first nine."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that must exist; raises KeyError where it does not."""
    number: int | None = tokenizer.token_to_id(token)
    if number is None:
        raise KeyError(token)
    return number


def tokenizer_config(context: int) -> dict[str, object]:
    """The content of `tokenizer_config.json`; `context` is in tokens."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "bos_token": None,
        "eos_token": END,
        "pad_token": END,
        "unk_token": None,
        "additional_special_tokens": list(SPECIALS[1:]),
        "chat_template": CHAT_TEMPLATE,
    }
