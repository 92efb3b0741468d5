"""No text of the user's can be read as a special token of any family."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.tasks.families import FORMATS
from cato_backend.tasks.fim import FimFormat, FimOrder, Part
from cato_backend.tasks.infill import ContextFile, render
from cato_backend.tasks.source_text import neutralized, special_tokens

TOKENS = sorted(special_tokens())
FRAGMENTS = sorted({token[at:] for token in TOKENS for at in range(len(token))} | {"a", "\n", " "})
hostile = st.lists(
    st.one_of(st.sampled_from(TOKENS), st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=12
).map("".join)
ANY_TOKEN = re.compile("|".join(re.escape(t) for t in sorted(TOKENS, key=len, reverse=True)))


@given(hostile)
def test_no_token_survives(text: str) -> None:
    assert not ANY_TOKEN.search(neutralized(text))


@given(hostile)
def test_neutralizing_twice_changes_nothing_more(text: str) -> None:
    assert neutralized(neutralized(text)) == neutralized(text)


@given(hostile)
def test_only_spaces_are_added(text: str) -> None:
    assert neutralized(text).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text", ["a < b | c > d", "x[0] << 1", "<|>", "List[int]", "<div>", "</p>"]
)
def test_ordinary_code_is_untouched(text: str) -> None:
    assert neutralized(text) == text


@given(
    known=st.sampled_from(FORMATS),
    prefix=hostile,
    suffix=hostile,
    path=hostile,
    context=hostile,
    order=st.sampled_from([None, *FimOrder]),
)
def test_a_prompt_holds_our_tokens_and_no_others(
    known: FimFormat, prefix: str, suffix: str, path: str, context: str, order: FimOrder | None
) -> None:
    file = ContextFile(path, context)
    hostile_prompt = render(known, prefix, suffix, (file,), order).text
    harmless_prompt = render(known, "p", "s", (ContextFile("f", "c"),), order).text
    assert ANY_TOKEN.findall(hostile_prompt) == ANY_TOKEN.findall(harmless_prompt)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_every_layout_holds_prefix_and_suffix_once(known: FimFormat) -> None:
    for _, layout in known.layouts:
        assert [piece for piece in layout if isinstance(piece, Part)].count(Part.PREFIX) == 1
        assert [piece for piece in layout if isinstance(piece, Part)].count(Part.SUFFIX) == 1
