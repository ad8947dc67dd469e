"""The text of an answer as it is read: Unicode in one form, and the marks of HTML, LaTeX and chat formats taken out."""

from __future__ import annotations

import html
import re
import unicodedata

_CONTROL = re.compile(r"<\|[\w ]{1,40}\|>|<(?:start|end)_of_turn>|</?s>|\[/?INST\]")
_BREAKING = re.compile(r"</?(?:p|div|br|li|ul|ol|tr|h[1-6]|blockquote|table)\b[^<>]{0,200}/?>", re.I)
_INLINE = re.compile(r"</?(?:b|i|u|em|strong|span|code|mark|font|small|td|th|sub|sup|a)\b[^<>]{0,200}/?>", re.I)
_LATEX = re.compile(
    r"\\(?:text|textbf|textit|textsc|texttt|mathrm|mathbf|mathsf|mathit|emph|underline|operatorname)\s*\{([^{}]*)\}"
)
_ESCAPED = re.compile(r"\\([_*#&%$\-])")


def normalized(text: str) -> str:
    """`text` in NFKC, without invisible characters; every blank is a space, and line ends are line feeds."""
    text = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return (
        "".join(" " if unicodedata.category(c) == "Zs" else c for c in text if unicodedata.category(c) != "Cf")
        .replace("\u2028", "\n")
        .replace("\u2029", "\n")
    )


def plain_text(text: str) -> str:
    """`text` without the tags of HTML, commands of LaTeX that only set type, and control tokens of chat formats."""
    text = _CONTROL.sub("\n", text)
    if "<" in text:
        text = _INLINE.sub("", _BREAKING.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    while True:
        bare = _LATEX.sub(r"\1", text)
        if bare == text:
            break
        text = bare
    return _ESCAPED.sub(r"\1", text)
