"""HTTP of the demo's inbox: the mails that were sent, for people and for programs. Not there outside the demo."""

import re

from quart import Blueprint, Response
from quart_schema import document_response, hide, tag

from common.web.html import Templates, content_security_policy
from common.web.openapi.document import operation
from common.web.resources import pool
from common.web.responses import json_response
from provider.dining.mail.demo_inbox import SHOWN, Mail, select_mails

blueprint = Blueprint("dining_inbox", __name__)

TAG = "dining: inbox of the demo"

# Mails have style attributes; <style> elements and scripts stay forbidden.
INBOX_POLICY = content_security_policy(style_src_attr="'unsafe-inline'")

templates = Templates("provider.dining")


@blueprint.get("/inbox.json")
@operation()
@tag([TAG])
@document_response(list[Mail])
async def inbox_json() -> Response:
    """The mails that the demo's SMTP catcher took in, newest first."""
    return json_response(await select_mails(pool(), SHOWN), headers={"Cache-Control": "no-store"})


@blueprint.get("/inbox")
@hide
async def inbox() -> Response:
    """The same for people: mails as they look, with buttons that work."""
    mails = await select_mails(pool(), SHOWN)
    return templates.page("inbox.html", policy=INBOX_POLICY, mails=mails, body_of=body_of)


def body_of(html: str) -> str:
    """What stands inside the body of an HTML mail."""
    match = re.search(r"<body[^>]*>(.*)</body>", html, re.DOTALL | re.IGNORECASE)
    return match[1] if match else ""
