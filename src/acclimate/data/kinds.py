"""What logs call the things that users do, and which of our event types that is."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from acclimate.config import EVENT_TYPES
from acclimate.data.roles import MEANING, plain
from acclimate.errors import InputError, nearest
from acclimate.words import counted

if TYPE_CHECKING:
    import polars as pl

WORDS: dict[str, tuple[str, ...]] = {
    "view": (
        *(
            "views",
            "viewed",
            "view item",
            "product view",
            "page view",
            "page views",
            "pv",
            "visit",
            "visited",
        ),
        *("browse", "browsed", "detail", "details", "detail view", "item view"),
        *("浏览", "瀏覽", "查看", "访问", "详情", "閲覧"),
    ),
    "click": ("clicks", "clicked", "clk", "tap", "tapped", "点击", "點擊", "クリック"),
    "like": (
        *("likes", "liked", "fav", "favs", "favor", "favorite", "favourite", "favorited", "favourited"),
        *("add to favorites", "add to favourites", "wishlist", "add to wishlist", "thumbs up", "upvote"),
        *("收藏", "喜欢", "喜歡", "点赞", "點讚", "お気に入り", "いいね"),
    ),
    "add_to_cart": (
        *("cart", "add cart", "added to cart", "add to basket", "basket", "add to bag", "atc"),
        *("加购", "加購", "加购物车", "加入购物车", "加入購物車", "カートに入れる"),
    ),
    "purchase": (
        *("purchases", "purchased", "buy", "buys", "bought", "order", "orders", "ordered", "sale", "sold"),
        *("pay", "paid", "payment", "transaction"),
        *("购买", "購買", "下单", "下單", "支付", "付款", "成交", "購入"),
    ),
    "rating": ("ratings", "rate", "rated", "评分", "評分", "打分", "評価"),
    "dislike": (
        *("dislikes", "disliked", "hate", "thumbs down", "downvote", "not interested"),
        *("不喜欢", "不喜歡", "不感兴趣", "踩"),
    ),
    "impression": (
        *("impressions", "imp", "exposure", "exposed", "expose", "show", "shown", "display", "displayed"),
        *("曝光", "展示", "展现", "表示"),
    ),
    "search": ("searches", "searched", "搜索", "搜尋", "検索"),
}
"""Our event type -> words that are read as it without asking; case, spaces, ``_`` and ``-`` do not matter."""
OTHERS = (
    *("watch", "play", "listen", "read", "skip", "add", "remove", "remove from cart", "checkout", "unlike"),
    *("share", "comment", "follow", "save", "collect", "分享", "评论", "关注", "取消收藏"),
)
"""Words for what users do that mean different things in different places; whoever has them has to tell."""
UNKNOWN = "unknown event type"
"""Why a row whose type means nothing is not taken."""
_UNDONE = ("un", "remove", "cancel", "delete", "return", "refund", "取消", "移除", "删除", "退")
"""How words begin that say that something was taken back: they are never a slip for what it was."""
_NAMED = 5
_WORD = re.compile(r"[\w./@%+:,-]+")


def folded(word: str) -> str:
    """Return a word without what does not matter in the values of event types.

    Example:
        >>> folded(" Add-to_Cart "), folded("ADD TO CART"), folded("-1")
        ('addtocart', 'addtocart', '-1')
    """
    text = unicodedata.normalize("NFKC", word).strip().casefold()
    return re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", "", text)


_KNOWN = {folded(word): kind for kind, words in WORDS.items() for word in (kind, *words)}
_OURS = {folded(kind): kind for kind in EVENT_TYPES}
_SPOKEN = _KNOWN.keys() | {folded(word) for word in OTHERS}


def meaning_of(word: str) -> str | None:
    """Return our event type that a word of a log means; None if it is not known.

    Example:
        >>> meaning_of("PURCHASE"), meaning_of("加购"), meaning_of("watch")
        ('purchase', 'add_to_cart', None)
    """
    return _KNOWN.get(folded(word))


def is_spoken(word: str) -> bool:
    """Return whether a word says what a user did, be it clear what it means or not."""
    return folded(word) in _SPOKEN


def guess(word: str) -> str | None:
    """Return the event type that a word may be a slip for; None if it looks like none.

    Example:
        >>> guess("purchse"), guess("unlike"), guess("zzz")
        ('purchase', None, None)
    """
    slip = folded(word)
    if slip in _SPOKEN or slip.startswith(_UNDONE):
        return None
    close = difflib.get_close_matches(slip, list(_KNOWN), n=1, cutoff=0.75)
    return _KNOWN[close[0]] if close else None


def how_to_tell(words: Iterable[str]) -> str:
    """Return the options that tell what words mean, with ``TYPE`` where there is no guess.

    Example:
        >>> how_to_tell(["purchse", "open it"])
        '--map event_type.purchse=purchase --map "event_type.open it=TYPE"'
    """
    return " ".join(f"--map {option(f'event_type.{word}', guess(word) or 'TYPE')}" for word in words)


def option(key: str, value: str) -> str:
    """Return ``key=value`` as a shell takes it."""
    pair = f"{key}={value}"
    return pair if _WORD.fullmatch(pair.replace("=", "", 1)) else f'"{pair}"'


def types_listed() -> str:
    """Return the names of our event types, for a sentence."""
    return ", ".join(EVENT_TYPES)


def split_told(
    columns: Mapping[str, str | Sequence[str]] | None,
) -> tuple[dict[str, str | Sequence[str]], dict[str, str]]:
    """Return what a caller says of columns, and word -> event type of what they say of values.

    Args:
        columns: As of `acclimate.data.tables.read_tables`: ``{"event_type.购买": "purchase"}``.

    Raises:
        InputError: No such event type, or several for one word.

    Example:
        >>> split_told({"user": "uid", "event_type.Buy it": "purchase"})
        ({'user': 'uid'}, {'Buy it': 'purchase'})
    """
    others: dict[str, str | Sequence[str]] = {}
    told: dict[str, str] = {}
    for key, value in (columns or {}).items():
        name, point, word = key.partition(".")
        if not point or MEANING.get(plain(name)) != "event_type":
            others[key] = value
            continue
        kinds = list(dict.fromkeys([value] if isinstance(value, str) else value))
        if len(kinds) != 1:
            said = " and ".join(map(repr, kinds)) or "none"
            raise InputError(f"--map {key}: a value has one event type, got {said}", field="map")
        if (kind := _OURS.get(folded(kinds[0]))) is None:
            message = f"--map {key}={kinds[0]}: no event type {kinds[0]!r}: {nearest(kinds[0], EVENT_TYPES)}"
            raise InputError(message, code="unknown_event_type", field="map")
        told[word] = kind
    return others, told


class EventWords:
    """Reads the values of columns of event types, and remembers for a note what it made of them.

    Args:
        told: Word of the files -> our event type; goes before what we know.

    Raises:
        InputError: Two words that differ in case alone have different types.
    """

    def __init__(self, told: Mapping[str, str] | None = None) -> None:
        self._told: dict[str, str] = {}
        self._written: dict[str, str] = {}
        for word, kind in (told or {}).items():
            if self._told.setdefault(folded(word), kind) != kind:
                both = f"{self._written[folded(word)]!r} and {word!r}"
                raise InputError(f"--map event_type: {both} are one value, and have two types", field="map")
            self._written.setdefault(folded(word), word)
        self._seen = False
        self._used: set[str] = set()
        self._read: dict[str, list[str]] = {}
        self._unknown: Counter[str] = Counter()

    def read(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a table of interactions with our words in ``event_type``; what is not known stays."""
        if "event_type" not in frame.columns:
            return frame
        self._seen = True
        meanings: dict[str, str] = {}
        for word, count in sorted(frame["event_type"].drop_nulls().value_counts().rows()):
            key = folded(word)
            kind = self._told.get(key) or _KNOWN.get(key)
            if kind is None:
                self._unknown[word.strip()] += count
            elif kind != word:
                meanings[word] = kind
            self._used.add(key)
            if kind and key not in self._told and key not in _OURS:
                known = self._read.setdefault(kind, [])
                known += [word.strip()] if key not in map(folded, known) else []
        return frame.with_columns(frame["event_type"].replace(meanings)) if meanings else frame

    def check_used(self) -> None:
        """Raise InputError if values were told and no table has event types."""
        if self._told and not self._seen:
            word, kind = next((self._written[key], kind) for key, kind in self._told.items())
            raise InputError(
                f"--map event_type.{word}={kind}: no table has a column event_type; name it too: "
                "--map event_type=COLUMN",
                field="map",
            )

    def notes(self) -> list[str]:
        """Return what was read as what, which words are not known, and which told ones were in no row."""
        notes = []
        if self._read:
            read = [f"{_listed(self._read[kind])} as {kind}" for kind in EVENT_TYPES if kind in self._read]
            first = next(words[0] for kind in EVENT_TYPES if (words := self._read.get(kind)))
            notes.append(
                f"event types: {', '.join(read)}; to read one otherwise: --map "
                f"{option(f'event_type.{first}', 'TYPE')}"
            )
        if words := [word for word, _ in self._unknown.most_common() if word]:
            shown = ", ".join(_asked(word) for word in words[:_NAMED])
            more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
            n = counted(len(words), "event type is", "event types are")
            notes.append(
                f"{n} not known: {shown}{more}; to tell what a value means: {how_to_tell(words[:_NAMED])}; "
                f"event types are {types_listed()}"
            )
        if unused := [self._written[key] for key in self._told if key not in self._used]:
            notes.append(f"--map event_type names {_listed(unused)}, which no row has")
        return notes


def _asked(word: str) -> str:
    meant = guess(word)
    return f"{word[:30]!r} (did you mean {meant}?)" if meant else repr(word[:30])


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(map(repr, words[:-1])), repr(words[-1])]))
