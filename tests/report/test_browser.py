"""The page in a real browser: no request, images that load, tables that sort, no sideways scroll."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_html import content, drawn, run

from sslslr.report.figures import _skeletons as strips
from sslslr.report.figures import _style as style
from sslslr.report.page import page as html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip
WIDTH = 390
# Sorts the first table by every column in turn and measures the page.
PROBE = """
<script>
addEventListener("load", () => {
  const found = { width: innerWidth, scroll: document.documentElement.scrollWidth, sorted: {} };
  found.images = [...document.images].map(i => [i.alt, i.naturalWidth, i.getBoundingClientRect().width]);
  const table = document.querySelector("#table-linear table");
  for (const button of table.querySelectorAll("th button")) {
    const column = [...table.tHead.rows[0].cells].indexOf(button.parentNode);
    found.sorted[button.textContent] = [0, 1].map(() => {
      button.click();
      const order = [...table.tBodies[0].rows].map(row => row.cells[column].textContent);
      return [button.parentNode.getAttribute("aria-sort"), order];
    });
  }
  found.first = document.querySelector("main > section").id;
  found.folded = [...document.querySelectorAll("#details > details")].every(one => !one.open);
  const field = document.querySelector("#table-linear input");
  field.value = "62"; field.dispatchEvent(new Event("input"));
  found.found = [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].textContent);
  const player = document.querySelector(".player"), canvas = player.querySelector("canvas");
  const inked = () => canvas.toDataURL();
  const [button, slider] = [player.querySelector("button"), player.querySelector("input")];
  const before = inked(); slider.value = 900; slider.dispatchEvent(new Event("input"));
  found.player = [canvas.getAttribute("aria-label"), before !== inked(), button.textContent];
  button.click(); found.player.push(button.textContent); button.click(); found.player.push(button.textContent);
  parent.postMessage(JSON.stringify(found), "*");
});
</script>
"""
# A window cannot be as narrow as a phone, a frame can; it tells its parent what it found.
FRAME = """<!doctype html><title>x</title>
<script>addEventListener("message", event => document.title = event.data)</script>
<iframe src="probed.html" style="width: 390px; height: 800px; border: 0"></iframe>
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    clip = np.random.default_rng(0).uniform(size=(5, 75, 2))
    strip = strips.clip_strip([("a", clip, 5)])
    pngs = [
        style.save(Figure(figsize=(6, 2)), folder / "training")[1],
        style.save(strip, folder / "confusions--toy", strips.moving(strip))[1],
    ]
    numbers = {
        "Method": ["b", "C", "a", "d"],
        "Top-1": ["9.5 ± 0.8", "62.1", "n/a", "100.0"],
        "95 % interval": ["[9.0, 11.0]", "[60.0, 70.0]", "n/a", "[99.0, 100.0]"],
        "Difference": ["+3.1 [+0.2, +6.0]", "-12.0 [-20.0, -1.0]", "n/a", "+10.0 [1.0, 20.0]"],
        "n train": ["1,200", "80", "90", "9"],
        **{f"Wide {i}": ["a cell with much text"] * 4 for i in range(6)},
    }
    tables = [html.Shown("linear", "Linear", "Scores.", pd.DataFrame(numbers))]
    out = folder / "report.html"
    shown = [drawn(path) for path in pngs]
    runs = [run(0), run(1, collapsed=True)]
    out.write_text(content(tables=tables, figures=shown, runs=runs), encoding="utf-8")
    return out


def browse(page, folder, *options):
    """The page as the browser holds it after its scripts ran."""
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *options]
    command += ["--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def found(page, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    text = page.read_text(encoding="utf-8").replace("</body>", PROBE + "</body>")
    (folder / "probed.html").write_text(text, encoding="utf-8")
    outer = folder / "outer.html"
    outer.write_text(FRAME, encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", browse(outer, folder), re.DOTALL)[1]
    assert title.startswith("{"), "the page's script did not run to its end"
    return json.loads(unescape(title))


def requested(log):
    """Addresses that a page asked for, of a net log; the browser's own calls have no initiator."""
    started = re.findall(
        r'"initiator":"([^"]*)".*?"url":"([^"]*)"', log.read_text(errors="replace")
    )
    assert started, "the log has no request at all, not even for the page"
    remote = re.compile(r"(?:https?|wss?|ftp)://")
    return {url for initiator, url in started if initiator != "not an origin" and remote.match(url)}


def test_the_page_asks_nothing_of_the_network(page, tmp_path):
    """Against the same page with requests to a host, so that a blind log would show.

    A browser calls its vendor at its start, whatever the flags: that is not the page's doing.
    """
    asking = tmp_path / "asking.html"
    text = page.read_text(encoding="utf-8")
    there = {f"http://sslslr.invalid/{name}" for name in ("picture.png", "style.css", "fetched")}
    tags = """<img src="http://sslslr.invalid/picture.png" alt="x">
        <link rel="stylesheet" href="http://sslslr.invalid/style.css">
        <script>fetch("http://sslslr.invalid/fetched")</script></body>"""
    asking.write_text(text.replace("</body>", tags), encoding="utf-8")
    requests = {}
    for name, opened in (("own", page), ("asking", asking)):
        folder = tmp_path / name
        folder.mkdir()
        log = folder / "net.json"
        browse(opened, folder, f"--log-net-log={log}", "--proxy-server=127.0.0.1:9")
        requests[name] = requested(log)
    assert requests == {"own": set(), "asking": there}


def test_images_load_and_say_what_they_show(found):
    assert len(found["images"]) == 2
    for alt, natural, _ in found["images"]:
        assert alt
        assert natural > 1


def test_numbers_sort_as_numbers_and_words_as_words(found):
    def orders(column):
        up, down = found["sorted"][column]
        assert (up[0], down[0]) == ("ascending", "descending")
        return up[1], down[1]

    assert orders("Top-1") == (
        ["9.5 ± 0.8", "62.1", "100.0", "n/a"],
        ["100.0", "62.1", "9.5 ± 0.8", "n/a"],  # what is not known stays last
    )
    assert orders("n train")[0] == ["9", "80", "90", "1,200"]
    assert [text[:5] for text in orders("Difference")[0]] == ["-12.0", "+3.1 ", "+10.0", "n/a"]
    assert orders("95 % interval")[0][:2] == ["[9.0, 11.0]", "[60.0, 70.0]"]
    assert orders("Method")[0] == ["a", "b", "C", "d"]


def test_a_phone_does_not_scroll_sideways(found):
    assert found["width"] == WIDTH
    assert found["scroll"] <= WIDTH


def test_the_answer_comes_first_and_details_are_folded_and_searched(found):
    assert found["first"] == "answer"
    assert found["folded"]
    assert found["found"] == ["C"]


def test_skeletons_move_when_asked(found):
    name, moved, *said = found["player"]
    assert name == "Skeleton: a"
    assert moved
    assert said == ["Play", "Pause", "Play"]


def test_the_page_prints_to_pages(page, tmp_path):
    assert "@media print" in page.read_text(encoding="utf-8")
    out = tmp_path / "report.pdf"
    command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--print-to-pdf={out}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True, cwd=tmp_path)
    assert out.read_bytes().startswith(b"%PDF")
