"""The colours of the style sheet: text and marks can be told from what is behind them, in light and dark."""

import re

import pytest

from common.web.html import ASSETS

ROOTS = re.findall(r":root ?\{(.*?)\}", ASSETS["page.css"].content.decode(), re.DOTALL)
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): ?(#\w+)", root)) for root in ROOTS[:2])
THEMES = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])

Colours = dict[str, str]


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@THEMES
@pytest.mark.parametrize("text", ["ink", "soft", "mark", "ahead", "behind", "wait"])
@pytest.mark.parametrize("ground", ["card", "paper"])
def test_text_has_a_contrast_of_at_least_5(colours: Colours, text: str, ground: str) -> None:
    assert contrast(colours[text], colours[ground]) >= 5


@THEMES
@pytest.mark.parametrize(
    ("text", "cell"), [("ink", "f0"), ("ink", "f1"), ("ink", "f2"), ("ink", "f3"), ("on-fill", "f4"), ("on-fill", "f5")]
)
def test_the_figure_of_a_filled_cell_has_a_contrast_of_at_least_4_5(colours: Colours, text: str, cell: str) -> None:
    assert contrast(colours[text], colours[cell]) >= 4.5


@THEMES
@pytest.mark.parametrize("mark", ["f4", "f5", "behind", "soft"])
def test_a_mark_has_a_contrast_of_at_least_3_with_the_card(colours: Colours, mark: str) -> None:
    assert contrast(colours[mark], colours["card"]) >= 3


def test_both_themes_name_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK)


@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_the_wall_has_the_colours_of_the_theme_that_its_address_names(theme: str, colours: Colours) -> None:
    sheet = ASSETS["wall.css"].content.decode()
    [block] = re.findall(rf"body\.{theme} ?\{{(.*?)\}}", sheet, re.DOTALL)
    own = dict(re.findall(r"--([\w-]+): ?(#\w+)", block))

    assert own == {name: colours[name] for name in own}
    assert len(own) > 5
