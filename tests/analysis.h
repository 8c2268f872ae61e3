// Analyses for tests: a recording in, what the database says out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/ingest.h"
#include "db/trace_store.h"
#include "parser/bundle.h"
#include "parser/event_filter.h"

namespace mmreplay {

struct WaitRow {
  int64_t id;
  std::optional<int64_t> pid;
  std::string comm;
  std::optional<int64_t> pfn;
  std::string function;
  std::optional<int64_t> begin_ts;
  std::optional<int64_t> end_ts;
  std::string protection;
  std::string outcome;
  std::string verdict;
  std::string reason;
  std::string event_order;
};

// One finished analysis. The database is temporary and lives with it.
class Analysis {
 public:
  explicit Analysis(const RecordingOptions& options, const RecordHook& hook = {});
  Analysis(const RecordingOptions& options, const FilterOptions& filter);

  const Database& db() const { return store_->database(); }
  std::vector<WaitRow> Waits() const;
  int64_t Count(const std::string& sql) const;  // first column of the first row
  std::string Text(const std::string& sql) const;
  int ExitCode() const;
  const Recording& recording() const { return recording_; }
  const TraceFacts& facts() const { return facts_; }

 private:
  Recording recording_;
  std::unique_ptr<TraceStore> store_;
  TraceFacts facts_;
};

// A folder under the system's temporary folder, gone with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);

using Lines = std::vector<std::string>;

std::string Join(const Lines& lines, const std::string& end = "\n");
// `text` with `to` in the place of each `from`.
std::string Replaced(std::string text, const std::string& from, const std::string& to);

// What a sample is made of, to be changed: the lines of its trace, and files beside it.
struct SampleFiles {
  Lines trace;  // empty: it has none of that name
  std::vector<std::pair<std::string, std::string>> others;
};
// Of the archive `path`, by names without folders.
SampleFiles ReadSampleFiles(const std::string& path, const std::set<std::string>& traces,
                            const std::set<std::string>& others);

// A file of samples/, and the recording it is.
RecordingOptions SampleRecording(const std::string& file);
// The path of a sample that is an archive; its name goes without ".tar.xz".
std::string SampleArchive(const std::string& name);

}  // namespace mmreplay
