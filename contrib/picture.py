#!/usr/bin/env python3
"""Makes the pictures in assets/picture from the program itself.

Runs the console on demo data in tmux, presses keys, and turns what the terminal shows into SVG.

    cargo build --release
    contrib/picture.py target/release/paydeck
"""

import html
import pathlib
import subprocess
import sys
import tempfile
import time
import unicodedata

CELL_W, CELL_H, BASE = 8.4, 18, 13.5
BACK, FORE = "#12151c", "#d7dae0"
COLOURS = ["#2b303b", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4",
           "#5c6370", "#f08a92", "#b5d99c", "#f0d08f", "#82c4f8", "#d79be8", "#7fd0da", "#ffffff"]
SHOTS = [
    # name, columns, rows, keys, what must be on the screen before the picture is taken
    ("overview", 120, 40, [], "MRR"),
    ("failed", 120, 40, ["5"], "inv_"),
    ("small", 80, 24, ["5"], "inv_"),
]


def tmux(*words):
    return subprocess.run(["tmux", "-L", "paydeck-picture", *words], check=True, capture_output=True, text=True).stdout


def shown(until, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = tmux("capture-pane", "-p", "-t", "picture")
        if until in text:
            return
        time.sleep(0.2)
    raise SystemExit(f"{until!r} never appeared:\n{text}")


def colour(codes):
    if codes[:1] == ["5"] and len(codes) > 1:
        n = int(codes[1])
        if n < 16:
            return COLOURS[n], 2
        if n >= 232:
            grey = 8 + (n - 232) * 10
            return f"#{grey:02x}{grey:02x}{grey:02x}", 2
        levels = [0, 95, 135, 175, 215, 255]
        n -= 16
        return "#%02x%02x%02x" % (levels[n // 36], levels[n // 6 % 6], levels[n % 6]), 2
    if codes[:1] == ["2"] and len(codes) > 3:
        return "#%02x%02x%02x" % tuple(int(c) for c in codes[1:4]), 4
    return None, 1


class Style:
    def __init__(self):
        self.fore, self.back, self.bold, self.dim, self.reverse, self.line = None, None, False, False, False, False

    def apply(self, codes):
        i = 0
        while i < len(codes):
            code = int(codes[i] or 0)
            if code == 0:
                self.__init__()
            elif code == 1:
                self.bold = True
            elif code == 2:
                self.dim = True
            elif code == 4:
                self.line = True
            elif code == 7:
                self.reverse = True
            elif code == 22:
                self.bold = self.dim = False
            elif code == 24:
                self.line = False
            elif code == 27:
                self.reverse = False
            elif 30 <= code <= 37:
                self.fore = COLOURS[code - 30]
            elif 90 <= code <= 97:
                self.fore = COLOURS[code - 82]
            elif code == 39:
                self.fore = None
            elif 40 <= code <= 47:
                self.back = COLOURS[code - 40]
            elif 100 <= code <= 107:
                self.back = COLOURS[code - 92]
            elif code == 49:
                self.back = None
            elif code in (38, 48):
                value, used = colour(codes[i + 1:])
                if code == 38:
                    self.fore = value
                else:
                    self.back = value
                i += used
            i += 1

    def ink(self):
        fore, back = self.fore or FORE, self.back
        if self.reverse:
            fore, back = back or BACK, fore
        return fore, back


def width(ch):
    if unicodedata.combining(ch):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in "WF" else 1


def cells(line):
    style, column, i = Style(), 0, 0
    while i < len(line):
        if line[i] == "\x1b" and i + 1 < len(line) and line[i + 1] == "[":
            end = i + 2
            while end < len(line) and not line[end].isalpha():
                end += 1
            if end < len(line) and line[end] == "m":
                style.apply(line[i + 2:end].replace(":", ";").split(";"))
            i = end + 1
            continue
        wide = width(line[i])
        yield column, wide, line[i], style.ink(), style.bold, style.dim
        column += wide
        i += 1


def svg(text, columns, rows):
    wide, high = columns * CELL_W + 24, rows * CELL_H + 24
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
           f'viewBox="0 0 {wide:.0f} {high:.0f}" font-family="D2Coding, NanumGothicCoding, ui-monospace, monospace" '
           f'font-size="13.5"><rect width="100%" height="100%" rx="8" fill="{BACK}"/>']
    for row, line in enumerate(text.split("\n")[:rows]):
        y = 12 + row * CELL_H
        for column, wide, ch, (fore, back), bold, dim in cells(line):
            x = 12 + column * CELL_W
            if back:
                out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide * CELL_W + 0.3:.1f}" height="{CELL_H}" fill="{back}"/>')
            if ch.strip():
                weight = ' font-weight="bold"' if bold else ""
                faint = ' opacity="0.6"' if dim else ""
                out.append(f'<text x="{x:.1f}" y="{y + BASE:.1f}" textLength="{wide * CELL_W:.1f}" '
                           f'lengthAdjust="spacingAndGlyphs" fill="{fore}"{weight}{faint}>{html.escape(ch)}</text>')
    return "".join(out) + "</svg>\n"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    target = pathlib.Path(__file__).resolve().parent.parent / "assets" / "picture"
    target.mkdir(parents=True, exist_ok=True)
    lang = sys.argv[2] if len(sys.argv) > 2 else "ko"
    with tempfile.TemporaryDirectory() as place:
        for name, columns, rows, keys, until in SHOTS:
            command = f"env COLORTERM=truecolor LANG=C.UTF-8 {program} --lang {lang} demo --dir {place}/demo --seed 1"
            tmux("-f", "/dev/null", "new-session", "-d", "-s", "picture", "-x", str(columns), "-y", str(rows), command)
            try:
                shown("MRR" if not keys else "paydeck", 60)
                time.sleep(1.5)
                for key in keys:
                    tmux("send-keys", "-t", "picture", key)
                shown(until)
                time.sleep(1)
                text = tmux("capture-pane", "-e", "-p", "-t", "picture")
                (target / f"{name}.svg").write_text(svg(text, columns, rows), encoding="utf-8")
                tmux("send-keys", "-t", "picture", "q")
                time.sleep(1)
            finally:
                subprocess.run(["tmux", "-L", "paydeck-picture", "kill-server"], capture_output=True)


if __name__ == "__main__":
    main()
