#include "tests/analysis.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "parser/error.h"
#include "parser/input.h"
#include "parser/lines.h"
#include "report/content.h"
#include "rules/rule.h"

namespace mmreplay {

Analysis::Analysis(const RecordingOptions& options, const RecordHook& hook)
    : recording_(OpenRecording(options)), store_(std::make_unique<TraceStore>(std::nullopt)) {
  facts_ = Ingest(recording_, store_.get(), {.record = hook});
  JudgeTrace(BuiltInRules(), &store_->database());
}

Analysis::Analysis(const RecordingOptions& options, const FilterOptions& filter)
    : recording_(OpenRecording(options)), store_(std::make_unique<TraceStore>(std::nullopt)) {
  EventFilter kept(filter);
  facts_ = Ingest(recording_, store_.get(),
                  {.open = [&](const Recording& recording, StringTable* strings, Decoder* decoder) {
                    return OpenFilteredSource(recording, strings, decoder, &kept);
                  }});
  JudgeTrace(BuiltInRules(), &store_->database());
}

std::vector<WaitRow> Analysis::Waits() const {
  Statement query(
      db(),
      "SELECT w.id, w.pid, w.comm, w.pfn, w.function, w.begin_ts, w.end_ts, w.protection, w.outcome, "
      "w.verdict, x.reason, x.event_order FROM page_waits w JOIN page_wait_evidence x ON x.wait_id = w.id "
      "ORDER BY w.id");
  std::vector<WaitRow> rows;
  while (query.Step()) {
    rows.push_back({query.Int(0), query.OptionalInt(1), std::string(query.Text(2)), query.OptionalInt(3),
                    std::string(query.Text(4)), query.OptionalInt(5), query.OptionalInt(6),
                    std::string(query.Text(7)), std::string(query.Text(8)), std::string(query.Text(9)),
                    std::string(query.Text(10)), std::string(query.Text(11))});
  }
  return rows;
}

int64_t Analysis::Count(const std::string& sql) const {
  Statement query(db(), sql);
  return query.Step() ? query.Int(0) : 0;
}

std::string Analysis::Text(const std::string& sql) const {
  Statement query(db(), sql);
  return query.Step() ? std::string(query.Text(0)) : std::string();
}

int Analysis::ExitCode() const {
  return ReadVerdict(db()).ExitCode();
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "mmreplay-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw Error(pattern + ": cannot be created");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& content) const {
  std::string path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Join(const Lines& lines, const std::string& end) {
  std::string text;
  for (const std::string& line : lines) text += line + end;
  return text;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

SampleFiles ReadSampleFiles(const std::string& path, const std::set<std::string>& traces,
                            const std::set<std::string>& others) {
  SampleFiles files;
  for (const InputMember& member : OpenInput(path)) {
    std::string name = member.path.substr(member.path.rfind('/') + 1);
    std::string text = ReadAll(member, size_t{64} << 20).value();
    if (traces.contains(name)) {
      ForEachLine(text, [&](std::string_view line) { files.trace.emplace_back(line); });
    } else if (others.contains(name)) {
      files.others.emplace_back(name, text);
    }
  }
  return files;
}

RecordingOptions SampleRecording(const std::string& file) {
  return {.inputs = {MMREPLAY_SOURCE_DIR "/samples/" + file}, .dmesg = {}, .probes = {}};
}

std::string SampleArchive(const std::string& name) {
  return MMREPLAY_SOURCE_DIR "/samples/" + name + ".tar.xz";
}

}  // namespace mmreplay
