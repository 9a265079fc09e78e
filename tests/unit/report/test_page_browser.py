"""The page in a real Chromium: one start of the browser for the whole module."""

from __future__ import annotations

import importlib.util
import re
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.report.catalogue import read_entry
from pytest_repro.report.page.data import page_data
from pytest_repro.report.page.render import page_text
from tests.unit.report.session_records import batch, failure, write_session

if importlib.util.find_spec("playwright") is None:
    pytest.skip("playwright is not installed", allow_module_level=True)

HOSTILE = "test_a.py::test_b[</script><script>window.hit=1</script><img src=x onerror=window.hit=1>]"
TEST = "test_a.py::test_a"
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium was found")
    with sync_playwright() as browsers:
        started = browsers.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        yield started
        started.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    passing = [("passed", 99), ("failed", 1), ("passed", 100)]
    phase = {"name": "to_device", "duration_ns": 3_000_000, "unfenced_ns": 1_000_000}
    profile = {"test": TEST, "worker": "gw0", "outcome": "passed", "phases": [phase]}
    session = write_session(
        root,
        facts={"tag": "<b>tag</b>"},
        summary={},
        records={
            "iterations.jsonl": [
                batch(TEST, passing, [2_000_000] * 200, worker="gw0"),
                batch(HOSTILE, [("passed", 50)], [1_000_000] * 50, worker="gw1"),
            ],
            "failures.jsonl": [
                failure(TEST, 100, message=HOSTILE, text=HOSTILE, worker="gw0"),
                failure(HOSTILE, 51, outcome="crash", message="died", worker="gw1"),
            ],
            "profiling.jsonl": [profile | {"iteration": number} for number in range(1, 11)],
        },
    )
    return _written(root, session.path)


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Open]:
    """Opens the page; no error and no request but the file itself is allowed, whatever the test does."""
    problems: list[str] = []
    contexts = []

    def open_page(file: Path = page_file, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url == file.as_uri() else problems.append(request.url),
        )
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


# The page's policy refuses the text that `page.wait_for_function` has it evaluate again and again.
def _wait_for_label(page: Any, pattern: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#scatter")).to_have_attribute("aria-label", re.compile(pattern))


def _wait_for_stack(page: Any, pattern: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#stack")).to_have_attribute("aria-label", re.compile(pattern))


def _wait_for_range(page: Any, pattern: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#range")).to_have_text(re.compile(pattern))


def test_names_and_messages_stay_text(opened: Open) -> None:
    """Nothing that a test is named or says becomes an element or a script."""
    page = opened()
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    assert page.locator(".lane code").all_text_contents() == [TEST, HOSTILE]
    assert HOSTILE in page.locator("#bugs pre").all_text_contents()


def test_filters_choose_what_is_drawn(opened: Open) -> None:
    """By test, by worker, and back."""
    page = opened()
    page.select_option("[name=test]", label=TEST)
    assert page.locator(".lane code").all_text_contents() == [TEST]
    page.select_option("[name=worker]", label="gw1")
    _wait_for_label(page, "^0 durations")
    page.click("text=Clear")
    _wait_for_label(page, "^250 durations")
    page.select_option("[name=outcome]", "failed")
    _wait_for_label(page, "^1 durations")
    page.select_option("[name=outcome]", "")
    page.select_option("[name=bug]", index=1)
    _wait_for_label(page, "^(?!250 )")


def test_a_strip_is_read_and_zoomed_by_keyboard(opened: Open) -> None:
    """Shift and the arrow jump to the failure, plus zooms, 0 shows all; the dead one is read out too."""
    page = opened()
    strip = page.locator(".lane canvas")
    strip.nth(0).focus()
    page.keyboard.press("Shift+ArrowRight")
    assert "iteration 100: failed (bug 1" in page.inner_text("#readout")
    assert "worker gw0, took 2 ms" in page.inner_text("#readout")
    page.keyboard.press("+")
    _wait_for_range(page, "^50 to 150")
    page.keyboard.press("0")
    _wait_for_range(page, "^1 to 200 of 200$")
    strip.nth(1).focus()
    page.keyboard.press("End")
    assert "iteration 51: crash" in page.inner_text("#readout")
    assert "died with its process" in page.inner_text("#readout")


def test_a_drag_zooms(opened: Open) -> None:
    """From where it began to where it ended."""
    page = opened()
    box = page.locator(".lane canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    page.mouse.up()
    _wait_for_range(page, r"^5\d to 10\d of 200$")


def test_phases_switch_to_the_unfenced_view(opened: Open) -> None:
    """The same iteration has the other number, by keyboard too."""
    page = opened()
    page.locator("#stack").focus()
    page.keyboard.press("Home")
    assert "to_device 3 ms" in page.inner_text("#phase-readout")
    page.check("[value=unfenced_ns]")
    assert "to_device 1 ms" in page.inner_text("#phase-readout")


def test_phases_are_zoomed_by_keyboard_and_by_drag(opened: Open) -> None:
    """Where the zoom is shown, and the highest column in sight gives the height; 0 shows all."""
    page = opened()
    stack = page.locator("#stack")
    stack.focus()
    page.keyboard.press("End")
    page.keyboard.press("+")
    _wait_for_stack(page, "^1 phase of 5 of 10 iterations")
    page.keyboard.press("0")
    _wait_for_stack(page, "^1 phase of 10 of 10 iterations")
    stack.scroll_into_view_if_needed()
    box = page.locator("#stack .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.31, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.89, box["y"] + 40, steps=3)
    page.mouse.up()
    _wait_for_stack(page, "^1 phase of 6 of 10 iterations")


def test_the_highest_hundredth_of_the_phases_can_be_cut(opened: Open, tmp_path: Path) -> None:
    """One column of a second leaves the others to be seen."""
    phases = [
        [{"name": "op", "duration_ns": 10**9 if one == 7 else 10**6, "unfenced_ns": 1}] for one in range(200)
    ]
    profile = {"test": TEST, "worker": "main", "outcome": "passed"}
    lines = [profile | {"iteration": one + 1, "phases": phases[one]} for one in range(200)]
    page = opened(_written(tmp_path, write_session(tmp_path, records={"profiling.jsonl": lines}).path))
    _wait_for_stack(page, "fenced, up to 1 s$")
    page.check("#cut")
    _wait_for_stack(page, "fenced, up to 1 ms$")


def test_the_theme_follows_the_system_and_the_switch(opened: Open) -> None:
    """Dark by the system, light by choice."""
    page = opened(color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(17, 20, 24)"
    page.select_option("#theme", "light")
    assert page.evaluate(colour) == "rgb(251, 251, 250)"


def test_a_phone_scrolls_only_downwards(opened: Open) -> None:
    """At 360 pixels nothing is wider than the screen."""
    page = opened(viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_what_cannot_be_seen_is_spelled_out(opened: Open, tmp_path: Path) -> None:
    """A message that turns the direction of writing leaves what stands beside it as it is."""
    died = failure(TEST, 1, outcome="crash", message="\u202eabc\x1b[31m", worker="gw0")
    page = opened(_written(tmp_path, write_session(tmp_path, records={"failures.jsonl": [died]}).path))
    assert "\\u202eabc\\x1b[31m" in page.inner_text("#bugs summary")
    page.locator(".lane canvas").focus()
    page.keyboard.press("Home")
    assert "\\u202eabc" in page.inner_text("#readout")


def test_tab_goes_through_the_page_in_its_order(opened: Open) -> None:
    """A way past the head, then the filter, the zoom, each strip, the bugs; the focus is always seen."""
    page = opened()
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(_FOCUSED))
    names = "To the content, theme, test, outcome, bug, worker, Clear, in, out, all"
    assert [name for name, _ in seen[:10]] == names.split(", ")
    strips = [f"Iterations of {test}" for test in (TEST, HOSTILE)]
    assert [name for name, _ in seen[10:12]] == strips
    assert seen[12][0].startswith("1AssertionError")
    assert all(width >= 2 for _, width in seen)


def test_on_paper_the_page_is_light_and_unfolded(opened: Open) -> None:
    """Each bug's traceback is there, also of one that was folded away; afterwards all is as it was."""
    page = opened(color_scheme="dark")
    state = "[document.documentElement.className, document.querySelectorAll('details:not([open])').length]"
    assert page.evaluate(state) == ["dark", 1]
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(state) == ["", 0]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(state) == ["dark", 1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault(opened: Open, theme: str) -> None:
    """Names, roles, headings, contrast and the like, by the rules of WCAG 2.2 AA that a program can check."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(color_scheme=theme, bypass_csp=True, viewport={"width": 360, "height": 740})
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_iterations_that_all_died_have_no_plot_of_durations(opened: Open, tmp_path: Path) -> None:
    """None of them is known, and an empty plot would show times that are not."""
    died = [failure(TEST, number, outcome="crash", message="died") for number in (1, 2)]
    page = opened(_written(tmp_path, write_session(tmp_path, records={"failures.jsonl": died}).path))
    assert page.is_visible("#iterations")
    assert not page.is_visible("#durations")


def test_a_tap_reads_an_iteration_out(opened: Open) -> None:
    """On a phone nothing points at a strip before it is touched."""
    page = opened(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    strip = page.locator(".lane canvas").first
    strip.tap(position={"x": strip.bounding_box()["width"] * 0.4975, "y": 30})
    assert "iteration 100: failed (bug 1" in page.inner_text("#readout")


def test_a_lone_failure_among_many_is_seen(opened: Open, tmp_path: Path) -> None:
    """100,000 iterations on a thousand pixels: the column of the failing one has its colour."""
    page = opened(_many(tmp_path))
    _wait_for_range(page, ".")
    seen = page.evaluate(_REDDISH)
    assert 1 <= seen <= 3


@pytest.mark.slow
def test_zooming_over_100_000_iterations_is_smooth(opened: Open, tmp_path: Path) -> None:
    """From the wheel to the drawn frame, the wait for its turn included: at least 20 frames a second."""
    page = opened(_many(tmp_path))
    took = page.evaluate(_ZOOMING)
    print(f"median {statistics.median(took):.1f} ms, longest {max(took):.1f} ms of {len(took)} frames")  # noqa: T201 (the measurement is what it is run for)
    assert statistics.median(took) < 50


_FOCUSED = """() => {
  const one = document.activeElement, label = one.dataset.zoom || one.getAttribute("aria-label");
  return [label || one.name || one.id || one.textContent, parseFloat(getComputedStyle(one).outlineWidth)];
}"""

_REDDISH = """() => {
  const canvas = document.querySelector(".lane canvas"), row = Math.round(18 * devicePixelRatio);
  const pixels = canvas.getContext("2d").getImageData(0, row, canvas.width, 1).data;
  let seen = 0;
  for (let at = 0; at < pixels.length; at += 4) if (pixels[at] > 180 && pixels[at + 1] < 60) seen++;
  return seen;
}"""

_ZOOMING = """() => new Promise((done) => {
  const took = [];
  const step = (left) => {
    if (!left) return done(took);
    zoomBy(left > 30 ? 0.93 : 1.075, 40000);
    const told = performance.now();
    requestAnimationFrame(() => { took.push(performance.now() - told); step(left - 1); });
  };
  step(60);
})"""


def _many(root: Path) -> Path:
    lines = [batch(TEST, [("passed", 40_000), ("failed", 1), ("passed", 59_999)], [1_000_000] * 100_000)]
    told = {"iterations.jsonl": lines, "failures.jsonl": [failure(TEST, 40_001)]}
    return _written(root, write_session(root, summary={}, records=told).path)


def _written(root: Path, session: Path) -> Path:
    file = root / "page.html"
    file.write_text(page_text(page_data(read_entry(session))), encoding="utf-8")
    return file
