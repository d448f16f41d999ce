"""Shortened scripts in a browser: it understands each, and they give what their sources give."""

import pytest
from playwright.async_api import Browser

from common.web.html import ASSETS, shortened_script

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCRIPT = """
// Each kind of function, text and expression that scripts of pages have.
const found = [];
const later = async (x) => { await null; return (y) => x + y; };
const add = (x) => (y) => x + y, none = () => 0, both = (x, y) => { return x - y; };
function make(x) {
  return (y) => `${ x }  and ${y}; } // kept`;
}
found.push(add(1)(2), none(), both(7, 2), make("a")("b"));
found.push("a // b; }".replace(/ \\/\\/ /, "  "), [..."x1y22"].filter((c) => /[0-9]/.test(c)).join(""), 8 / 2 / 2);
let count = 0;
for (let at = 0; at < 3; at++) count += at;
do { count--; } while (count > 1);
if (count) { found.push(count); } else { found.push("none"); }
found.push(await (await later(3))(4));
return JSON.stringify(found);
"""


async def test_a_shortened_script_gives_what_its_source_gives(browser: Browser) -> None:
    page = await browser.new_page()
    run = "(script) => (async () => {}).constructor(script)()"
    source, sent = [await page.evaluate(run, script) for script in (SCRIPT, shortened_script(SCRIPT))]

    assert source == '[3,0,5,"a  and b; } // kept","a  b; }","122",2,1,7]'
    assert sent == source


async def test_a_browser_understands_every_script_that_is_sent(browser: Browser) -> None:
    page = await browser.new_page()
    for name, asset in ASSETS.items():
        if name.endswith(".js"):
            await page.evaluate("(script) => { new Function(script); }", asset.content.decode())
