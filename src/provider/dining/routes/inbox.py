"""HTTP of the demo's inbox, as a page and as JSON. Installed in the demo only."""

import re

from quart import Blueprint, Response
from quart_schema import document_response, hide, tag

from common.web.html import Templates, html_page
from common.web.openapi.document import operation
from common.web.resources import pool
from common.web.responses import json_response
from provider.dining.mail.demo_inbox import MAX_SHOWN_MAILS, DemoMail, select_mails

blueprint = Blueprint("dining_inbox", __name__)

TAG = "dining: inbox of the demo"

templates = Templates("provider.dining")


@blueprint.get("/inbox.json")
@operation()
@tag([TAG])
@document_response(list[DemoMail])
async def list_mails() -> Response:
    """List the emails that the demo's SMTP server received, newest first."""
    return json_response(await select_mails(pool(), MAX_SHOWN_MAILS), headers={"Cache-Control": "no-store"})


@blueprint.get("/inbox")
@html_page
@hide
async def inbox() -> Response:
    """Show the emails with working buttons, in the style of this page: its policy forbids styles of their own."""
    mails = await select_mails(pool(), MAX_SHOWN_MAILS)
    return templates.page("inbox.html", mails=mails, extract_body=extract_body)


def extract_body(html: str) -> str:
    """Return the content of the body element of one of our HTML emails, without its style attributes.

    Texts of guests are escaped in them, so what looks like an attribute is one.
    """
    match = re.search(r"<body[^>]*>(.*)</body>", html, re.DOTALL | re.IGNORECASE)
    return re.sub(r' (?:style|width|border|cellpadding|cellspacing|align)="[^"]*"', "", match[1]) if match else ""
