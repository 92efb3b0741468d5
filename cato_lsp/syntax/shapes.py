"""The node types of each grammar, by what they mean to CATO."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Shape:
    """One grammar's node types."""

    functions: frozenset[str]
    methods: frozenset[str]
    """Functions that are methods wherever they stand."""
    classes: frozenset[str]
    comments: frozenset[str]
    strings: frozenset[str]
    holes: frozenset[str] = frozenset()
    """Code inside of a string."""
    markup_holes: frozenset[str] = frozenset()
    """Code inside of the text of markup: it may have any number of lines."""
    wrappers: frozenset[str] = frozenset()
    """Parents that belong to the definition which they hold."""
    attributes: frozenset[str] = frozenset()
    """Siblings before a definition that belong to it, comments aside."""
    named_by: tuple[str, ...] = ("name",)
    """Fields that lead to the name, each tried on the node that the last one led to."""
    indented: bool = False
    """Whether blocks are told by indentation alone."""
    docstrings: bool = False
    ends_with_word: bool = False
    """Whether a body is closed by `end`, and absent where it is empty."""

    @property
    def all_holes(self) -> frozenset[str]:
        """Code inside of a string or of markup."""
        return self.holes | self.markup_holes


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


_PYTHON = Shape(
    functions=_types("function_definition"),
    methods=_types(""),
    classes=_types("class_definition"),
    comments=_types("comment"),
    strings=_types("string"),
    holes=_types("interpolation"),
    wrappers=_types("decorated_definition"),
    indented=True,
    docstrings=True,
)
_JAVASCRIPT = Shape(
    functions=_types(
        "function_declaration function_expression generator_function"
        " generator_function_declaration arrow_function"
    ),
    methods=_types("method_definition"),
    classes=_types("class_declaration abstract_class_declaration class interface_declaration"),
    comments=_types("comment html_comment"),
    strings=_types("string template_string regex jsx_text"),
    holes=_types("template_substitution"),
    markup_holes=_types("jsx_expression"),
    wrappers=_types(
        "export_statement lexical_declaration variable_declaration variable_declarator pair"
        " public_field_definition field_definition"
    ),
    attributes=_types("decorator"),
)
_JAVA = Shape(
    functions=_types("lambda_expression"),
    methods=_types("method_declaration constructor_declaration compact_constructor_declaration"),
    classes=_types("class_declaration interface_declaration enum_declaration record_declaration"),
    comments=_types("line_comment block_comment"),
    strings=_types("string_literal character_literal"),
    holes=_types("string_interpolation"),
)
_GO = Shape(
    functions=_types("function_declaration func_literal"),
    methods=_types("method_declaration"),
    classes=_types("type_spec"),
    comments=_types("comment"),
    strings=_types("interpreted_string_literal raw_string_literal rune_literal"),
    wrappers=_types("type_declaration"),
)
_RUST = Shape(
    functions=_types("function_item closure_expression"),
    methods=_types(""),
    classes=_types("impl_item trait_item struct_item enum_item"),
    comments=_types("line_comment block_comment"),
    strings=_types("string_literal raw_string_literal char_literal"),
    attributes=_types("attribute_item"),
    named_by=("name", "type"),
)
_C = Shape(
    functions=_types("function_definition lambda_expression"),
    methods=_types(""),
    classes=_types("class_specifier struct_specifier union_specifier enum_specifier"),
    comments=_types("comment"),
    strings=_types("string_literal char_literal raw_string_literal system_lib_string"),
    wrappers=_types("template_declaration"),
    named_by=("name", "declarator"),
)
_CSHARP = Shape(
    functions=_types("local_function_statement lambda_expression anonymous_method_expression"),
    methods=_types(
        "method_declaration constructor_declaration destructor_declaration"
        " operator_declaration accessor_declaration"
    ),
    classes=_types(
        "class_declaration struct_declaration interface_declaration record_declaration"
        " enum_declaration"
    ),
    comments=_types("comment"),
    strings=_types(
        "string_literal verbatim_string_literal raw_string_literal character_literal"
        " interpolated_string_expression"
    ),
    holes=_types("interpolation"),
)
_RUBY = Shape(
    functions=_types("method singleton_method lambda"),
    methods=_types(""),
    classes=_types("class module singleton_class"),
    comments=_types("comment"),
    strings=_types("string heredoc_body regex string_array symbol_array"),
    holes=_types("interpolation"),
    ends_with_word=True,
)
_PHP = Shape(
    functions=_types("function_definition anonymous_function arrow_function"),
    methods=_types("method_declaration"),
    classes=_types("class_declaration interface_declaration trait_declaration enum_declaration"),
    comments=_types("comment"),
    strings=_types("string encapsed_string heredoc nowdoc_string"),
)

_SHAPES = MappingProxyType(
    {
        "python": _PYTHON,
        "javascript": _JAVASCRIPT,
        "javascriptreact": _JAVASCRIPT,
        "typescript": _JAVASCRIPT,
        "typescriptreact": _JAVASCRIPT,
        "java": _JAVA,
        "go": _GO,
        "rust": _RUST,
        "c": _C,
        "cpp": _C,
        "csharp": _CSHARP,
        "ruby": _RUBY,
        "php": _PHP,
    }
)


def shape_of(language_id: str) -> Shape:
    """Return the shape of a language that has a grammar."""
    return _SHAPES[language_id]
