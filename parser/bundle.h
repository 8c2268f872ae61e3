// The files of one recording, told apart by content: the trace, and beside it the probe
// definitions, the console log, ring buffer statistics and the kernel version.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parser/console_log.h"
#include "parser/input.h"
#include "parser/input_format.h"
#include "parser/probe_definitions.h"
#include "parser/probe_signatures.h"
#include "parser/typed_fields.h"

namespace mmreplay {

struct Source {
  std::string role;  // trace, probes, console, cpu_stats, uname, formats, probe_profile, clock, other
  std::string path;
  std::optional<int64_t> lines;  // nullopt until read, and for files that are not used
};

// One cpu's ring buffer, from per_cpu/cpuN/stats.
struct CpuStats {
  int32_t cpu;
  int64_t overrun = 0;  // events overwritten
  int64_t commit_overrun = 0;
  int64_t dropped = 0;               // found the buffer full
  std::optional<int64_t> oldest_us;  // time stamp of the first event that is there; not kept in databases
  int64_t read = 0;                  // by a consumer (trace_pipe): not kept in databases
};

// So many cpus' statistics are kept.
inline constexpr size_t kMostCpuStats = 65'536;

struct Recording {
  std::string path;  // as the user gave it
  InputMember trace;
  std::shared_ptr<SeekableFile> trace_file;  // of binary formats, which are read at any offset
  InputFormat trace_format = InputFormat::kFtraceText;
  size_t trace_source = 0;  // index into sources
  // Further files of the trace, one per cpu: to be merged with it.
  std::vector<InputMember> more_traces;
  std::vector<size_t> more_trace_sources;
  std::vector<Source> sources;
  std::vector<ProbeDefinition> probes;
  std::vector<EventFormat> formats;
  FormatRoom format_room;  // what is left of it
  ConsoleFacts console;
  size_t console_source = 0;  // index into sources, where there are reports
  std::vector<CpuStats> cpu_stats;
  std::optional<std::string> kernel_release;  // "6.1.0-56-arm64"
  std::optional<std::string> machine;         // "aarch64", "x86_64"
  std::optional<std::string> clock;           // trace clock's name, if any file tells
  int64_t probe_misses = 0;                   // from kprobe_profile
  // Sentences on what of these files could not be read. An empty one says nothing: reading the trace may yet
  // fill it.
  std::vector<std::shared_ptr<const std::string>> damage;
};

struct RecordingOptions {
  std::vector<std::string> inputs;               // files, directories, archives, "-": parts of one recording
  std::optional<std::string> dmesg;              // --dmesg
  std::optional<std::string> probes;             // --probes
  std::optional<std::string> input_format = {};  // --input-format: what the trace is, see FormatOptions()
};

// Throws Error with a sentence that names the file and what it looks like when there is no trace
// this version reads, or more than one.
Recording OpenRecording(const RecordingOptions& options);

// Of the files of one folder, in any order, those that are one recording together: a trace with what belongs
// beside it, the files of the cpus (named after them: "cpu0"), a trace.dat with its report. Empty where each
// file stands for itself: no trace, or several. Archives stand for themselves always, and so do files that
// cannot be read.
std::vector<std::string> PartsOfOneRecording(const std::vector<std::string>& files);

}  // namespace mmreplay
