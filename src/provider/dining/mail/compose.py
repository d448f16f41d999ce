"""Turns the content of an email into a message with a text and an HTML part."""

import hashlib
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlencode

from common.web.html import Templates
from provider.dining.mail.content import MailContent

templates = Templates("provider.dining")


def compose(content: MailContent, cancel_token: str | None) -> EmailMessage:
    """Return the message, always the same for the same arguments. cancel_token: None leaves out the button.

    Python's email package parses every header and refuses line breaks; the guest's name is not in any header.
    """
    link = None
    if content.cancel is not None and cancel_token is not None:
        link = f"{content.cancel.page}?{urlencode({'id': cancel_token})}"
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = content.sender
    message["To"] = content.recipient
    message["Subject"] = content.subject
    message["Date"] = format_datetime(content.date)
    message["Message-ID"] = content.message_id
    message["Auto-Submitted"] = "auto-generated"
    text = templates.render("mail.txt", content=content, link=link)
    html = templates.render("mail.html", content=content, link=link)
    # 7bit where possible, so that links are not split in the source of the email.
    cte = "7bit" if (text + html).isascii() else "quoted-printable"
    message.set_content(text, cte=cte)
    # The default boundary is random.
    message.make_alternative(boundary=hashlib.sha256(content.message_id.encode()).hexdigest()[:32])
    message.add_alternative(html, subtype="html", cte=cte)
    return message
