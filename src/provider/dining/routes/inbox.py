"""HTTP of the demo's inbox, as a page and as JSON. Installed in the demo only."""

import re

from quart import Blueprint, Response
from quart_schema import document_response, hide, tag

from common.web.html import Templates, content_security_policy, html_page
from common.web.openapi.document import operation
from common.web.resources import pool
from common.web.responses import json_response
from provider.dining.mail.demo_inbox import MAX_SHOWN_MAILS, DemoMail, select_mails

blueprint = Blueprint("dining_inbox", __name__)

TAG = "dining: inbox of the demo"

# Emails have style attributes; <style> elements and scripts stay forbidden.
INBOX_POLICY = content_security_policy(style_src_attr="'unsafe-inline'")

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
    """Show the emails as a mail program would, with working buttons."""
    mails = await select_mails(pool(), MAX_SHOWN_MAILS)
    return templates.page("inbox.html", policy=INBOX_POLICY, mails=mails, extract_body=extract_body)


def extract_body(html: str) -> str:
    """Return the content of the body element of an HTML email."""
    match = re.search(r"<body[^>]*>(.*)</body>", html, re.DOTALL | re.IGNORECASE)
    return match[1] if match else ""
