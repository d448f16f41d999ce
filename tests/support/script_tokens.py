"""The tokens of a script, by which a test finds whether the script that is sent does what its source does.

As much of JavaScript as scripts of a page need: strings, templates within templates, and regular expressions.
"""

import re
from collections.abc import Sequence

SKIPPED = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
STRING = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'")
REGULAR_EXPRESSION = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*")
WORD = re.compile(r"[\w$]+|\.\d\w*")
SIGN = re.compile(
    r"=>|\.\.\.|>>>=|\*\*=|<<=|>>=|>>>|===|!==|&&=|\|\|=|\?\?=|\?\.(?!\d)|[-+*/%&|^<>=!]=|\+\+|--|&&|\|\||\?\?|\*\*"
    r"|<<|>>|[^\w\s\"'`]"
)
TEMPLATE_TEXT = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*", re.DOTALL)

BEFORE_EXPRESSIONS = {
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "void",
    "delete",
    "throw",
    "new",
    "else",
    "do",
    "yield",
    "await",
}
HEADS = {"for", "while", "if", "with"}


def tokens(script: str) -> list[str]:
    """All tokens in their order, without space and comments. Raises ValueError where the script is not understood."""
    found, end = _scan(script, 0)
    if end < len(script):
        raise ValueError(f"closes what is not open: {script[end : end + 60]}")
    return found


def _scan(script: str, at: int) -> tuple[list[str], int]:
    """The tokens from a position up to the bracket that closes what began before it, or up to the end; and where."""
    found: list[str] = []
    depth = 0
    while at < len(script):
        if skipped := SKIPPED.match(script, at):
            at = skipped.end()
        elif script[at] == "`":
            parts, at = _template(script, at)
            found += parts
        elif script[at] == "}" and not depth:
            break
        else:
            token = _token(script, at, found[-1] if found else "")
            depth += (token == "{") - (token == "}")
            found.append(token)
            at += len(token)
    return found, at


def _token(script: str, at: int, before: str) -> str:
    """The token at a position. before: the one before it, which tells a division from a regular expression."""
    if script[at] == "/" and _may_begin_expression(before):
        patterns: Sequence[re.Pattern[str]] = (REGULAR_EXPRESSION,)
    else:
        patterns = (STRING, WORD, SIGN)
    for pattern in patterns:
        if match := pattern.match(script, at):
            return match[0]
    raise ValueError(f"is not understood: {script[at : at + 60]}")


def _may_begin_expression(before: str) -> bool:
    if WORD.fullmatch(before):
        return before in BEFORE_EXPRESSIONS
    return before not in (")", "]", "}") and not before.endswith(("'", '"', "`", "/"))


def _template(script: str, at: int) -> tuple[list[str], int]:
    """The texts of a template and the tokens of its expressions, and where it ends."""
    found = ["`"]
    at += 1
    while True:
        text = TEMPLATE_TEXT.match(script, at)
        assert text is not None
        found.append(text[0])
        at = text.end()
        if script.startswith("`", at):
            return [*found, "`"], at + 1
        if not script.startswith("${", at):
            raise ValueError(f"does not end: {script[at - len(text[0]) :][:60]}")
        inner, at = _scan(script, at + 2)
        found += ["${", *inner, "}"]
        at += 1


def shortest(found: Sequence[str]) -> list[str]:
    """The tokens without those that change nothing: brackets around an only parameter, and a last semicolon.

    The brackets stay behind `async`, and the semicolon where it is the body of a loop or of a condition. A constant is
    the same as a variable.
    """
    kept: list[str] = []
    at = 0
    while at < len(found):
        if _is_only_parameter(found, at):
            kept.append(found[at + 1])
            at += 3
            continue
        if not (found[at] == ";" and found[at + 1 : at + 2] == ["}"] and not _is_body(found, at)):
            kept.append("let" if found[at] == "const" else found[at])
        at += 1
    return kept


def _is_only_parameter(found: Sequence[str], at: int) -> bool:
    is_one = found[at] == "(" and list(found[at + 2 : at + 4]) == [")", "=>"] and bool(WORD.fullmatch(found[at + 1]))
    return is_one and (at == 0 or found[at - 1] != "async")


def _is_body(found: Sequence[str], at: int) -> bool:
    """Whether the semicolon at a position is all that a loop or a condition does."""
    if found[at - 1] in ("else", "do"):
        return True
    if found[at - 1] != ")":
        return False
    depth, start = 1, at - 2
    while depth:
        depth += (found[start] == ")") - (found[start] == "(")
        start -= 1
    return found[start] in HEADS
