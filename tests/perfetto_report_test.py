#!/usr/bin/python3
"""The Perfetto export: valid Chrome trace JSON, every row of the views a slice of the same times, slices that nest,
arrows that hold on to slices, counters that are the model's counts, nothing made up.

  perfetto_report_test.py MMREPLAY SOURCE_DIR [RECORDING...]
"""
import collections
import decimal
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

MMREPLAY = SOURCE = None  # of the command line
RECORDINGS = []
SAMPLES = ["410-x86-fired-nochurn.tar.xz", "410-x86-held0.tar.xz", "arm64-fired.tar.xz", "x86-panic.tar.xz", "x86-dat-lost.tar.xz",
           "x86-perf-zstd.tar.xz", "stock-7.2-amd64.tar.gz"]
FIRST_SYNTHETIC = 10000000  # groups that are no task


def nanoseconds(number):
    assert number == number.quantize(decimal.Decimal("0.001")), number
    return int(number * 1000)


class Trace:
    def __init__(self, path, folder):
        self.database = os.path.join(folder, re.sub(r"\W", "_", path) + ".db")
        done = subprocess.run([MMREPLAY, "analyze", "--format", "perfetto", "-o", self.database, path], capture_output=True)
        assert done.returncode in (0, 1, 3), done.stderr
        again = subprocess.run([MMREPLAY, "report", self.database, "--format", "perfetto"], capture_output=True, check=True)
        assert done.stdout == again.stdout, "report and analyze differ"
        self.text = done.stdout
        self.json = json.loads(done.stdout, parse_float=decimal.Decimal)
        self.events = self.json["traceEvents"]
        self.db = sqlite3.connect(self.database)

    def rows(self, sql):
        return self.db.execute(sql).fetchall()

    def of(self, category, phase=None):
        return [e for e in self.events if e.get("cat") == category and phase in (None, e["ph"])]

    def unplaced(self, category):
        return self.json["otherData"]["without_a_time"].get(category, 0)

    def report(self):
        return json.loads(subprocess.run([MMREPLAY, "report", self.database, "--format", "json"], capture_output=True, check=True).stdout)


class PerfettoReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        paths = [os.path.join(SOURCE, "samples", sample) for sample in SAMPLES] + RECORDINGS
        cls.traces = [(os.path.basename(path), Trace(path, cls.folder.name)) for path in paths]

    @classmethod
    def tearDownClass(cls):
        for _, trace in cls.traces:
            trace.db.close()
        cls.folder.cleanup()

    def each(self):
        for name, trace in self.traces:
            with self.subTest(name):
                yield trace

    def test_one_event_per_line(self):
        for trace in self.each():
            lines = trace.text.decode().split("\n")
            self.assertEqual(len(trace.events), sum(line.startswith("{\"ph\"") for line in lines))

    # Kind by kind: category, view, columns of begin and end.
    KINDS = [("wait", "page_waits", "begin_ts", "end_ts"), ("migration", "migrations", "begin_ts", "end_ts"),
             ("ptl", "ptl_holds", "acquire_ts", "release_ts")]

    def test_every_row_is_there_with_its_times(self):
        for trace in self.each():
            for category, view, begin, end in self.KINDS:
                rows = {row[0]: row[1:] for row in trace.rows("SELECT id, pid, %s, %s FROM %s" % (begin, end, view))}
                seen = trace.of(category)
                self.assertEqual(len(seen) + trace.unplaced(category), len(rows))
                self.assertEqual(len({e["args"]["id"] for e in seen}), len(seen))
                for event in seen:
                    pid, begin_ts, end_ts = rows[event["args"]["id"]]
                    self.assertEqual(event["args"]["pid"], pid)
                    if pid is not None:
                        self.assertEqual(event["pid"], pid)
                    else:
                        self.assertGreaterEqual(event["pid"], FIRST_SYNTHETIC)
                    if begin_ts is not None and end_ts is not None:
                        self.assertEqual((event["ph"], nanoseconds(event["ts"]), nanoseconds(event["dur"])), ("X", begin_ts, end_ts - begin_ts))
                    elif begin_ts is not None:
                        self.assertEqual((event["ph"], nanoseconds(event["ts"])), ("B", begin_ts))
                    else:
                        self.assertEqual((event["ph"], nanoseconds(event["ts"])), ("i", end_ts))
                        self.assertNotIn("dur", event)

    def test_slices_of_a_track_nest(self):
        for trace in self.each():
            tracks = collections.defaultdict(list)
            for event in trace.events:
                if event["ph"] == "X":
                    begin = nanoseconds(event["ts"])
                    tracks[event["pid"], event["tid"]].append((begin, -nanoseconds(decimal.Decimal(event["dur"]))))
            for track, slices in tracks.items():
                inside = []
                for begin, minus in sorted(slices):
                    end = begin - minus
                    while inside and inside[-1] <= begin:
                        inside.pop()
                    self.assertTrue(not inside or end <= inside[-1], (track, begin, end))
                    inside.append(end)

    def test_every_track_has_a_name(self):
        for trace in self.each():
            groups = {e["pid"] for e in trace.events if e["ph"] == "M" and e["name"] == "process_name"}
            tracks = {(e["pid"], e["tid"]) for e in trace.events if e["ph"] == "M" and e["name"] == "thread_name"}
            tasks = {row[0] for row in trace.rows("SELECT DISTINCT pid FROM events")}
            for event in trace.events:
                self.assertIn(event["pid"], groups)
                if event["pid"] < FIRST_SYNTHETIC:
                    self.assertIn(event["pid"], tasks)
                if event["ph"] in "XBsf":
                    self.assertIn((event["pid"], event["tid"]), tracks)

    def test_findings_and_the_arrows_between_their_evidence(self):
        for trace in self.each():
            facts = trace.report()
            findings = facts["findings"] + facts["info_findings"]
            seen = {e["args"]["id"]: e for e in trace.of("finding")}
            self.assertEqual(len(seen) + trace.unplaced("finding"), len(findings))
            stamps = dict(trace.rows("SELECT id, ts FROM events WHERE id IN (SELECT event_id FROM finding_events)"))
            evidence = collections.defaultdict(dict)
            for event in trace.of("evidence"):
                evidence[event["args"]["finding"]][event["args"]["event"]] = event
            arrows = 0
            for finding in findings:
                ids = {one["event"] for one in finding["evidence"]}
                self.assertEqual(set(evidence[finding["id"]]), {i for i in ids if stamps[i] is not None})
                self.assertEqual(seen[finding["id"]]["args"]["grade"], finding["grade"])
                times = [stamps[i] for i in ids if stamps[i] is not None]
                self.assertEqual(nanoseconds(seen[finding["id"]]["ts"]), min(times))
                self.assertEqual(nanoseconds(decimal.Decimal(seen[finding["id"]]["dur"])), max(times) - min(times))
                neighbours = {}
                for proof in finding["proofs"]:
                    neighbours.setdefault(min(proof["first"], proof["second"]), proof)
                arrows += sum(p["kind"] != "open" and stamps[p["first"]] <= stamps[p["second"]] for p in neighbours.values())
            starts = {e["id"]: e for e in trace.of("proof", "s")}
            ends = {e["id"]: e for e in trace.of("proof", "f")}
            self.assertEqual(len(starts), arrows)
            self.assertEqual(starts.keys(), ends.keys())
            # An arrow's end stands right behind a slice of its track and time.
            last = None
            for event in trace.events:
                if event["ph"] in "sf":
                    self.assertEqual((last["pid"], last["tid"], last["ts"]), (event["pid"], event["tid"], event["ts"]))
                else:
                    last = event
            for arrow, start in starts.items():
                self.assertLessEqual(start["ts"], ends[arrow]["ts"])
                self.assertEqual(ends[arrow]["bp"], "e")
            if facts["verdict"] == "found":
                self.assertGreater(len(starts), 0)

    def test_counters_are_the_counts_of_pages_in_findings(self):
        for trace in self.each():
            seen = collections.Counter(
                (e["name"].split()[1], nanoseconds(e["ts"]), e["args"]["references"]) for e in trace.events if e["ph"] == "C")
            known = collections.Counter(
                ("0x%x" % pfn, ts, count) for pfn, ts, count in trace.rows(
                    "SELECT pfn, ts, replayed FROM page_refs WHERE replayed IS NOT NULL AND ts IS NOT NULL "
                    "AND pfn IN (SELECT pfn FROM findings)"))
            # Other events change counts too; those of page_refs are all there.
            self.assertEqual(known - seen, collections.Counter())
            pages = {"0x%x" % row[0] for row in trace.rows("SELECT DISTINCT pfn FROM findings WHERE pfn IS NOT NULL")}
            self.assertLessEqual({page for page, _, _ in seen}, pages)

    def test_cpus_and_what_was_lost(self):
        for trace in self.each():
            gaps = trace.rows("SELECT cpu, from_ts, to_ts, lost FROM gaps")
            self.assertEqual(len(trace.of("gap")) + trace.unplaced("gap"), len(gaps))
            self.assertEqual(sum(e["args"]["lost"] or 0 for e in trace.of("gap")), sum(gap[3] or 0 for gap in gaps))
            for run in trace.of("sched"):
                begin, end = nanoseconds(run["ts"]), nanoseconds(run["ts"] + run["dur"])
                cpu = run["tid"] // 2
                self.assertEqual(trace.rows("SELECT count(*) FROM sched_switch WHERE common_cpu = %d AND common_ts = %d AND next_pid = %d"
                                            % (cpu, begin, run["args"]["pid"]))[0][0], 1)
                self.assertGreater(trace.rows("SELECT count(*) FROM sched_switch WHERE common_cpu = %d AND common_ts = %d AND prev_pid = %d"
                                              % (cpu, end, run["args"]["pid"]))[0][0], 0)
                for gap_cpu, from_ts, to_ts, _ in gaps:
                    self.assertFalse(gap_cpu == cpu and (from_ts is None or from_ts < end) and (to_ts is None or to_ts > begin))
            self.assertEqual(len(trace.of("kernel_report")) + trace.unplaced("kernel_report"),
                             trace.rows("SELECT count(*) FROM console_reports")[0][0])

    def test_without_times_nothing_is_placed(self):
        trace = self.traces[0][1]
        bare = os.path.join(self.folder.name, "bare.db")
        with open(bare, "wb") as file, open(trace.database, "rb") as original:
            file.write(original.read())
        db = sqlite3.connect(bare)
        db.executescript("UPDATE event SET ts = NULL; UPDATE page_wait SET begin_ts = NULL, end_ts = NULL, pid = NULL;"
                         "UPDATE ptl_hold SET acquire_ts = NULL, release_ts = NULL; UPDATE migration SET begin_ts = NULL, end_ts = NULL;"
                         "UPDATE console_report SET ts = NULL")
        db.commit()
        db.close()
        out = json.loads(subprocess.run([MMREPLAY, "report", bare, "--format", "perfetto"], capture_output=True, check=True).stdout)
        self.assertEqual([e for e in out["traceEvents"] if e["ph"] != "M"], [])
        self.assertEqual(out["otherData"]["without_a_time"]["wait"], trace.rows("SELECT count(*) FROM page_waits")[0][0])


if __name__ == "__main__":
    MMREPLAY, SOURCE = sys.argv[1:3]
    RECORDINGS = sys.argv[3:]
    unittest.main(argv=sys.argv[:1], verbosity=1)
