"""Splits a file of SQL into its statements."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    --[^\n]*                                   # a comment
    | /\*.*?\*/                                # a comment
    | '(?:[^']|'')*'                           # a text
    | "(?:[^"]|"")*"                           # a name
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$          # a text such as the body of a function
    | (?P<end>;)
    """,
    re.DOTALL | re.VERBOSE,
)


def split_statements(text: str) -> Iterator[str]:
    """Each statement, with the comments before it and without its semicolon.

    It knows what our migrations consist of: no nested comments, no texts with escapes, no BEGIN ATOMIC.
    """
    start = 0
    is_empty = True
    position = 0
    while (token := _TOKEN.search(text, position)) is not None:
        is_empty = is_empty and not text[position : token.start()].strip()
        if token["end"]:
            yield text[start : token.start()]
            start, is_empty = token.end(), True
        elif not token[0].startswith(("--", "/*")):
            is_empty = False
        position = token.end()
    if not is_empty or text[position:].strip():
        yield text[start:]
