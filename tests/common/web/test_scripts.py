"""Scripts are sent shortened, and do what their sources do."""

import pytest

from common.web.html import ASSETS, ASSETS_FOLDER, shortened_script
from tests.support.script_tokens import shortest, tokens


@pytest.mark.parametrize("name", sorted(name for name in ASSETS if name.endswith(".js")))
def test_a_script_is_sent_with_the_tokens_of_its_source(name: str) -> None:
    source, sent = (ASSETS_FOLDER / name).read_text(), ASSETS[name].content.decode()

    assert shortest(tokens(sent)) == shortest(tokens(source))
    assert len(sent) < len(source)


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("a = (x) => x + 1;", "a=x=>x+1;"),
        ("a = async (x) => x;", "a=async(x)=>x;"),
        ("function f() {\n  return (x) => x;\n}", "function f(){return(x)=>x}"),
        ("a = (x, y) => x; // both\nb = () => 1;", "a=(x,y)=>x;b=()=>1;"),
        ("a = `two  spaces ${ b } // and a slash`;", "a=`two  spaces ${ b } // and a slash`;"),
        ("a.replace(/  \\/\\/ [/;]/g, b);", "a.replace(/  \\/\\/ [/;]/g,b);"),
    ],
)
def test_what_is_left_out_of_a_script(source: str, sent: str) -> None:
    assert shortened_script(source) == sent
    assert shortest(tokens(sent)) == shortest(tokens(source))


@pytest.mark.parametrize(
    "source",
    [
        "function f() { while (next()) ; }",  # its body would be lost
        "function f() { if (a) b(); else ; }",
        "a = `${b ? `two  spaces // ${c}` : ''}  d`;",
        "a = (x) => /two  spaces/.test(x);",
        'a = "f((x)=>y)";',
        'a = "{b;}";',
    ],
)
def test_a_script_that_would_be_damaged_has_other_tokens(source: str) -> None:
    """So it would be found before it is sent."""
    try:
        found = tokens(shortened_script(source))
    except ValueError:
        return
    assert shortest(found) != shortest(tokens(source))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a / b / c", ["a", "/", "b", "/", "c"]),
        ("f(/[/]/u, (a) / 2)", ["f", "(", "/[/]/u", ",", "(", "a", ")", "/", "2", ")"]),
        ("return /x/", ["return", "/x/"]),
        ("'it\\'s' /* c */ + \"//\" // end", ["'it\\'s'", "+", '"//"']),
        ("`a${{b: `c`}}d`", ["`", "a", "${", "{", "b", ":", "`", "c", "`", "}", "}", "d", "`"]),
        ("a?.b ?? c ??= .5", ["a", "?.", "b", "??", "c", "??=", ".5"]),
    ],
)
def test_tokens(script: str, expected: list[str]) -> None:
    assert tokens(script) == expected


@pytest.mark.parametrize("script", ["`a", "'a", "a }", "f(/a"])
def test_a_script_that_does_not_end_is_not_understood(script: str) -> None:
    with pytest.raises(ValueError, match=r"does not end|not open|not understood"):
        tokens(script)
