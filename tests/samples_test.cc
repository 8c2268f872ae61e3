#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "report/content.h"
#include "tests/analysis.h"
#include "tests/expectations.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

const fs::path kSampleFolder = MMREPLAY_SOURCE_DIR "/samples";

// .tar.xz was recorded by hand, .tar.gz is a bundle as samples/capture/mmreplay-capture wrote it.
std::vector<fs::path> Samples() {
  std::vector<fs::path> samples;
  for (const auto& entry : fs::directory_iterator(kSampleFolder)) {
    std::string name = entry.path().filename();
    if (name.ends_with(".tar.xz") || name.ends_with(".tar.gz")) samples.push_back(entry.path());
  }
  std::sort(samples.begin(), samples.end());
  return samples;
}

std::string NameOf(const fs::path& sample) {
  std::string name = sample.filename();
  return name.substr(0, name.size() - 7);
}

// What a person would want to know of an analysis, and nothing that depends on where the sample lies.
std::string Summary(const Analysis& analysis) {
  ReportContent content = ReadContent(analysis.db());
  std::string text = "exit: " + std::to_string(analysis.ExitCode()) + "\n";
  text += "format: " + content.input.format + "\n";
  const InputFacts& input = content.input;
  text += "lines: " + std::to_string(input.lines) + " = " + std::to_string(input.events) + " events " +
          std::to_string(input.comments) + " comments " + std::to_string(input.continuations) +
          " continuations " + std::to_string(input.markers) + " markers " + std::to_string(input.rejected) +
          " rejected\n";
  for (const WaitClass& waits : content.waits) {
    text += "waits: " + std::to_string(waits.count) + " " + waits.verdict + " " + waits.function +
            (waits.caller.empty() ? "" : " in " + waits.caller) + ": " + waits.reason +
            (waits.outcome.empty() ? "" : " (" + waits.outcome + ")") + "\n";
  }
  for (const RuleAnswer& rule : content.rules) {
    if (rule.findings > 0) text += "findings: " + std::to_string(rule.findings) + " " + rule.rule + "\n";
  }
  for (const CountedName& count : content.migrations)
    text += "migrations: " + std::to_string(count.count) + " " + count.name + "\n";
  text += "fidelity: " + std::to_string(content.fidelity.matched) + " of " +
          std::to_string(content.fidelity.anchors) + "\n";
  text += "reports: " + std::to_string(content.reports) + "\n";
  return text;
}

}  // namespace

// Real recordings with the kernel's own labels; provenance in samples/README.md.
TEST_CASE("each sample comes out as the kernel's labels say", "[samples]") {
  uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kSampleFolder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  CHECK(bytes < 8u << 20);
  CHECK(Samples().size() >= 30);
  for (const fs::path& sample : Samples()) {
    CAPTURE(NameOf(sample));
    const Expectation* expected = FindExpectation(NameOf(sample));
    REQUIRE(expected);
    DYNAMIC_SECTION(NameOf(sample)) {
      CheckRecording(sample, *expected);
    }
  }
}

// samples/expected holds what each came out as. MMREPLAY_UPDATE_SAMPLES=1 writes it anew: read the diff.
TEST_CASE("each sample comes out as before", "[samples]") {
  bool update = std::getenv("MMREPLAY_UPDATE_SAMPLES") != nullptr;
  std::string readme = ReadFile(kSampleFolder / "README.md");
  for (const fs::path& sample : Samples()) {
    fs::path expected = kSampleFolder / "expected" / (NameOf(sample) + ".txt");
    CAPTURE(NameOf(sample));
    CHECK(readme.find(NameOf(sample)) != std::string::npos);
    std::string summary = Summary(Analysis({.inputs = {sample}, .dmesg = {}, .probes = {}}));
    if (update) std::ofstream(expected) << summary;
    CHECK(summary == ReadFile(expected));
  }
}

}  // namespace mmreplay
