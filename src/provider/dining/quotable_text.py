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
    academy aero africa agency amsterdam app arpa art asia autos bar barcelona bayern beauty berlin best
    bet biz blog bond boston boutique brussels business bzh cafe camp capital cards care careers casa
    cash casino cat catering center chat church city claims cleaning click clinic clothing cloud club
    codes coffee cologne com community company consulting contact cool coop corsica cymru cyou date
    deals delivery dental design dev digital direct directory domains download dubai edu email energy
    engineering estate eus events exchange expert express family fans fashion finance financial fish fit
    fitness flights florist foo frl fun fund fyi gal gallery games gift gifts gives global gmbh gold
    golf goog google gov graphics group guide guru hair hamburg help helsinki holiday homes host hosting
    hotel house icu immo inc info ink institute insurance int investments irish istanbul jetzt jobs
    joburg kim koeln kyoto land lat law legal life limited link live llc loan loans lol london love ltd
    luxury madrid management market marketing media melbourne men menu miami mil mobi money monster
    moscow movie museum nagoya name net network new news ninja nrw nyc one online org osaka page paris
    partners parts party pay photo photos pics pictures pink pizza place plus poker post press pro promo
    properties pub quebec quest racing recipes red rent rentals repair report restaurant review reviews
    rio rocks ruhr run saarland sale salon school science scot services sex sexy shoes shop shopping
    show singles site skin social software solutions space stockholm store stream studio style supply
    support surf swiss sydney systems taipei tax team tech technology tel tickets tips tires tirol today
    tokyo tools top tours town toys trade trading training travel tube university vacations vegas
    ventures vet viajes video villas vin vip vision vlaanderen vodka vote voyage wales wang watch
    website wedding wien wiki win wine work works world wtf xxx xyz yoga yokohama youtube zip zone
    zuerich
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
_LINK = re.compile(rf"://|@|\bwww\.|\w[.。](?:xn--|(?:{'|'.join(_TOP_DOMAINS)})(?![\w-]))", re.IGNORECASE)
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
    """Return whether an email may greet the guest by a name, such as Zoë O’Neill, Smith & Sons, Jean (Bob) Doe Jr."""
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
    """Whether a text begins with a letter, or apostrophes and one, and has nothing but letters and what is in words."""
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
