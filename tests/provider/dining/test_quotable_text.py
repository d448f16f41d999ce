"""The notes and names that emails repeat as the guest typed them, and those that they do not."""

import pytest

from provider.dining.quotable_text import is_quotable
from tests.support.fake_smtp import FakeSmtp, body
from tests.support.restaurant import Restaurant

REPEATED = [
    "Window table, please.", "We arrive on 24.12.2026 at 18:00", "24.12. 18.30 Uhr", "18.30-20.30", "18:00–20:30",
    "from 24/12/2026 18:00 to 25/12/2026 01:00", "12/24/26 6:30 pm", "2026-12-24 18:00", "le 24-12-2026 à 19h30",
    "No nuts.Thanks", "2 adults, 3 kids (ages 3, 5, 7), 1 dog", "1, 2, 3, 4, 5, 6, 7, 8",
    "e.g. table 12", "Order no. 123456", "Allergies: nuts, fish; vegan", "<b>bold</b> & \"q\"",
    "Bday of J.R.R. Tolkien",
    "Wir kommen etwas später.Danke", "没有坚果。谢谢", "Line 1\nLine 2", "Costs 12.50 each?", "at 7.30, or 8.15",
]  # fmt: skip

LEFT_OUT = [
    "See http://evil.example", "evil.com", "Evil.COM/x", "visit evil.co.uk now", "evil.de.", "t.me/evil", "bit.ly",
    "a@b", "ann@example.com", "WWW.evil", "münchen.de", "пример.рф", "例子.中国", "例子。中国", "xn--e1afmkfd.xn--p1ai",
    "evil．com", "evil.xyz", "evil.app?x=1", "evil.shop:8080", "my-restaurant.sbs/pay", "(evil.buzz)", "evil.cfd!",
    "evil.bid", "evil.онлайн", "evil.公司", "evil.コム", "evil.भारत", "evil.rest\"", "evil.mom-", "evil.bank\\x",
    "evil.com#pay", "evil.com*", "evil.com=1", "evil.com&x", "evil.com~", "evil.com%20", "evil.com$", "evil.com—pay",
    "evil.com、", "evil.com“", "evil.com‘", "evil.com›", "evil.com☎", "evil.com\u200d", "evil.com\u200b", "evil.com_",
    "Call 030 1234567", "+49 30 123456", "0301234567", "(030) 123-4567", "030/1234567", "06.12.20.11.10",
    "06 12 20 11 10", "٠٣٠١٢٣٤٥٦٧", "０３０１２３４５６", "24.12.2026 0301234567", "555-123-4567", "030−1234567",
]  # fmt: skip


@pytest.mark.parametrize("text", REPEATED)
def test_an_ordinary_text_is_repeated(text: str) -> None:
    assert is_quotable(text)


@pytest.mark.parametrize("text", LEFT_OUT)
def test_a_text_with_something_to_click_is_left_out(text: str) -> None:
    assert not is_quotable(text)


async def test_an_email_repeats_the_whole_order(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await restaurant.book(
        await restaurant.add_table(),
        email="ann@example.com",
        name='Søren "Kierke" Gaard',
        notes="We arrive on 24.12.2026 at 18:00.Thanks",
    )
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert body(mail).startswith("Dear guest,")
    for part in (body(mail), body(mail, "html")):
        assert "Kierke" in part, "the order has the name, also one that is no greeting"
        assert "We arrive on 24.12.2026 at 18:00.Thanks" in part


async def test_an_email_does_not_repeat_a_link(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await restaurant.book(
        await restaurant.add_table(), email="ann@example.com", name="Win at evil.com", notes="Win at evil.com"
    )
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    for part in (body(mail), body(mail, "html")):
        assert "evil" not in part
        assert "as you wrote them to us" in part
