"""What a line of a web page says of itself: button, byline, tag list, start of a link list.

The phrases are those of news sites in general. A line that reads as a sentence is taken for
furniture only where its wording leaves no doubt.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

_CLOSERS = "\"'”’»)]}*_"
_FINAL = ".!?…:;,—–-"


def _phrases(text: str) -> str:
    """Phrases, one a line, as alternatives of a regular expression."""
    lines = (line.strip() for line in text.splitlines())
    return "|".join(line.replace(" ?", r"\s*").replace(" ", r"\s+") for line in lines if line)


_BUTTON = _phrases(r"""
    facebook
    twitter
    x
    instagram
    youtube
    linkedin
    whats ?app
    telegram
    reddit
    pinterest
    flipboard
    messenger
    e-?mail( us| this( article| story)?)?
    sms
    rss
    print( this| edition)?
    share( this)?( article| story| post| page)?
    share (on|via)( \w+){1,2}
    tweet
    copy( the)?( link| url)
    link copied!?
    save( article| story| for later)?
    bookmark
    gift( this)? article
    likes?
    reply
    follow( us)?
    listen( to (this )?article)?( \d+ min(ute)?s?)?
    play( video| audio)?
    pause
    watch( live| now)?
    next( article| story)?
    prev(ious)?( article| story)?
    close
    menu
    home( page)?
    search
    sections?
    log ?in
    log ?out
    sign ?in
    sign ?up( now)?
    register( now)?
    subscribe( now| today)?
    subscriptions?
    donate( now)?
    newsletters?
    notifications?
    my account
    e-?paper
    live tv
    live updates
    photos?
    videos?
    gallery
    podcasts?
    skip to( main)?( content| navigation)
    open in( the)? app
    get( the)? app
    download( the| our)? app
    view in( the)? app
    use( the)? app
    advertisements?
    ad
    ads by \w+
    sponsored( content| by .{1,40})?
    promoted( content)?
    paid( content| post)
    (article|story) continues (below|after)( this| the)?( ad(vertisement)?)?
    (advertisement )?scroll to continue( reading)?
    (read|show|load|see|view) (more|all|less)( \w+)?
    read (the )?full (story|article)
    continue reading
    expand( all)?
    click here( .{1,40})?
    back to( the)? (top|home)
    accept( all)?( cookies)?
    reject( all)?
    manage( cookies| preferences| consent)
    cookie (policy|settings|preferences)
    privacy( policy| notice| settings)?
    terms( of (use|service))?
    terms( and| &) conditions
    contact( us)?
    about( us)?
    advertise( with us)?
    careers
    help( centre| center)?
    faqs?
    site ?map
    do not sell my( personal)? information
    (leave|post|add|write) a (comment|reply)
    (\d+ )?comments?( \(\d+\))?
    no comments( yet)?
    view comments?( \(\d+\))?
    (change|text|font) size
    a\+|a-
""")
_ONE_BUTTON = re.compile(_BUTTON, re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s|·•,/›>»*]+")
_AFTER_BUTTONS = re.compile(r"[\s|·•›>»:]*")
#: Where a button may end, but for the end of the line; none has so many of these inside.
_BUTTON_END = re.compile(r"[\s|·•,/›>»*:]")
_MOST_INSIDE = 48


def _is_buttons(text: str) -> bool:
    """Whether a line is made of buttons.

    One pattern for it would try every way to divide a long menu, since buttons begin with others
    ("Share", "Share on X", "Share on X Email"). Here each place is looked at once.
    """
    starts, seen = [0], set()
    while starts:
        start = starts.pop()
        if start in seen or not _ONE_BUTTON.match(text, start):
            continue
        seen.add(start)
        for end in _button_ends(text, start):
            if _AFTER_BUTTONS.fullmatch(text, end):
                return True
            if separators := _SEPARATORS.match(text, end):
                starts.append(separators.end())
    return False


def _button_ends(text: str, start: int) -> Iterator[int]:
    found = itertools.islice(_BUTTON_END.finditer(text, start), _MOST_INSIDE)
    for end in (*(match.start() for match in found), len(text)):
        if _ONE_BUTTON.fullmatch(text, start, end):
            yield end


_LIST_HEADINGS = _phrases(r"""
    .{0,30} ?(related|realted)
    .{0,30} ?(related|realted)( [a-z]+)? (stories|story|articles?|news|content|topics?|posts?)
    .{0,30} ?related (reading|links?|coverage|videos?)
    (see|read|watch) also
    also (read|see|watch|on .{1,30})
    (read|see|learn) more( (about|on|from|in)\b.{0,40})?
    (must|don.t) (read|miss)s?
    more (from|on|in|about)\b.{1,40}
    more( top| latest)? (stories|news|headlines|coverage|articles|like this)
    (our )?(most|top)[ -](popular|read|viewed|shared|commented|watched|recent)( \w+)?( now| today)?
    (most )?popular( now| stories| articles| posts| today| in .{1,30})?
    (now )?trending( now| topics| stories| news| today)?
    recommended( for you| stories| reading| articles| by .{1,30})?
    recommendations
    you (may|might) (also )?(like|be interested in)( .{1,20})?
    (people|readers) also (read|viewed|liked)
    (the )?(top|latest|recent|other|more|breaking|popular)( \w+)? (stories|story|news|headlines)
    (the )?(top|latest|recent|other|more|popular)( \w+)? (articles|posts|updates|videos)
    in case you missed it
    (editor.?s.?|our|staff) (picks?|choice)
    what to (read|watch)( next)?
    (up|read|what.s) next
    (around|from|across) the (web|network)
    from our (partners|advertisers|sponsors|archives?)
    keep reading
    further reading
    on this (story|topic|page)
    elsewhere on .{1,30}
    in pictures
    in this (story|article)
""")
_LIST_HEADING = re.compile(rf"(?:{_LIST_HEADINGS})[\s:|›>»…]*", re.IGNORECASE)

_READER_COMMENTS = re.compile(
    r"(?:\d+ comments?|comments? \(\d+\)|(?:leave|post) a (?:comment|reply)"
    r"|join the (?:conversation|discussion)|view comments?|(?:reader )?comments)\s*:?",
    re.IGNORECASE,
)

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,20}\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = (
    rf"(?:{_MONTH}\s+{_DAY}(?:,?\s+\d{{4}})?|{_DAY}\s+{_MONTH}(?:,?\s+\d{{4}})?"
    r"|\d{1,4}[./-]\d{1,2}[./-]\d{1,4})"
)
_TIME = r"(?:\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s*[ap]\.?m\.?)?|\d{1,2}\s*[ap]\.?m\.?)"
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
_STAMP_START = re.compile(
    r"(?:(?:(?:last |first )?(?:updated|published|posted|modified|created)(?: on| at)?|date)"
    rf"\s*:?\s*)?(?:{_WEEKDAY},?\s+)?",
    re.IGNORECASE,
)
#: These take the most they can first, then less: "10.00-10" of a range that ends in "10.00".
_MOMENTS = (re.compile(_DATE, re.IGNORECASE), re.compile(_TIME, re.IGNORECASE))
_AFTER_MOMENTS = (*_MOMENTS, re.compile(r"\+\d{1,9}"))
_BETWEEN_MOMENTS = re.compile(
    r"[\s,|·•/:–—-]+|\bat\b|(?-i:[A-Z]{2,5})\b|updated|published", re.IGNORECASE
)


def _is_stamp(text: str) -> bool:
    """Whether a line is a date or a time, or several; each place is looked at once."""
    head = _STAMP_START.match(text)
    places, seen = [*_ends(_MOMENTS, text, head.end() if head else 0)], set()
    while places:
        place = places.pop()
        if place == len(text):
            return True
        if place not in seen:
            seen.add(place)
            between = _BETWEEN_MOMENTS.match(text, place)
            places += [*_ends(_AFTER_MOMENTS, text, place), *([between.end()] if between else [])]
    return False


def _ends(patterns: Iterable[re.Pattern[str]], text: str, start: int) -> Iterator[int]:
    """All places where matches may end."""
    for pattern in patterns:
        end = len(text)
        while found := pattern.match(text, start, end):
            yield found.end()
            end = found.end() - 1


_AGO = re.compile(
    r"(?:an?|\d+)[\s-]*(?:min(?:ute)?|hour|hr|day|week|month|year)s?\s*(?:ago|read)\b.{0,20}",
    re.IGNORECASE,
)
_NAME = r"[A-Z][\w.’'-]*"
_BYLINE = re.compile(
    rf"(?:By|BY|by|Written by|Reported by|Story by|Edited by|Reporting by)\s*:?\s+{_NAME}"
    rf"(?:[\s,&/]+(?:{_NAME}|and|in|for|with|of|the|de|van|von))*"
    r"(?:\s*[|,·•–—-]\s*.{0,80})?"
)
_UPDATED = re.compile(
    r".{0,80}\b(?:updated|published|posted)\b\s*(?:on|at)?\s*:?.{0,30}\d{4}.{0,25}", re.IGNORECASE
)

# A label and what it labels; those of the second pattern also begin sentences.
_LABELLED = re.compile(
    r"(?:tags?|filed under|keywords?|posted in|disclaimer|editor.?s note|correction policy"
    r"|(?:first|last) (?:published|updated)|(?:file )?(?:photo|image|picture)(?: credit| courtesy)?"
    r"|representational image|also read|read also|read more|see also|also see|also watch"
    r"|don.?t miss|must read)\s*[:|]\s*\S.*",
    re.IGNORECASE | re.DOTALL,
)
_LABELLED_LINE = re.compile(
    r"(?:topics?|categor(?:y|ies)|labels?|location|more on this|related|watch|video|caption)"
    r"\s*[:|]\s*\S.*",
    re.IGNORECASE | re.DOTALL,
)
_AGENCIES = "Reuters|Bloomberg|Xinhua|Interfax|Sputnik|Tass|Ukrinform|Kyodo|Anadolu"
_AGENCY = (
    rf"(?:[A-Z][A-Z&.-]+|{_AGENCIES}|(?:[A-Z][\w&-]*\s+){{1,3}}(?:Wire|News|Agency|Press|Service)"
    r"|[A-Z][\w&-]*(?:\s*/\s*[A-Z][\w&-]*){1,3})"
)
#: What stands in the brackets of an agency credit: "(AGENCY)", "(With inputs from AGENCY)".
AGENCY_CREDIT = rf"[(\[]\s*(?:[Ww]ith (?:\w+ )?inputs? from [^()\[\]]{{1,60}}|{_AGENCY})\s*[)\]]\.?"
_CREDIT = re.compile(
    rf"{AGENCY_CREDIT}|[Ww]ith (?:\w+ )?inputs? from \S+(?: \S+){{0,3}}\.?|— {_AGENCY}\.?"
)
_CAPTION = re.compile(
    r".{0,300}(?:\b(?:Getty Images|Shutterstock|iStock|Handout|File [Pp]hoto|via (?:AP|AFP))\)?"
    r"|\bCredit(?:\.\.\.|:)\s*[A-Z].{1,60}"
    r"|\b(?:REUTERS|AFP|EPA|AP [Pp]hoto)/[A-Z][\w. /-]{1,40})[\])]?\.?",
    re.DOTALL,
)
_NOTICES = _phrases(r"""
    (©|\(c\)|copyright\s*(©|\(c\)|\d{4}|by\b|reserved)).*
    .{0,120}\ball rights reserved\b.{0,80}
    (this|the) (post|article|story|report|item) (has been|was|is) auto-?\s?(generated|published).*
    (this|the) (post|article|story|report|item) (has been|was|is) (syndicated|published from) .*
    .{0,60}(except for the headline|barring the headline|not been (edited|reviewed) by) .*
    (this|our) (web)?site uses cookies.*
    we (and our partners )?use (essential )?cookies.*
    by (continuing|clicking|using|signing|subscribing).{0,80}\b(you|agree|accept|consent)\b.*
    (please )?enable javascript.*
    your browser (does not|doesn.t) support.*
    sign up (for|to)\b.{0,60}\b(newsletters?|alerts?|updates|briefing|inbox|e-?mails?)\b.{0,80}
    (sign|log) ?(up|in) (to|for) (read|continue|comment|access|free)\b.{0,80}
    subscribe (to|for)\b.{0,60}\b(newsletters?|channel|alerts?|updates|access|our|us)\b.{0,80}
    subscribe (now|today)\b.{0,80}
    already (a )?(subscriber|subscribed|have an account|registered|a member)\b.{0,60}
    (follow|like|join|find) us on\b.{0,100}
    (follow|join) (our|the) .{0,40}(channel|page|account)\b.{0,80}
    (download|get|install) (the|our) .{0,40}\bapp\b.{0,60}
    get (the |all the |our )?(latest|breaking|daily|top|best|day.s|news).{0,80}\binbox\b.{0,40}
    get (the |all the |our )?(latest|breaking|top|best).{0,80}\b(newsletter|app|alerts?)\b.{0,40}
    (you have|you.ve) .{0,40}\b(free )?(articles?|stories) (left|remaining)\b.{0,60}
    (support|help) (our|independent|quality) .{0,30}journalism\b.{0,80}
    (article|story|content) continues (below|after)\b.{0,60}
    (a|this) version of this (article|story) (appears|appeared|was|first) .*
    thank you for subscribing\b.{0,60}
    click here to\b.{0,80}
    (read|view|see) (the )?(full|original) (story|article|report) (here|on|at)\b.{0,60}
    (to read|for) more\b.{0,60}\b(click|visit|subscribe|download)\b.{0,60}
    (do you )?have (something to say|a (news )?(tip|story))\b.{0,80}
    (the )?views expressed (in this article |here |above )?(are|do) .{0,120}
""")
_NOTICE = re.compile(_NOTICES, re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"(?:[\w&'’ -]{2,25}\s*[›»>|]\s*){1,6}[\w&'’ .-]{2,60}[›»>]?")
_ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|@\w{2,30}|(?:#\w+[\s,]*){2,}", re.IGNORECASE
)
_SECTION = (
    "National|International|World|Politics|Business|Sports?|Entertainment|Technology|Tech|"
    "Lifestyle|Health|Opinion|Science|Culture|Economy|Local|City|Markets|Europe|Asia|Africa|"
    "Americas|Middle East|News|Breaking|Video|Live|Explained|Analysis|Education|Travel|Defen[cs]e"
)
_GLUED = re.compile(rf"(?:{_SECTION})(?=[A-Z0-9‘“\"'])\S.*", re.DOTALL)

#: What tells a whole paragraph -> why it is furniture, even where it reads as a sentence.
_ALWAYS: tuple[tuple[Callable[[str], object], str], ...] = (
    (_is_buttons, "button or menu"),
    (_CREDIT.fullmatch, "agency credit"),
    (_LABELLED.fullmatch, "tags, note, caption or link"),
    (_NOTICE.fullmatch, "notice of the site"),
    (_CAPTION.fullmatch, "picture caption"),
)
#: The same for paragraphs that do not end like a sentence.
_OPEN_ENDED: tuple[tuple[Callable[[str], object], str], ...] = (
    (_GLUED.fullmatch, "link with its section"),
    (_LABELLED_LINE.fullmatch, "tags, note, caption or link"),
    (_PATH.fullmatch, "path or address"),
    (_ADDRESS.fullmatch, "path or address"),
)


_BRACKETS_AT_END = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\.?\Z")
_BREAK_INSIDE = re.compile(r"[.!?][\"'”’)\]]*\s+[\"'“‘(\[]?[A-Z]")
#: Headings are shorter; a paragraph of this many words may have lost its end.
_LONG = 25


def ends_like_a_sentence(text: str) -> bool:
    """Whether a line ends with punctuation that ends or continues a sentence.

    A credit in brackets at the end does not count, nor does the end of a long paragraph that
    has sentences inside.
    """
    bare = (_BRACKETS_AT_END.sub("", text) or text).rstrip(_CLOSERS + " ")
    if bare and bare[-1] in _FINAL:
        return True
    return len(text.split()) >= _LONG and bool(_BREAK_INSIDE.search(text))


def starts_link_list(text: str) -> bool:
    """Whether a line is the heading of a list of links, such as "Related Stories"."""
    short = len(text.split()) <= 7 and text[-1:] not in ".?!"
    return short and bool(_LIST_HEADING.fullmatch(text))


def starts_reader_comments(text: str) -> bool:
    """Whether readers' comments begin below a line."""
    return bool(_READER_COMMENTS.fullmatch(text))


def is_byline(text: str) -> bool:
    """Whether a line names the author or the time of publication."""
    if ends_like_a_sentence(text) or len(text.split()) > 25:
        return False
    return bool(
        _BYLINE.fullmatch(text)
        or _UPDATED.fullmatch(text)
        or _AGO.fullmatch(text)
        or _is_stamp(text)
    )


def reason(text: str) -> str:
    """Why a line is page furniture whatever stands around it.

    Args:
        text: One paragraph.

    Returns:
        The reason, "" where the line says nothing of the kind.
    """
    if starts_link_list(text):
        return "heading of a link list"
    if is_byline(text):
        return "byline or date"
    kinds = _ALWAYS if ends_like_a_sentence(text) else _ALWAYS + _OPEN_ENDED
    return next((why for tells, why in kinds if tells(text)), "")


_BULLET = re.compile(r"(?:[•●▪◦‣*·–—-]|\d{1,2}[.)])\s")
_SPEAKER = re.compile(r"(?:Q|A|[A-Z][A-Z .'’-]{2,40}:|[A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*){0,4}:)\s")


def could_be_heading(text: str, most_words: int) -> bool:
    """Whether a line has the form of a heading or a link: short, open-ended, no list item."""
    return not (
        text[0].islower()
        or ends_like_a_sentence(text)
        or len(text.split()) > most_words
        or _BULLET.match(text)
        or _SPEAKER.match(text)
    )


def is_title_cased(text: str) -> bool:
    """Whether most longer words of a line start with a capital, as in menus and headlines."""
    words = [word for word in re.findall(r"[^\W\d_][\w'’-]*", text) if len(word) > 3]
    return bool(words) and sum(word[0].isupper() for word in words) >= 0.7 * len(words)
