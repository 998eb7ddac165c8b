"""Letters of other scripts that look like Latin ones; chosen from Unicode's confusables (UTS #39).

Only letters that people can't tell apart at a glance, in their case-folded form. Full-width, mathematical and
circled letters need no entry: NFKC turns them into plain ones before this table is used.
"""

from __future__ import annotations

# Letters that Latin alphabets themselves use (ø, đ, ł, ı, ß, þ, µ) are left out: Danish is no disguise.
_PAIRS = {
    "a": "аɑαᴀɐ",
    "b": "ьʙɓбƅ",
    "c": "сϲᴄ",
    "d": "ԁɗᴅ",
    "e": "еєҽᴇ",
    "f": "ꜰ",
    "g": "ɡɢց",
    "h": "һнʜհ",
    "i": "іɩιɪӏ",
    "j": "јϳᴊ",
    "k": "κкᴋқ",
    "l": "ʟ",
    "m": "мᴍ",
    "n": "пոɴη",
    "o": "оοσօᴏө",
    "p": "рρᴘ",
    "q": "ԛզ",
    "r": "гʀɾ",
    "s": "ѕꜱʂ",
    "t": "тτᴛ",
    "u": "υսᴜ",
    "v": "νѵᴠ",
    "w": "ԝωᴡɯ",
    "x": "хχ",
    "y": "уүʏγ",
    "z": "ᴢʐ",
}
LATIN: dict[int, str] = {ord(odd): plain for plain, odds in _PAIRS.items() for odd in odds}
# The other way round: Latin letters put into Cyrillic words. No "i": Russian has none, and "ITшник" is no disguise.
CYRILLIC: dict[int, str] = {ord(plain): odd for plain, odd in zip("aceopxykmt", "асеорхукмт", strict=True)}
# Small capitals. Single ones are phonetic letters; a whole word of them is ornament.
ORNAMENTAL = frozenset("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")
# Letters that have no small capital, or are written plainly among them.
ORNAMENTAL_COMPANY = ORNAMENTAL | frozenset("qsxoɪ")
# Letters of another script, from Greek on; below U+0370 and in U+1D00 to U+1DBF stand phonetic letters.
FOREIGN = frozenset(chr(code) for code in LATIN if code >= 0x0370 and not 0x1D00 <= code <= 0x1DBF) - ORNAMENTAL
