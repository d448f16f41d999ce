"""What emails may repeat of the names and notes that guests type.

Orders need no account, so the form could otherwise be used to send text or links to other people's addresses.
"""

import re
import unicodedata

import phonenumbers

MAX_GREETED_LENGTH = 80
MAX_GREETED_WORDS = 8

_APOSTROPHES = "'’‘ʼ‛′´`"
_IN_WORDS = frozenset(f"{_APOSTROPHES}-‐‑‒–־·•‧・･゠׳״፡་\u200c\u200d")
"""The characters of words beside letters and the marks on them, in the scripts that use them: O’Neill, Smith-Jones,
ジョン・スミス, Gal·la, ז׳בוטינסקי."""
_ORDINAL = re.compile(r"[1-9]?(?:1st|2nd|3rd|[0-9]th),?")

_GENERIC_DOMAINS = """
    com net org info biz name pro mobi tel asia cat jobs travel edu gov mil int arpa aero coop museum post xxx
    academy agency app art autos bar beauty best bet blog bond boutique business cafe camp capital care cards careers
    casa cash casino catering center chat church city claims cleaning click clinic clothing cloud club codes coffee
    company community consulting contact cool cyou date deals delivery dental design dev digital direct directory
    domains download email energy engineering estate events exchange expert express family fans fashion finance
    financial fish fit fitness flights florist fun fund fyi gallery games gift gifts gives global gmbh gold golf graphics
    group guide guru hair help holiday homes host hosting hotel house icu immo inc ink institute insurance investments
    jetzt kim land law legal life limited link live llc loan loans lol love ltd luxury management market marketing media
    men menu monster money movie network news ninja one online page partners parts party pay photo photos pics pictures
    pink pizza place plus poker press promo properties pub quest racing recipes red rent rentals repair report
    restaurant review reviews rocks run sale salon school science services sex sexy shoes shop shopping show singles site
    skin social software solutions space store stream studio style supply support surf systems tax team tech technology
    tickets tips tires today tools top tours town toys trade trading training tube university vacations ventures
    vet viajes video villas vin vip vision vodka vote voyage wang watch website wedding wiki win wine work works world
    wtf xyz yoga zip zone
    africa amsterdam barcelona berlin bayern boston brussels bzh cologne corsica cymru dubai eus frl gal hamburg
    helsinki istanbul irish joburg koeln kyoto lat london madrid melbourne miami moscow nagoya nrw nyc osaka paris quebec
    rio ruhr saarland scot stockholm swiss sydney taipei tirol tokyo vegas vlaanderen wales wien yokohama zuerich
    google youtube goog foo new
"""
_COUNTRY_DOMAINS_ELSEWHERE = "uk eu su aq gs hm tf pn bv"
"""Those that are not the codes of a region that has telephones."""
_COUNTRY_DOMAINS_IN_OTHER_SCRIPTS = """
    рф бел бг ею қаз мкд мон срб укр ελ ευ გე հայ ישראל
    ایران امارات البحرين الجزائر السعودية العراق المغرب اليمن الاردن پاکستان بھارت تونس سودان سورية عمان فلسطين قطر
    مصر مليسيا موريتانيا
    भारत भारतम् ভারত ভাৰত বাংলা ਭਾਰਤ ભારત ଭାରତ இந்தியா இலங்கை சிங்கப்பூர் భారత్ ಭಾರತ ഭാരതം ලංකා ไทย ລາວ
    中国 中國 台湾 台灣 香港 澳门 澳門 新加坡 한국
"""
_TOP_DOMAINS = sorted(
    {
        *_GENERIC_DOMAINS.split(),
        *_COUNTRY_DOMAINS_ELSEWHERE.split(),
        *_COUNTRY_DOMAINS_IN_OTHER_SCRIPTS.split(),
        *map(str.lower, phonenumbers.SUPPORTED_REGIONS),
    }
)
_LINK = re.compile(
    rf"://|@|\bwww\.|\w[.。](?:xn--|(?:{'|'.join(_TOP_DOMAINS)})(?![\w-]))", re.IGNORECASE
)
"""What mail programs turn into a link: addresses, and what ends in a known top-level domain."""

_DATE = re.compile(
    r"(?<![\d./-])(?:"
    r"(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|1[0-2])(?:\1(?:20)?\d\d|\.)?"  # 24.12.2026, 24.12., 24/12
    r"|(?:0?[1-9]|1[0-2])([/-])(?:0?[1-9]|[12]\d|3[01])(?:\2(?:20)?\d\d)?"  # 12/24/2026
    r"|20\d\d([./-])(?:0?[1-9]|1[0-2])\3(?:0?[1-9]|[12]\d|3[01])"  # 2026-12-24
    r")(?!\d|[./-]\d)"
)
_TIME = re.compile(r"(?<![\d.])(?:[01]?\d|2[0-4])[.:][0-5]\d(?!\d|\.\d)")
_PHONE = re.compile(r"\d(?:[\s().\-/‐-―−]{0,2}\d){6,}")
"""What mail programs turn into a number to call."""


def is_plausible_name(name: str | None) -> bool:
    """Return whether an email may greet the guest by this name, such as Zoë O’Neill, Smith & Sons, Jean (Bob) Doe Jr."""
    if name is None or len(name) > MAX_GREETED_LENGTH or name.count("(") != name.count(")"):
        return False
    words = name.split()
    return (
        1 <= len(words) <= MAX_GREETED_WORDS
        and is_word(words[0])
        and all(word == "&" or _ORDINAL.fullmatch(word) or is_word(word) for word in words)
    )


def is_word(word: str) -> bool:
    """Whether a word of a name consists of letters, or is a row of initials. Dots stand only behind initials and words.

    Brackets around it and a comma behind it are left out. It may be two words with a slash between them.
    """
    word = word.removesuffix(",").removeprefix("(").removesuffix(")")
    parts = word.removesuffix(".").split(".")
    letters = [character for character in word if is_letter(character)]
    if len(parts) > 1 and not (word.endswith(".") and len(letters) == len(parts)):
        return False
    return all(is_part_of_word(each) for part in parts for each in part.split("/"))


def is_part_of_word(part: str) -> bool:
    """Whether a text consists of letters and what belongs to words, and begins with a letter, or an apostrophe and it."""
    return is_letter(part.lstrip(_APOSTROPHES)[:1]) and all(
        is_letter(character) or unicodedata.category(character)[0] == "M" or character in _IN_WORDS
        for character in part
    )


def is_letter(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] == "L"


def is_quotable(text: str) -> bool:
    """Return whether an email may quote a guest's text: it holds nothing to click, neither a link nor a number to call.

    Dates and times are not numbers to call.
    """
    text = unicodedata.normalize("NFKC", text)
    return not _LINK.search(text) and not _PHONE.search(_TIME.sub(":", _DATE.sub(":", text)))
