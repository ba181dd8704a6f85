"""In which encoding a text table is written: what it says itself, UTF-8 if that fits, else by its letters."""

from __future__ import annotations

import codecs
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from acclimate.errors import InputError, nearest

MARK = "\ufdd0"
"""Stands for bytes that cannot be read; Unicode promises that it is no character."""
NEVER = "\x1f"
"""A character that plain files do not have, so that polars gives whole lines."""
_GUESSED = (
    *("gb18030", "big5hkscs", "cp932", "euc_jis_2004", "cp949", "cp1250", "cp1251", "cp1252", "cp1253"),
    *("cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "koi8-r", "koi8-u"),
)
"""What is told apart by letters."""
_LATIN, _NEAR = ("cp1250", "cp1254", "cp1257", "cp1258"), 0.8
"""Latin letters of other regions; how near cp1252 has to be to be taken, as it is by far the commonest."""
FAMILIAR = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "gbk", "big5", "shift_jis", "euc_jp", "euc_kr", "latin-1"),
    *("iso8859-15", "cp437", "cp850", "cp866", "mac-roman", *_GUESSED),
)
"""Names to propose; whatever else Python can read as text is taken too."""
_BOMS = {  # the longer ones first: that of UTF-32 begins as that of UTF-16 does
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHERS = {"JSON": re.compile(rb"\s*(\{|\[\s*[\[{])"), "Parquet": re.compile(rb"PAR1")}
"""Format that is no text table -> how a file of it begins."""
EXCEL = "an Excel file"
_ZIP, _PACKED = b"PK\x03\x04", ("a ZIP archive", "a gzip file")
_BINARY = {EXCEL: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _PACKED[1]: b"\x1f\x8b\x08"}
"""What a table may come in that is not text -> how it begins."""
_SAMPLE, _SHARE, _VOTES = 1 << 18, 20, 7
"""Bytes that are looked at, lines of a sample at least, and samples at most."""


def _marked(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError | UnicodeEncodeError)
    return MARK, error.end


codecs.register_error("acclimate.mark", _marked)


@dataclass(frozen=True)
class Text:
    """A text file whose encoding is known.

    Args:
        file: Where it is.
        encoding: Name of the codec; ``utf-8-sig`` for UTF-8 with and without a byte order mark.
        plain: Whether each of its lines is a row: no quotes, usual line ends.
        recoded: The content in UTF-8 if the file is not, with `MARK` for what cannot be read; else None.
        note: A sentence on the encoding, if it is not UTF-8.
    """

    file: Path
    encoding: str
    plain: bool
    recoded: bytes | None = None
    note: str | None = None

    def open(self) -> TextIO:
        """Return the text as a stream; line ends are kept."""
        if self.recoded is None:
            return self.file.open(encoding=self.encoding, newline="")
        return io.TextIOWrapper(io.BytesIO(self.recoded), "utf-8", newline="")

    @property
    def unreadable(self) -> str:
        """Why a row is not taken that has bytes which are no text."""
        return f"not readable as {self.encoding.removesuffix('-sig')}"


def check_encoding(name: str) -> str:
    """Return Python's name of an encoding.

    Raises:
        InputError: There is no such encoding of text; names the nearest.

    Example:
        >>> check_encoding("GBK"), check_encoding("utf8")
        ('gbk', 'utf-8-sig')
    """
    try:
        b"a".decode(name, "acclimate.mark")
        found = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise InputError(
            f"no encoding {name!r}: {nearest(name.lower(), FAMILIAR)}",
            code="unknown_encoding",
            field="encoding",
        ) from error
    return "utf-8-sig" if found == "utf-8" else found


def read_text(file: Path, encoding: str | None = None, *, usual: str | None = None) -> Text:
    """Find out how a text file is to be read.

    Args:
        file: A text table.
        encoding: Its encoding as the caller says; found out if None.
        usual: What such a file is written in if it is not UTF-8; guessed from its letters if None.

    Raises:
        InputError: It is empty, a spreadsheet, packed or not text, or there is no such encoding.
    """
    with file.open("rb") as stream:
        start = stream.read(1 << 10)
    _refuse_binary(file, start)
    asked = check_encoding(encoding) if encoding else None
    name = asked or next((name for bom, name in _BOMS.items() if start.startswith(bom)), None)
    why = "as asked" if asked else "as its first bytes say"
    if name in (None, "utf-8-sig"):
        valid, plain = _scan(file)
        if valid:
            return Text(file, "utf-8-sig", plain)
        if name is None:
            name = _mostly_utf8(file) or usual or _guess(file)
            why = "as its letters suggest; if they come out wrong, name another with --encoding"
    assert name is not None
    text = file.read_bytes().decode(name, "acclimate.mark").removeprefix("\ufeff")
    if "\0" in text:
        raise _not_text(file)
    if not text.strip():
        raise _empty(file)
    plain = not ({'"', NEVER} & set(text)) and text.count("\r") == text.count("\r\n")
    what = f"{file.name} is" if asked else f"{file.name} is not UTF-8:"
    note = None if name == "utf-8-sig" else f"{what} read as {name}, {why}"
    return Text(file, name, plain, text.encode("utf-8", "acclimate.mark"), note)


def _scan(file: Path) -> tuple[bool, bool]:
    """Return whether a file is UTF-8 throughout, and whether it is plain; InputError if it is not text."""
    decoder, valid, plain, blank = codecs.getincrementaldecoder("utf-8")(), True, True, True
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            if b"\0" in chunk:
                raise _not_text(file)
            plain = plain and b'"' not in chunk and NEVER.encode() not in chunk
            plain = plain and chunk.count(b"\r") == chunk.count(b"\r\n")
            blank = blank and not chunk.strip(b"\xef\xbb\xbf \t\r\n")
            valid = valid and _decodes(decoder, chunk)
    if blank:
        raise _empty(file)
    return valid and _decodes(decoder, b"", final=True), plain


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _lines_with_letters(file: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield each line that is not ASCII, and whether it is UTF-8."""
    with file.open("rb") as stream:
        for block in stream:
            for line in block.splitlines():
                if not line.isascii():
                    yield line, _decodes(codecs.getincrementaldecoder("utf-8")(), line, final=True)


def _mostly_utf8(file: Path) -> str | None:
    """Return UTF-8 if most lines with letters are: the others were cut or damaged, and will be dropped."""
    counts = Counter(good for _, good in _lines_with_letters(file))
    return "utf-8-sig" if counts[True] > counts[False] else None


def _guess(file: Path) -> str:
    """Return the encoding that the letters of a file suggest.

    The lines are dealt out to up to seven samples which vote, so that a few damaged ones do not decide.
    """
    lines, size = [], 0
    for line, _ in _lines_with_letters(file):
        lines.append(line)
        size += len(line)
        if size > _SAMPLE:
            break
    n = max(1, min(_VOTES, len(lines) // _SHARE))
    votes = Counter(_vote(b"\n".join(lines[i::n])) for i in range(n))
    return votes.most_common(1)[0][0]


def _vote(sample: bytes) -> str:
    """Return the likeliest encoding; in the West cp1252, unless another is clearly likelier."""
    from chardet import detect_all

    found = detect_all(sample, compat_names=False, include_encodings=_GUESSED, ignore_threshold=True)
    shares = {str(one["encoding"]): one["confidence"] for one in found}
    best = max(shares, key=lambda name: shares[name])
    near = best in _LATIN and shares.get("cp1252", 0) >= _NEAR * shares[best]
    return "cp1252" if near else best


def refuse_others(file: Path) -> None:
    """Raise InputError if a file is in another format than a text table, as its first bytes say."""
    with file.open("rb") as stream:
        start = stream.read(1 << 10).removeprefix(codecs.BOM_UTF8)
    for name, begins in _OTHERS.items():
        if begins.match(start):
            raise InputError(
                f"{file} is {name}, not a text table; leave out --format, or name the right one",
                code="another_format",
                field="format",
            )


def _refuse_binary(file: Path, start: bytes) -> None:
    """Raise InputError if a file is a spreadsheet or packed, as its first bytes say."""
    name = next((name for name, begin in _BINARY.items() if start.startswith(begin)), None)
    name = _zipped(file) if start.startswith(_ZIP) else name
    if name is not None:
        todo = "unpack it" if name in _PACKED else "save it as CSV (UTF-8)"
        raise InputError(
            f"{file} is {name}, not a text table: {todo}, and give that", code="another_format", field="path"
        )


def _zipped(file: Path) -> str:
    """Return what a ZIP archive is: programs for spreadsheets write them too."""
    try:
        with zipfile.ZipFile(file) as archive:
            inside = archive.namelist()
    except zipfile.BadZipFile:
        inside = []
    if file.suffix.lower() in (".xlsx", ".xlsm") or any(name.startswith("xl/") for name in inside):
        return EXCEL
    return "a spreadsheet of LibreOffice" if "content.xml" in inside else _PACKED[0]


def _not_text(file: Path) -> InputError:
    return InputError(
        f"{file} is not a text table: save it as CSV in UTF-8, or name its encoding "
        "with --encoding if it is text"
    )


def _empty(file: Path) -> InputError:
    return InputError(f"{file} is empty; a table needs a header line and rows", code="empty_file")
