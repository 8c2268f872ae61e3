#!/usr/bin/python3
"""The HTML report in a browser: it opens without a request and without an error, says what the JSON report says, zooms,
shows original lines on hover and on focus, holds no text that runs, and fits its window.

  html_report_test.py MMREPLAY SOURCE_DIR

Exits with 77 where no browser is installed.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    print("skipped: python3-selenium is not installed")
    sys.exit(77)

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    print("skipped: chromium or chromium-driver is not installed")
    sys.exit(77)

MMREPLAY = SOURCE = None  # of the command line
SAMPLES = ["410-x86-fired-nochurn", "arm64-fired", "x86-panic", "x86-dat-lost", "410-x86-held0"]
# Widths of a desktop, a tablet and a phone.
WIDTHS = [1280, 800, 420]
EVIL = ["</script><script>document.title='run'</script>", "<img src=x onerror=\"document.title='run'\">", "\"'><svg onload=alert(1)>",
        "a&amp;b", "\x1b]0;pwned\x07\x1b[2J\x7f\x9b31m\u202eb\u2066c"]


# What the page says, in one go: each question to the browser is a round trip.
SEEN = """
    const all = (selector, within = document) => [...within.querySelectorAll(selector)];
    const events = (g, shape) => all('.picture.' + shape + ' .ev', g).map(e => [e.dataset.event, e.getAttribute('aria-label')]);
    const waits = {};
    for (const look of ['confirmed', 'probable', 'latent', 'unknown', 'benign']) waits[look] = all('.plot .items rect.w.' + look).length;
    return {
      exit_code: document.getElementById('verdict').dataset.exitCode,
      heading: document.querySelector('h1').innerText,
      badges: all('.verdict .badge').map(b => b.innerText),
      groups: all('article.group').map(g => ({
        fingerprint: g.dataset.fingerprint, wide: events(g, 'wide'), narrow: events(g, 'narrow'),
        originals: all('.originals code', g).map(c => c.textContent), proofs: all('.proofs li', g).length,
        console: all('.console figcaption', g).map(c => c.innerText), counts: all('.picture.wide .count', g).map(c => c.textContent)})),
      classes: all('#waits tbody td.n').map(c => c.innerText), findings: all('#findings tbody tr').length,
      waits: waits, migrations: all('.plot .items rect.m').length, gaps: all('.plot .lost').length, body: document.body.innerText};"""


def report(database, form, *options):
    return subprocess.run([MMREPLAY, "report", database, "--format", form, *options], check=True, capture_output=True).stdout


class Page:
    """A report in the browser."""

    driver = None  # starting one takes longer than any test

    @classmethod
    def start(cls):
        options = Options()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        try:
            cls.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        except WebDriverException as error:  # a bare system may not even know localhost
            raise unittest.SkipTest("the browser does not start here: " + str(error)) from error
        cls.driver.execute_cdp_cmd("Network.enable", {})

    def __init__(self, path, width=1280, scheme="light"):
        self.driver.get("about:blank")
        self.errors()
        self.requests_seen()
        self.resize(width)
        self.media("", scheme)
        self.url = "file://" + path
        self.driver.get(self.url)

    def resize(self, width, height=900):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def media(self, kind, scheme):
        # Without motion, so that what was scrolled to is there.
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        return [url for url in self.requests_seen() if url != self.url and not url.startswith(("data:", "chrome:", "about:"))]

    def requests_seen(self):
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls

    def settle(self):
        """Until what was asked for is drawn."""
        self.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));")


class HtmlReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        Page.start()
        cls.databases = {}
        cls.pages = {}
        for sample in SAMPLES:
            database = os.path.join(cls.folder.name, sample + ".db")
            subprocess.run([MMREPLAY, "analyze", "-o", database, os.path.join(SOURCE, "samples", sample + ".tar.xz")],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            cls.databases[sample] = database
            cls.pages[sample] = cls.write(sample + ".html", report(database, "html"))

    @classmethod
    def tearDownClass(cls):
        Page.driver.quit()
        cls.folder.cleanup()

    @classmethod
    def write(cls, name, content):
        path = os.path.join(cls.folder.name, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def check_quiet(self, page):
        self.assertEqual(page.errors(), [])
        self.assertEqual(page.requests(), [])

    def test_says_what_the_json_says(self):
        for sample in SAMPLES:
            with self.subTest(sample), Page(self.pages[sample]) as page:
                facts = json.loads(report(self.databases[sample], "json"))
                seen = page.run(SEEN)
                self.assertEqual(int(seen["exit_code"]), facts["exit_code"])
                words = {"found": "FOUND", "no finding": "NO FINDING", "cannot tell": "CANNOT TELL"}
                self.assertTrue(seen["heading"].startswith(words[facts["verdict"]]), seen["heading"])
                grades = {b.split()[1]: int(b.split()[0].replace(",", "")) for b in seen["badges"]}
                self.assertEqual(grades, {name: count for name, count in facts["grades"].items() if count})
                self.check_groups(seen, facts)
                self.check_figures(seen, facts)
                self.check_quiet(page)

    def check_groups(self, seen, facts):
        self.assertEqual([g["fingerprint"] for g in seen["groups"]], [g["fingerprint"] for g in facts["groups"]])
        for group, fact in zip(seen["groups"], facts["groups"]):
            # The same events in the same order, in both shapes, each with its original line.
            lines = fact["strongest"]["lines"]
            for shape in ("wide", "narrow"):
                self.assertEqual([int(event) for event, _ in group[shape]], [line["event"] for line in lines])
                for (_, label), line in zip(group[shape], lines):
                    self.assertIn(line["original"], label)
            self.assertEqual(group["originals"], [line["original"] for line in lines])
            self.assertEqual(group["proofs"], len(fact["strongest"]["proofs"]))
            kernel = fact["strongest"]["kernel_report"]
            self.assertEqual(len(group["console"]), 1 if kernel else 0)
            if kernel:
                self.assertTrue(group["console"][0].endswith(":%d" % kernel["line"]))
            # The page's counts, as the diagram has them.
            counts = [line["count"] for line in lines]
            steps = [c for i, c in enumerate(counts) if c is not None and (i == 0 or counts[i - 1] != c)]
            self.assertEqual([int(count) for count in group["counts"]], steps)

    def check_figures(self, seen, facts):
        body = seen["body"]
        lines = facts["input"]["lines"]
        self.assertIn("{:,} lines = {:,} event".format(lines["total"], lines["events"]), body)
        self.assertEqual([int(n.replace(",", "")) for n in seen["classes"]], [one["count"] for one in facts["wait_classes"]])
        self.assertEqual(seen["findings"], min(300, len(facts["findings"])))
        waits = {}
        for one in facts["wait_classes"]:
            waits[one["verdict"]] = waits.get(one["verdict"], 0) + one["count"]
        self.assertEqual({look: count for look, count in seen["waits"].items() if count}, waits)
        self.assertEqual(seen["migrations"], sum(facts["migrations"].values()))
        self.assertEqual(seen["gaps"], len(facts["gaps"]))
        if facts["fidelity"]["anchors"]:
            self.assertIn("{matched:,} of {anchors:,} certain".format(**facts["fidelity"]), body)
        for missing in facts["not_shown"]:
            self.assertIn(missing["what"], body)

    def test_hover_and_focus_show_the_original_line(self):
        with Page(self.pages["410-x86-fired-nochurn"]) as page:
            event = page.one(".picture.wide .ev.fatal")
            page.resize(1280, 2400)  # nothing has to be scrolled
            page.settle()
            self.assertFalse(page.one("#tip").is_displayed())
            tip = page.one("#tip")
            # A scroll that is not drawn yet may take the first tip away.
            for x in range(10):
                ActionChains(page.driver).move_to_element_with_offset(event, x, 0).perform()
                page.settle()
                if tip.is_displayed():
                    break
            self.assertTrue(tip.is_displayed())
            self.assertIn("mm_page_free", tip.text)
            self.assertIn("trace.txt:4072:", tip.text)
            # The keyboard alone: focus, then down to the next event.
            page.run("arguments[0].focus()", page.all(".picture.wide .ev")[0])
            page.settle()
            first = tip.text
            self.assertTrue(tip.is_displayed())
            ActionChains(page.driver).send_keys(Keys.ARROW_DOWN).perform()
            page.settle()
            self.assertTrue(tip.is_displayed())
            self.assertNotEqual(tip.text, first)
            ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
            self.assertFalse(tip.is_displayed())
            # Every event can be reached, and the hidden shape cannot.
            self.assertEqual(page.run("return document.querySelectorAll('.picture.wide .ev[tabindex=\"0\"]').length"),
                             len(page.all(".picture.wide .ev")))
            self.assertFalse(page.one(".picture.narrow").is_displayed())
            self.check_quiet(page)

    def test_the_time_line_zooms_and_pans(self):
        with Page(self.pages["arm64-fired"]) as page:
            plot = page.one(".plot")
            page.run("arguments[0].scrollIntoView({block: 'center'})", plot)
            view = lambda: (page.settle(), page.one(".tools .view").text)[1]
            bar = page.one(".plot .items rect.w.confirmed")
            width = lambda: page.run("return arguments[0].getBoundingClientRect().width", bar)
            whole, before = view(), width()
            scroll = page.run("return scrollY")
            page.run("const b = arguments[0].getBoundingClientRect(), p = arguments[1].getBoundingClientRect();"
                     "for (let i = 0; i < 6; ++i) arguments[1].dispatchEvent(new WheelEvent('wheel', {deltaY: -300, clientX: b.left, "
                     "clientY: p.top + 60, bubbles: true, cancelable: true}))", bar, plot)
            self.assertNotEqual(view(), whole)
            self.assertGreater(width(), 50 * before)
            self.assertEqual(page.run("return scrollY"), scroll)
            zoomed = view()
            ActionChains(page.driver).drag_and_drop_by_offset(plot, 150, 0).perform()
            self.assertNotEqual(view(), zoomed)
            self.assertEqual(view().split(" from ")[0], zoomed.split(" from ")[0])
            page.one("[data-do=all]").click()
            self.assertEqual(view(), whole)
            # Each button, each key.
            for key, action in (("+", "in"), (Keys.ARROW_RIGHT, "right"), (Keys.ARROW_LEFT, "left"), ("-", "out")):
                page.one("[data-do=all]").click()
                page.one("[data-do=in]").click()
                start = view()
                page.one("[data-do=%s]" % action).click()
                by_button = view()
                page.one("[data-do=all]").click()
                page.one("[data-do=in]").click()
                page.run("arguments[0].focus()", plot)
                ActionChains(page.driver).send_keys(key).perform()
                self.assertEqual(view(), by_button)
                self.assertNotEqual(by_button, start)
            page.run("arguments[0].focus()", plot)
            ActionChains(page.driver).send_keys("n").perform()
            page.settle()
            self.assertIn("waits on page", page.one("#tip").text)
            # From a cause to its place in the time line.
            page.run("document.querySelector('.show').click()")
            self.assertNotEqual(view(), whole)
            self.check_quiet(page)

    def test_nothing_overlaps_or_is_cut(self):
        overlap = """
            const texts = [...document.querySelectorAll('.picture text')].filter(t => t.getClientRects().length);
            const bad = [];
            for (const picture of document.querySelectorAll('.picture')) {
              const frame = picture.getBoundingClientRect();
              if (!frame.width) continue;
              const own = texts.filter(t => picture.contains(t) && t.textContent).map(t => [t, t.getBoundingClientRect()]);
              for (const [t, b] of own) {
                if (b.left < frame.left - 1 || b.right > frame.right + 1 || b.bottom > frame.bottom + 1) bad.push('outside: ' + t.textContent);
              }
              for (let i = 0; i < own.length; ++i) for (let j = i + 1; j < own.length; ++j) {
                const a = own[i][1], b = own[j][1];
                const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (wide > 1 && high > 3) bad.push(own[i][0].textContent + ' / ' + own[j][0].textContent);
              }
            }
            return bad;"""
        for sample in SAMPLES:
            with Page(self.pages[sample], scheme="dark") as page:
                for width in WIDTHS:
                    with self.subTest(sample=sample, width=width):
                        page.resize(width)
                        page.settle()
                        self.assertLessEqual(page.run("return document.documentElement.scrollWidth"), width)
                        self.assertEqual(page.run(overlap), [])

    def test_both_schemes_and_paper(self):
        with Page(self.pages["x86-panic"], scheme="light") as page:
            colour = lambda: page.run("return getComputedStyle(document.body).backgroundColor")
            self.assertEqual(colour(), "rgb(255, 255, 255)")
            page.media("", "dark")
            self.assertNotEqual(colour(), "rgb(255, 255, 255)")
            page.media("print", "dark")
            self.assertEqual(colour(), "rgb(255, 255, 255)")
            self.assertFalse(page.one("nav").is_displayed())
            self.assertTrue(page.one(".picture.wide").is_displayed())
            self.assertGreater(len(page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]), 10000)

    def test_text_of_a_trace_stays_text(self):
        # Real lines whose tasks got other names, and a file name that is a tag.
        with tempfile.TemporaryDirectory() as folder:
            database = os.path.join(folder, "evil.db")
            shutil.copy(self.databases["x86-panic"], database)
            update = "UPDATE string SET text = replace(replace(text, 'toucher/', ?), 'thp move', ?)"
            import sqlite3
            db = sqlite3.connect(database)
            db.execute(update, (EVIL[0], EVIL[1]))
            db.execute("UPDATE event SET args = args || ?", (EVIL[2] + EVIL[0],))
            db.execute("UPDATE source SET path = ?", (EVIL[1],))
            db.execute("UPDATE trace SET path = ?", (EVIL[0] + EVIL[3] + EVIL[4],))
            db.execute("UPDATE console_report SET comm = ?, reason = ?", (EVIL[0], EVIL[2]))
            db.execute("UPDATE finding SET comm = ?, summary = ?", (EVIL[1], EVIL[0]))
            # Words of our own, as somebody else's view may have them: they name classes of elements.
            for view, column in (("migrations", "result"), ("page_waits", "verdict")):
                sql = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (view,)).fetchone()[0]
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({view})")]
                db.execute(f"DROP VIEW {view}")
                db.execute(sql.replace(view, "own_" + view, 1))
                chosen = ", ".join(f"{name} || '{EVIL[1]}' AS {name}" if name == column else name for name in columns)
                db.execute(f"CREATE VIEW {view} AS SELECT {chosen} FROM own_{view}")
            db.commit()
            db.close()
            for options in ([], ["--near-misses"]):
                html = report(database, "html", *options)
                self.assertEqual(html.count(b"<script"), 1)
                self.assertNotIn(b"<img", html)
                path = self.write("evil.html", html)
                with Page(path) as page:
                    page.settle()
                    self.assertNotEqual(page.driver.title, "run")
                    self.assertEqual(page.all("img, iframe, object, embed, link, body > script ~ script"), [])
                    self.assertIn(EVIL[0], page.one("article.group .story").text)
                    self.assertIn(EVIL[0] + EVIL[3] + "\\x1b]0;pwned\\x07\\x1b[2J", page.one(".source").text)
                    self.assertIsNone(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]",
                                                page.run("return document.documentElement.textContent")))
                    self.assertEqual(page.run("return [...document.querySelectorAll('*')].filter(e => [...e.attributes].some("
                                              "a => a.name.startsWith('on'))).length"), 0)
                    event = page.one(".picture.wide .ev.fatal")
                    page.run("arguments[0].focus()", event)
                    page.settle()
                    self.assertIn(EVIL[2], page.one("#tip").text)
                    self.check_quiet(page)

    def test_the_policy_lets_only_our_script_run(self):
        html = report(self.databases["410-x86-held0"], "html").replace(
            b"</body>", b"<script>document.title='run'</script><img src='http://127.0.0.1:9/x.png'></body>")
        with Page(self.write("injected.html", html)) as page:
            page.settle()
            self.assertNotEqual(page.driver.title, "run")
            self.assertEqual(len([e for e in page.errors() if "Content Security Policy" in e]), 2)
            self.assertTrue(page.run("return document.documentElement.classList.contains('js')"))

    def test_many_findings_are_groups_and_the_file_stays_small(self):
        import sqlite3
        database = os.path.join(self.folder.name, "many.db")
        shutil.copy(self.databases["arm64-fired"], database)
        db = sqlite3.connect(database)
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49) "
                   "INSERT INTO finding(rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint) "
                   "SELECT rule, grade, subject, subject_id, pfn, pid, comm, summary, fingerprint || (i % 40) FROM finding, n")
        db.execute("UPDATE rule_result SET findings = (SELECT count(*) FROM finding) WHERE rule = 'wait_on_freed_page'")
        db.commit()
        db.close()
        html = report(database, "html")
        self.assertLess(len(html), 4_000_000)
        with Page(self.write("many.html", html)) as page:
            self.assertEqual(len(page.all("article.group")), 20)
            self.assertEqual(len(page.all("#findings tbody tr")), 300)
            body = page.one("body").text
            self.assertIn("20 of 41 causes drawn", body)
            self.assertIn("300 of 11,800 shown", body)
            self.check_quiet(page)


if __name__ == "__main__":
    MMREPLAY, SOURCE = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=1)
