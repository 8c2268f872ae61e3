// The recordings folder, where it is at hand (-DMMREPLAY_RECORDINGS=DIR). Without it this program
// says that it was skipped (exit code 77), never that it passed.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <map>

#include "parser/error.h"
#include "parser/lines.h"
#include "tests/agreement.h"
#include "tests/analysis.h"
#include "tests/expectations.h"

namespace mmreplay {

namespace {

// What the other forms of a trace must come out as: damage is found, and lines are understood.
void CheckForm(const Analysis& analysis, const std::string& format) {
  CHECK(std::string(FormatName(analysis.recording().trace_format)) == format);
  CHECK(analysis.ExitCode() == 1);
  CHECK(analysis.Count("SELECT count(*) FROM findings WHERE grade = 'confirmed'") > 0);
  CHECK(analysis.facts().lines.rejected == 0);
  const LineCounts& lines = analysis.facts().lines;
  CHECK(lines.total == lines.events + lines.comments + lines.continuations + lines.markers);
  // Of the reference counts that are certain, nearly all are predicted: lost events, no misread ones.
  CHECK(analysis.Count("SELECT ref_anchors_matched * 1000 / ref_anchors FROM traces") >= 970);
}

bool HasRecording(const std::string& file) {
  return std::filesystem::exists(std::string(MMREPLAY_RECORDINGS) + "/" + file);
}

Analysis Analyse(const std::vector<std::string>& files) {
  RecordingOptions options;
  for (const std::string& file : files)
    options.inputs.push_back(std::string(MMREPLAY_RECORDINGS) + "/" + file);
  return Analysis(options);
}

}  // namespace

TEST_CASE("a dying machine's console log is enough") {
  if (!HasRecording("x86-panic/console.log")) return;
  Analysis analysis = Analyse({"x86-panic/console.log"});
  CheckForm(analysis, "console log");
  CHECK(analysis.facts().lines.events == 1854);
  CHECK(analysis.Text("SELECT kernel_release FROM traces") == "6.1.192");
  // The page the kernel complained about before it died.
  CHECK(analysis.Count("SELECT count(*) FROM console_reports r JOIN findings f ON f.pfn = r.pfn "
                       "WHERE f.grade = 'confirmed' AND r.ts_error_ns IS NULL") > 0);
  CHECK(analysis.Count("SELECT sum(lost) FROM gaps") == 514);
  // Times count from the start of the buffer: 35123us is the first.
  CHECK(analysis.Count("SELECT min(ts) FROM events") == 35'123'000);
}

TEST_CASE("text of trace-cmd and perf, with the probes' definitions and without") {
  struct Form {
    const char* folder;
    const char* file;
    const char* format;
    int64_t events;
  };
  for (const Form& form : {Form{"x86-trace-cmd", "report.txt", "trace-cmd report", 8391},
                           Form{"x86-perf", "perf-script.txt", "perf script output", 5121}}) {
    std::string folder = std::string(form.folder) + "/";
    if (!HasRecording(folder + form.file)) continue;
    CAPTURE(form.folder);
    Analysis whole = Analyse({folder + form.file, folder + "kprobe_events.txt", folder + "dmesg.txt"});
    CheckForm(whole, form.format);
    CHECK(whole.facts().lines.events == form.events);
    CHECK(whole.Count("SELECT count(*) FROM trace_issues WHERE kind = 'probes bound by name'") == 0);
    // Every page the kernel complained about has a confirmed finding.
    CHECK(whole.Count("SELECT count(*) FROM console_reports WHERE pfn NOT IN "
                      "(SELECT pfn FROM findings WHERE grade = 'confirmed' AND pfn IS NOT NULL)") == 0);
    // Without definitions the probes' names are all there is, and the user is told.
    Analysis alone = Analyse({folder + form.file});
    CheckForm(alone, form.format);
    CHECK(alone.Count("SELECT count(*) FROM page_waits") == whole.Count("SELECT count(*) FROM page_waits"));
    CHECK(alone.Count("SELECT count(*) FROM trace_issues WHERE kind = 'probes bound by name'") == 1);
  }
}

// A trace cut by cpu and given as files of one cpu each is the same trace.
TEST_CASE("per-cpu files are one recording") {
  if (!HasRecording("x86-fired/trace.txt")) return;
  std::string text = ReadFile(std::string(MMREPLAY_RECORDINGS) + "/x86-fired/trace.txt");
  TemporaryFolder folder;
  std::map<std::string, std::string> cpus;
  ForEachLine(text, [&](std::string_view line) {
    for (const char* cpu : {"000", "001", "002", "003"}) {
      if (line.find(std::string(" [") + cpu + "] ") == std::string_view::npos) continue;
      cpus[cpu] += std::string(line) + "\n";
      return;
    }
  });
  REQUIRE(cpus.size() == 4);
  RecordingOptions options;
  for (const auto& [cpu, content] : cpus)
    options.inputs.push_back(folder.Write("cpu" + cpu + ".txt", content));
  Analysis merged(options);
  Analysis whole = Analyse({"x86-fired/trace.txt"});
  CHECK(merged.facts().lines.events == whole.facts().lines.events);
  CHECK(merged.Count("SELECT count(*) FROM (SELECT ts, lag(ts) OVER (ORDER BY id) AS before FROM events) "
                     "WHERE before > ts") == 0);
  CHECK(merged.Count("SELECT count(DISTINCT source_id) FROM events") == 4);
  CHECK(merged.Count("SELECT count(*) FROM events e JOIN sources s ON s.id = e.source_id "
                     "WHERE e.line > s.lines_total") == 0);
  for (const char* grade : {"confirmed", "probable", "latent"}) {
    std::string count = std::string("SELECT count(*) FROM findings WHERE grade = '") + grade + "'";
    CHECK(merged.Count(count) == whole.Count(count));
  }
  // Two files of one cpu are two traces.
  options.inputs.push_back(options.inputs.front());
  CHECK_THROWS_WITH(OpenRecording(options), Catch::Contains("a second trace beside"));
}

TEST_CASE("each recording comes out as it must") {
  namespace fs = std::filesystem;
  int described = 0;
  for (const auto& entry : fs::directory_iterator(MMREPLAY_RECORDINGS)) {
    if (!entry.is_directory()) continue;
    std::string name = entry.path().filename();
    DYNAMIC_SECTION(name) {
      if (const Expectation* expected = FindExpectation(name)) {
        CheckRecording(entry.path(), *expected);
      } else {
        // Other forms of a trace are refused with a sentence; a tracefs text must add up.
        try {
          CheckAccounting(entry.path());
        } catch (const Error& error) {
          CHECK(std::string(error.what()).find("looks like") != std::string::npos);
        }
      }
    }
    for (const char* binary : {"trace.dat", "perf.data"}) {
      if (!fs::exists(entry.path() / binary)) continue;
      DYNAMIC_SECTION(name << " against its text") {
        CheckAgreement(entry.path());
      }
    }
    described += FindExpectation(name) != nullptr;
  }
  CHECK(described > 0);
}

}  // namespace mmreplay

int main(int argc, char** argv) {
  if (std::string(MMREPLAY_RECORDINGS).empty()) {
    std::puts("skipped: configure with -DMMREPLAY_RECORDINGS=DIR");
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
