#include "tests/fuzz/seeds.h"

#include <archive.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "parser/error.h"
#include "parser/input.h"
#include "parser/input_format.h"
#include "parser/lines.h"
#include "tests/fuzz/sections.h"
#include "tests/fuzz/target.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

using Files = std::vector<std::pair<std::string, std::string>>;

constexpr size_t kTextSeed = size_t{4} * 1024;
constexpr size_t kSideSeed = size_t{1500};

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Whole lines from the first one on that begins at `from` or behind it.
std::string CutLines(std::string_view text, size_t from, size_t size) {
  if (from > 0) {
    size_t newline = text.find('\n', from - 1);
    if (newline == std::string_view::npos) return {};
    text.remove_prefix(newline + 1);
  }
  if (text.size() <= size) return std::string(text);
  return std::string(text.substr(0, text.rfind('\n', size) + 1));
}

std::string HeadOf(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && text[end] == '#') {
    size_t newline = text.find('\n', end);
    end = newline == std::string_view::npos ? text.size() : newline + 1;
  }
  return std::string(text.substr(0, end));
}

// The beginning of a text, and stretches where things happen, below its head.
std::vector<std::string> Windows(std::string_view text, size_t size) {
  std::vector<std::string> windows = {CutLines(text, 0, size)};
  if (text.size() <= size) return windows;
  for (std::string_view what : {"wait_bit", "migrate", "LOST", "Bad page", "stack trace"}) {
    size_t at = text.find(what);
    if (at == std::string_view::npos || at < size) continue;
    windows.push_back(HeadOf(text) + CutLines(text, at - size / 2, size));
  }
  return windows;
}

std::optional<std::string> TargetOf(InputFormat format) {
  switch (format) {
    case InputFormat::kFtraceText:
      return "tracefs";
    case InputFormat::kTraceCmdReport:
      return "trace_cmd_report";
    case InputFormat::kPerfScript:
      return "perf_script";
    case InputFormat::kFunctionGraph:
      return "function_graph";
    case InputFormat::kLatencyText:
      return "latency";
    case InputFormat::kConsoleLog:
      return "console";
    case InputFormat::kSystraceHtml:
      return "systrace";
    case InputFormat::kPerfData:
      return "perf_data";
    case InputFormat::kTraceDat:
      return "trace_dat";
    default:
      return std::nullopt;
  }
}

bool IsBytes(InputFormat format) {
  return format == InputFormat::kPerfData || format == InputFormat::kTraceDat ||
         format == InputFormat::kBinary;
}

// "mm_page_free: page=... pfn=...": what stands behind the times.
std::string Bodies(std::string_view text) {
  std::string bodies;
  ForEachLine(text, [&](std::string_view line) {
    size_t at = line.find(": ");
    if (at != std::string_view::npos && !line.starts_with('#'))
      bodies += std::string(line.substr(at + 2)) + "\n";
  });
  return bodies;
}

std::string Sections(const Files& files) {
  std::string text;
  for (const auto& [name, content] : files) {
    text += "==== " + name + "\n" + content;
    if (!content.ends_with('\n')) text += '\n';
  }
  return text;
}

class SeedMaker {
 public:
  // Only what was recorded for this program is worth a judgement, which takes long.
  void AddFiles(const Files& files, bool judged) {
    Files traces;
    Files beside;
    for (const auto& [name, content] : files) AddFile(name, content, &traces, &beside);
    // Windows of one trace differ in where they begin: two of them will do for what costs more than reading.
    for (size_t i = 0; i < std::min<size_t>(traces.size(), beside.empty() ? 1 : 2); ++i) {
      Files bundle = {traces[i]};
      bundle.insert(bundle.end(), beside.begin(), beside.end());
      if (judged) Add("pipeline", Sections(bundle));
      Add("bundle", Sections(bundle));
      Add("replay", Sections(bundle));
    }
    if (traces.empty()) return;
    Files small = beside;
    small.insert(small.begin(), {traces[0].first, CutLines(traces[0].second, 0, 2000)});
    constexpr std::array kFilters = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ,
                                     ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_BZIP2};
    if (archives_ < 2 * kFilters.size()) Add("archive", Pack(small, kFilters[archives_++ % kFilters.size()]));
  }

  void AddRule(const std::string& text) { Add("rule_file", text); }

  Seeds Take() { return std::move(seeds_); }

  void Add(const std::string& target, std::string seed) {
    const FuzzTarget* known = FindTarget(target);
    Require(known, "seeds are for targets there are");
    if (seed.size() > known->max_size) seed.resize(known->max_size);
    std::vector<std::string>& seeds = seeds_[target];
    if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) seeds.push_back(std::move(seed));
  }

 private:
  void AddFile(const std::string& name, const std::string& content, Files* traces, Files* beside) {
    InputFormat format = DetectFormat(content);
    std::optional<std::string> target = TargetOf(format);
    if (IsBytes(format)) {
      if (target) Add(*target, content);
      return;
    }
    if (format == InputFormat::kProbeDefinitions) Add("decoder", content.substr(0, kSideSeed));
    if (format == InputFormat::kEventFormats) {
      for (const std::string& window : Windows(content, kSideSeed)) Add("event_format", window);
    }
    bool is_trace = target && format != InputFormat::kConsoleLog;
    if (!is_trace) beside->emplace_back(name, Windows(content, kSideSeed).back());
    if (!target) return;
    for (const std::string& window : Windows(content, kTextSeed)) {
      Add(*target, window);
      if (format == InputFormat::kFtraceText) AddFiltered(CutLines(window, 0, kSideSeed));
      // Each form's text of events, and the console log as the trace it may hold.
      Add("decoder", Bodies(CutLines(window, 0, kSideSeed)));
      traces->emplace_back(name, window);
    }
  }

  void AddFiltered(const std::string& trace) {
    constexpr std::array kOptions = {
        "--pid 1-75\n--event mm_|wait_bit\n", "--cpu 0,2-3\n--comm ^toucher/\n", "--time 3.9..5.4\n--pid 0\n",
        "--time ..9.000001\n--event ^kmem:\n", "--time 1.5..\n--cpu 1\n"};
    Add("event_filter", kOptions[filters_++ % kOptions.size()] + trace);
  }

  Seeds seeds_;
  size_t archives_ = 0;
  size_t filters_ = 0;
};

Files ReadRecording(const std::string& path) {
  Files files;
  for (const InputMember& member : OpenInput(path)) {
    std::string name = member.path.substr(member.path.find_last_of(":/") + 1);
    // The end of a perf.data tells what is in it.
    constexpr size_t kLimit = size_t{1} << 20;
    bool bytes = IsBytes(DetectFormat(member.head));
    bool more = bytes && !member.whole;
    std::string content = more ? ReadAll(member, kLimit).value_or(member.head) : member.head;
    files.emplace_back(name, content);
  }
  return files;
}

// What the samples and cases lack.
void AddWritten(SeedMaker* maker) {
  maker->AddFiles(
      {{"latency.txt",
        "# tracer: irqsoff\n#\n# irqsoff latency trace v1.1.5 on 6.1.192\n"
        "# latency: 259 us, #4/4, CPU#3 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:4)\n"
        "#                    / _-----=> irqs-off/BH-disabled\n"
        "  <idle>-0         3d.h.   12us : sched_waking: comm=a pid=7 prio=120 target_cpu=003\n"
        "toucher/-122       1d.... 6259488us+: page_ref_set: pfn=0x3310 flags= count=1 mapcount=0 "
        "mapping=0 mt=0 val=1\n"
        "    bash-2086      0d....  259us!: <stack trace>\n => do_syscall_64\n"
        "            bash     431   0 1 00000002 00000000 [0000f2b3] 62.131ms (+0.004ms): kfree: "
        "ptr=1 name=2\n"}},
      true);
  maker->AddFiles(
      {{"graph.txt",
        "# tracer: function_graph\n#\n# CPU  DURATION                  FUNCTION CALLS\n"
        "# |     |   |                     |   |   |   |\n"
        " 0)               |  wake_up_process() {\n 0)   0.345 us    |    fn();\n"
        " 3)    bash-431    =>    <idle>-0\n ------------------------------------------\n"
        " 0)               |  /* mm_page_free: page=0 pfn=0x28000 order=9 */\n"
        " 1) @ 184008.2 us |  } /* schedule */\n"
        "507.520069 |   2)  toucher-71   | d..1 | + 12.3 us   |  folio_wait_bit(a=0x1) { /* <-f */\n"}},
      true);
  maker->AddFiles({{"systrace.html",
                    "<!DOCTYPE html>\n<html>\n<script class=\"trace-data\">\n# tracer: nop\n"
                    " a&lt;b-71 (   63) [001] d..2 100.000030: sched_wakeup: comm=a&amp;b pid=7 prio=120 "
                    "target_cpu=001\n a-71 (-----) [001] ...1 100.000031: tracing_mark_write: B|7|draw\n"
                    "</script>\n"}},
                  true);
  maker->Add("event_format",
             "name: mm_page_free\nID: 229\nformat:\n"
             "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
             "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
             "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
             "\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n"
             "\tfield:__data_loc char[] name;\toffset:16;\tsize:4;\tsigned:1;\n"
             "\tfield:__rel_loc u8[] bytes;\toffset:20;\tsize:4;\tsigned:0;\n"
             "\tfield:char comm[4];\toffset:24;\tsize:4;\tsigned:1;\n"
             "\tfield:u16 words[2];\toffset:28;\tsize:4;\tsigned:0;\n\n"
             "print fmt: \"pfn=0x%lx name=\\\"%s\\\" %d\", REC->pfn, __get_str(name), REC->words\n"
             "\n----\n" +
                 std::string(
                     "\xe5\0\1\0\5\0\0\0\0\x80\2\0\0\0\0\0\x20\0\4\0\4\0\4\0run\0\1\0\2\0abc\0\1\2\3\4", 40));
  maker->Add("event_format",
             "name: folio_wait_bit\nID: 1500\nformat:\n"
             "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
             "\tfield:unsigned long __probe_func;\toffset:8;\tsize:8;\tsigned:0;\n"
             "\tfield:unsigned long __probe_ret_ip;\toffset:16;\tsize:8;\tsigned:0;\n"
             "\tfield:s32 bit;\toffset:24;\tsize:4;\tsigned:1;\n\n"
             "print fmt: \"(%lx <- %lx) bit=%d\", REC->__probe_func, REC->__probe_ret_ip, REC->bit\n"
             "\n----\n" +
                 std::string(28, '\1'));
  maker->Add("rule_file",
             "wait_on_freed_page/* log=*410-* up-to=probable because the machines are to be replaced\n");
}

}  // namespace

std::vector<std::string> RecordingsBelow(const std::vector<std::string>& folders) {
  std::vector<std::string> paths;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      paths.push_back(entry.path().string());
      // A recording that was not packed is a folder.
      if (entry.path().filename() == "uname.txt") paths.push_back(entry.path().parent_path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Seeds MakeSeeds(const std::vector<std::string>& paths) {
  SeedMaker maker;
  AddWritten(&maker);
  for (const std::string& path : paths) {
    if (path.ends_with(".case")) {
      maker.AddFiles(SplitSections(ReadWhole(path)), true);
    } else if (path.ends_with(".sql")) {
      maker.AddRule(ReadWhole(path));
    } else {
      try {
        Files files = ReadRecording(path);
        maker.AddFiles(files, files.size() > 1);
      } catch (const Error&) {
        // what no reader takes is no seed
      }
    }
  }
  return maker.Take();
}

}  // namespace mmreplay
