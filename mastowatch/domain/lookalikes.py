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
# Ornamental small capitals: nobody writes a word in them but to hide it, so they are folded even unmixed.
ORNAMENTAL = frozenset("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")
