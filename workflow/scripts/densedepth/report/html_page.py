"""A page of HTML that needs nothing but itself: the blocks of `markdown.Page`, pictures inside, scenes with a pointer.

Texts use the little Markdown of the report: headings, quotes, bold, emphasis, code, links.
"""

import base64
import html
import io
import os
import re

import numpy as np
import pandas

from ..errors import PipelineError
from ..evaluation import gallery

_STYLE = """
:root { color-scheme: light dark; --text: #1d2129; --soft: #5b6370; --line: #dfe3e8; --page: #fff; --edge: #0006;
  --panel: #f5f7f9; --link: #0b63b0; --mark: #fff4d1; --warn: #fff8ea; --warn-line: #e69f00; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --soft: #9aa3af; --line: #363c45; --page: #16191d;
  --edge: #fff5; --panel: #20242a; --link: #7cb8f0; --mark: #463c17; --warn: #2b2517; --warn-line: #b98200; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--text);
  background: var(--page); max-width: 1200px; margin: 0 auto; padding: 1.5rem 1.5rem 4rem; }
a { color: var(--link); }
h1, h2, h3 { line-height: 1.2; margin: 2.6rem 0 .7rem; text-wrap: balance; }
h1 { margin-top: .5rem; font-size: 2rem; } h3 { font-size: 1.08rem; margin-top: 1.8rem; }
h2 { font-size: 1.4rem; padding-top: .9rem; border-top: 1px solid var(--line); }
p { max-width: 62rem; margin: .7rem 0; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9rem; margin: 1rem 0; }
nav a { text-decoration: none; } nav a:hover { text-decoration: underline; }
.table { overflow-x: auto; margin: 1rem 0;
  background: linear-gradient(to right, var(--page) 30%, transparent) 0 0 / 2.5rem 100% no-repeat local,
    linear-gradient(to left, var(--page) 30%, transparent) 100% 0 / 2.5rem 100% no-repeat local,
    linear-gradient(to right, var(--edge), transparent) 0 0 / .9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--edge), transparent) 100% 0 / .9rem 100% no-repeat scroll; }
 table { border-collapse: collapse; font-size: .875rem; min-width: 40%; }
th, td { padding: .38rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--soft); }
tbody tr:hover { background: var(--panel); } tr.best, tr.best:hover { background: var(--mark); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { min-width: 9rem; }
code { font: .875em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; background: var(--panel);
  padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
blockquote { border-left: 4px solid var(--warn-line); margin: 1.2rem 0; padding: .7rem 1rem; background: var(--warn);
  max-width: 62rem; }
details { margin: 1rem 0; } summary { cursor: pointer; color: var(--link); }
figure { margin: 1.6rem 0; } figure > img { max-width: 100%; width: 860px; background: #fff; border-radius: 4px; }
figcaption { font-size: .9rem; color: var(--soft); margin: .3rem 0; }
.scene { background: var(--panel); padding: .8rem 1rem 1rem; border-radius: 8px; }
.scene figcaption { margin-top: 0; color: var(--text); font-weight: 600; }
.scene .maps { display: grid; grid-template-columns: repeat(4, 1fr); gap: .25rem .6rem; cursor: crosshair;
  touch-action: pan-y; }
.scene .map { position: relative; } .scene canvas, .scene .map img { width: 100%; display: block; border-radius: 3px; }
.scene .mark { position: absolute; width: 11px; height: 11px; margin: -7px 0 0 -7px; border: 2px solid #fff;
  outline: 1px solid #000; border-radius: 50%; display: none; pointer-events: none; }
.scene .title { font-size: .8rem; color: var(--soft); }
.scene .under { display: grid; grid-template-columns: 1fr 2fr 1fr; gap: .25rem .6rem; margin-top: .5rem;
  font-size: .85rem; align-items: start; }
.scene .read { font-variant-numeric: tabular-nums; min-height: 3.1em; }
.scale { display: grid; grid-template-columns: auto 1fr auto; gap: .5rem; align-items: center;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.scale i { height: .7rem; display: block; border-radius: 2px; }
@media (max-width: 700px) { body { padding: 1rem 1rem 3rem; } h1 { font-size: 1.6rem; }
  .scene .maps { grid-template-columns: repeat(2, 1fr); } .scene .under { grid-template-columns: 1fr; }
  .scene .read { min-height: 1.6em; } }
@media print { nav { display: none; } figure, table { break-inside: avoid; } }
"""

# Colours, the marks and the line below follow the pointer over any of the four maps of a scene.
_SCRIPT = """
(function () {
  function bytes(text) {
    var raw = atob(text), out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  function millimetres(text) {
    var b = bytes(text), out = new Uint16Array(b.length / 2);
    for (var i = 0; i < out.length; i++) out[i] = b[2 * i] + 256 * b[2 * i + 1];
    return out;
  }
  var colours = {};
  document.querySelectorAll('script[data-colours]').forEach(function (one) {
    colours[one.dataset.colours] = bytes(one.textContent.trim());
  });
  function paint(canvas, values, shown, near, far, table) {
    var context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
    for (var i = 0; i < values.length; i++) {
      var share = Math.min(1, Math.max(0, (values[i] - near) / (far - near)));
      var at = 3 * Math.min(255, Math.floor(256 * share));
      for (var c = 0; c < 3; c++) image.data[4 * i + c] = table[at + c];
      image.data[4 * i + 3] = shown[i];
    }
    context.putImageData(image, 0, 0);
  }
  document.querySelectorAll('.scene').forEach(function (scene) {
    var data = JSON.parse(scene.querySelector('script').textContent);
    var truth = millimetres(data.truth), prediction = millimetres(data.prediction);
    // A truth of 0 is not known: no colour there, and no error.
    var error = truth.map(function (value, i) { return Math.abs(value - prediction[i]); });
    var known = truth.map(function (value) { return value > 0 ? 255 : 0; });
    var all = known.map(function () { return 255; });
    var canvases = scene.querySelectorAll('canvas'), maps = scene.querySelectorAll('.map');
    paint(canvases[0], truth, known, data.near, data.far, colours.depth);
    paint(canvases[1], prediction, all, data.near, data.far, colours.depth);
    paint(canvases[2], error, known, 0, data.worst, colours.error);
    var read = scene.querySelector('.read'), resting = read.textContent;
    function metres(value) { return (value / 1000).toFixed(2) + ' m'; }
    maps.forEach(function (map) {
      function follow(event) {
        var box = map.getBoundingClientRect();
        var x = Math.floor((event.clientX - box.left) / box.width * data.width);
        var y = Math.floor((event.clientY - box.top) / box.height * data.height);
        if (x < 0 || y < 0 || x >= data.width || y >= data.height) return;
        var at = y * data.width + x;
        read.textContent = (known[at] ? 'truth ' + metres(truth[at]) : 'truth not known') +
          ', prediction ' + metres(prediction[at]) + (known[at] ? ', error ' + metres(error[at]) : '');
        maps.forEach(function (other) {
          var mark = other.querySelector('.mark');
          mark.style.display = 'block';
          mark.style.left = 100 * (x + 0.5) / data.width + '%';
          mark.style.top = 100 * (y + 0.5) / data.height + '%';
        });
      }
      map.addEventListener('pointermove', follow);
      map.addEventListener('pointerdown', follow);
    });
    scene.querySelector('.maps').addEventListener('pointerleave', function () {
      read.textContent = resting;
      scene.querySelectorAll('.mark').forEach(function (mark) { mark.style.display = 'none'; });
    });
  });
})();
"""

_RESTING = "Point at a map: depth in metres appears here."


class Page:
    """As `markdown.Page`, without links to other files."""

    def __init__(self, title):
        self._title = title
        self._blocks = []
        self._colours = {}
        self._parts = []

    def add(self, text, *values):
        """A block of Markdown; with `values`, put into `text` as by `str.format`."""
        text = text.format(*values) if values else text
        if text.startswith("## "):
            self._parts.append(text[3:])
        self._blocks.append(block(text))

    def add_table(self, rows, columns, numbers=()):
        """A table of `rows` (tuples); the columns named in `numbers` are set to the right."""
        self._blocks.append(table(pandas.DataFrame(rows, columns=list(columns), dtype=object), numbers))

    def add_folded(self, title, rows, columns):
        """A table behind a title to click on."""
        self.fold(title)
        self.add_table(rows, columns)
        self.end_fold()

    def fold(self, title):
        """What follows, until `end_fold`, is behind a title to click on."""
        self._blocks.append("<details><summary>{}</summary>".format(inline(title)))

    def end_fold(self):
        self._blocks.append("</details>")

    def add_picture(self, path, caption):
        """The picture, inside the page. Raises PipelineError when there is no such file."""
        if not os.path.isfile(path):
            raise PipelineError("{}: no such picture, though the report shows it".format(path))
        with open(path, "rb") as stream:
            source = "data:image/png;base64," + _text(stream.read())
        self._blocks.append(
            '<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>'.format(
                source, html.escape(caption), inline(caption)
            )
        )

    def add_scene(self, picture, data, caption):
        """Input, truth, prediction and error from the file `data` (see `gallery`); depths show under the pointer."""
        scene = gallery.read(data)
        height, width = scene.truth.shape
        content = (
            '{{"width": {}, "height": {}, "near": {}, "far": {}, "worst": {}, "truth": "{}", "prediction": "{}"}}'
        ).format(
            *(width, height, scene.near, scene.far, scene.worst),
            *(_text(one.astype("<u2").tobytes()) for one in (scene.truth, scene.prediction)),
        )
        canvas = '<canvas width="{}" height="{}"></canvas>'.format(width, height)
        maps = ['<img src="data:image/jpeg;base64,{}" alt="input">'.format(_text(_jpeg(scene.rgb)))] + [canvas] * 3
        titles = ("input", "true depth", "predicted depth", "absolute error")
        shown = "".join(
            '<div><div class="title">{}</div><div class="map">{}<i class="mark"></i></div></div>'.format(title, one)
            for title, one in zip(titles, maps)
        )
        error = np.abs(scene.truth.astype(int) - scene.prediction)[scene.truth > 0]
        scales = _scale("depth", scene.near, scene.far, scene.depth_colours, scene.prediction)
        scales += _scale("error", 0, scene.worst, scene.error_colours, error)
        self._colours = {"depth": scene.depth_colours, "error": scene.error_colours}
        self._blocks.append(
            '<figure class="scene"><figcaption>{}</figcaption><div class="maps">{}</div><div class="under">'
            '<div class="read">{}</div>{}</div><script type="application/json">{}</script></figure>'.format(
                inline(caption), shown, _RESTING, scales, content
            )
        )

    def text(self):
        """The whole page."""
        parts = [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>{}</title><style>{}</style></head><body>".format(html.escape(self._title), _STYLE),
            *self._blocks[:1],
            "<nav>{}</nav>".format(
                "".join('<a href="#{}">{}</a>'.format(anchor(part), inline(part)) for part in self._parts)
            ),
            *self._blocks[1:],
        ]
        if self._colours:
            parts += [
                '<script type="text/plain" data-colours="{}">{}</script>'.format(name, _text(colours.tobytes()))
                for name, colours in sorted(self._colours.items())
            ]
            parts.append("<script>{}</script>".format(_SCRIPT))
        return "\n".join(parts + ["</body></html>"]) + "\n"


def block(text):
    """A heading, a quote or a paragraph of Markdown as HTML."""
    heading = re.match(r"(#{1,3}) (.*)$", text)
    if heading:
        level = len(heading.group(1))
        return '<h{0} id="{1}">{2}</h{0}>'.format(level, anchor(heading.group(2)), inline(heading.group(2)))
    if text.startswith("> "):
        return "<blockquote>{}</blockquote>".format(inline(text[2:]))
    return "<p>{}</p>".format(inline(text).replace("\n", "<br>\n"))


def anchor(heading):
    """What links to this heading of the page name: its letters and digits."""
    return "-".join(re.findall(r"\w+", heading.lower()))


def inline(text):
    """Code, bold, emphasis and links of Markdown as HTML; everything else as it is written."""
    parts = re.split(r"(`[^`]*`)", str(text))
    return "".join(
        "<code>{}</code>".format(html.escape(part[1:-1])) if part.startswith("`") and len(part) > 1 else _marked(part)
        for part in parts
    )


def _marked(text):
    text = html.escape(text, quote=False)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", r"<em>\1</em>", text)
    return re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2">\1</a>', text)


def table(frame, numbers=()):
    """The DataFrame as an HTML table; the columns named in `numbers` are set to the right, bold rows stand out."""
    places = [' class="number"' if column in numbers else "" for column in frame.columns]
    head = "".join("<th{}>{}</th>".format(place, inline(name)) for place, name in zip(places, frame.columns))
    rows = []
    for row in frame.itertuples(index=False, name=None):
        best = ' class="best"' if str(row[0]).startswith("**") else ""
        cells = "".join("<td{}>{}</td>".format(place, inline(value)) for place, value in zip(places, row))
        rows.append("<tr{}>{}</tr>".format(best, cells))
    return '<div class="table" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'.format(
        head, "".join(rows)
    )


def _scale(name, near, far, colours, values):
    """The colours from `near` to `far` millimetres; an end tells where `values` go beyond and have its colour, too."""
    return (
        '<div class="scale"><span>{}: {}{:.1f} m</span><i style="background: linear-gradient(to right, {})"></i>'
        "<span>{}{:.1f} m</span></div>"
    ).format(
        *(name, "≤ " if (values < near).any() else "", near / 1000, ", ".join(_stops(colours))),
        *("≥ " if (values > far).any() else "", far / 1000),
    )


def _stops(colours):
    return ["rgb({}, {}, {})".format(*colour) for colour in np.concatenate([colours[::32], colours[-1:]]).tolist()]


def _jpeg(rgb):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _text(content):
    return base64.b64encode(content).decode("ascii")
