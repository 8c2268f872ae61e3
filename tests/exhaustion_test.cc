// Every recording, damaged in every way, and inputs made to exhaust: nothing falls over, every line is
// accounted for, time grows with the size of the input and memory does not.
//
// MMREPLAY_EXHAUSTION=FACTOR makes the inputs that many times larger, and tries that many times more damage.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <malloc.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "parser/error.h"
#include "parser/input.h"
#include "parser/lines.h"
#include "parser/trace_reader.h"
#include "replay/shadow_mm.h"
#include "tests/analysis.h"
#include "tests/binary.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937;

// What --max-memory 200 allows. A sanitizer has several times the memory of what it looks at.
#ifdef MMREPLAY_ADDRESS_SANITIZER
constexpr int64_t kMostKib = std::numeric_limits<int64_t>::max();
#else
constexpr int64_t kMostKib = 200 * 1024;
#endif

size_t Factor() {
  const char* given = std::getenv("MMREPLAY_EXHAUSTION");
  return given ? std::max(1UL, std::strtoul(given, nullptr, 10)) : 1;
}

struct Sample {
  std::string name;
  Lines trace;  // empty: a binary one
  std::vector<std::pair<std::string, std::string>> others;
};

std::vector<Sample> TextSamples() {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(MMREPLAY_SOURCE_DIR "/samples")) {
    std::string name = entry.path().filename();
    if (name.ends_with(".tar.xz") || name.ends_with(".tar.gz")) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Sample> samples;
  for (const std::string& path : paths) {
    SampleFiles files =
        ReadSampleFiles(path, {"trace.txt", "trace"}, {"kprobe_events.txt", "kprobe_events", "uname.txt"});
    if (files.trace.empty()) continue;
    samples.push_back({path.substr(path.rfind('/') + 1), std::move(files.trace), std::move(files.others)});
  }
  return samples;
}

bool Balances(const LineCounts& lines) {
  return lines.total == lines.events + lines.comments + lines.continuations + lines.markers + lines.rejected;
}

// Parser and model, without a database. True if every line is accounted for, and every event was seen.
bool Survives(std::string_view text) {
  StringTable strings;
  Decoder decoder(&strings, {}, std::nullopt);
  size_t at = 0;
  TraceReader reader(
      [&](char* buffer, size_t size) {
        size_t take = std::min(size, text.size() - at);
        std::memcpy(buffer, text.data() + at, take);
        at += take;
        return take;
      },
      MakeLineFormat(InputFormat::kFtraceText), &strings, &decoder, 64 * 1024);
  size_t records = 0;
  TraceLearner learner({});
  ShadowMm model({}, [&](Record&&) { ++records; });
  Batch batch;
  int64_t events = 0;
  while (reader.Next(&batch)) {
    for (const Event& event : batch.events) learner.See(event);
    model.Learn(learner.Take());
    ForEachInOrder(batch, [&](const auto& each) { model.Replay(each); });
    events += static_cast<int64_t>(batch.events.size());
  }
  model.Finish();
  return Balances(reader.lines()) && events == reader.lines().events;
}

// The whole of it, with a database. nullptr where nothing of the text can be read.
std::unique_ptr<Analysis> Analyse(const Sample& sample, const std::string& text) {
  TemporaryFolder folder;
  folder.Write("trace.txt", text);
  for (const auto& [name, content] : sample.others) folder.Write(name, content);
  try {
    auto analysis =
        std::make_unique<Analysis>(RecordingOptions{.inputs = {folder.path()}, .dmesg = {}, .probes = {}});
    const LineCounts& lines = analysis->facts().lines;
    CHECK(Balances(lines));
    CHECK(analysis->Count("SELECT count(*) FROM events") == lines.events - lines.left_out);
    return analysis;
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("trace.txt") != std::string::npos);
    return nullptr;
  }
}

int64_t Accusations(const Analysis& analysis) {
  return analysis.Count("SELECT count(*) FROM page_waits WHERE verdict IN ('confirmed', 'probable')");
}

// What a process that ran the program took.
struct Taken {
  int exit_code;
  double seconds;
  int64_t peak_kib;
  std::string out;
};

Taken RunProgram(std::vector<std::string> arguments) {
  TemporaryFolder folder;
  std::string out = folder.path() + "/out";
  std::vector<char*> argv;
  std::string program = MMREPLAY_BINARY;
  argv.push_back(program.data());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Until it is another program the child is this one, whose memory would count as its peak
  // (fs/exec.c:exec_mmap).
  malloc_trim(0);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int fd = open(out.c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  REQUIRE(wait4(child, &status, 0, &usage) == child);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, seconds(usage.ru_utime) + seconds(usage.ru_stime),
          usage.ru_maxrss, ReadFile(out)};
}

std::string Hex(uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%lx", number);
  return text;
}

// "  a-7   [001] d..2.  1.000042: "
std::string Prefix(size_t i, const std::string& comm = "a", size_t pid = 7, size_t cpu = 1) {
  char time[32];
  std::snprintf(time, sizeof(time), "%zu.%06zu", 1 + i / 1'000'000, i % 1'000'000);
  return "  " + comm + "-" + std::to_string(pid) + "   [" + std::to_string(cpu / 100) +
         std::to_string(cpu / 10 % 10) + std::to_string(cpu % 10) + "] d..2.  " + time + ": ";
}

// Line i of an input in which each line names something new.
struct Flood {
  const char* name;
  std::string (*line)(size_t i);
  const char* issue;  // what has to be said of it when there is too much; nullptr: nothing
};

const Flood kFloods[] = {
    {"comms", [](size_t i) { return Prefix(i, "c" + std::to_string(i)) + "x: y=1"; }, "texts not kept"},
    {"names", [](size_t i) { return Prefix(i) + "n" + std::to_string(i) + ": y=1"; }, "names not kept"},
    {"probes",
     [](size_t i) {
       return Prefix(i) + "n" + std::to_string(i) + ": (folio_wait_bit+0x0/0x24) folio=0xffffea0000000040";
     },
     "names not kept"},
    {"places",
     [](size_t i) { return Prefix(i) + "p: (f" + std::to_string(i) + "+0x0/0x24) folio=0xffffea0000000040"; },
     "places not kept"},
    {"pages",
     [](size_t i) {
       return Prefix(i) + "page_ref_mod: pfn=0x" + Hex(i) +
              " flags=0x0 count=2 mapcount=0 mapping=0 mt=1 val=1";
     },
     "pages forgotten"},
    {"freed pages",
     [](size_t i) {
       return Prefix(i) + "mm_page_free: page=ffffea" + Hex(0x1000000000 + i * 64).substr(0, 10) + " pfn=0x" +
              Hex(i) + " order=0";
     },
     nullptr},
    {"allocations",
     [](size_t i) {
       return Prefix(i) + "mm_page_alloc: page=00000000 pfn=0x" + Hex(i * 512) +
              " order=9 migratetype=0 gfp_flags=GFP_KERNEL";
     },
     "pages forgotten"},
    {"takers of one page",
     [](size_t i) {
       return Prefix(i, "a", i) +
              "page_ref_mod: pfn=0x1000 flags=0x0 count=2 mapcount=0 mapping=0 mt=1 val=1";
     },
     "tasks forgotten"},
    {"takers of all pages",
     [](size_t i) {
       return Prefix(i, "a", i % 61) + "page_ref_mod: pfn=0x" + Hex(i % 4001) +
              " flags=0x0 count=2 mapcount=0 mapping=0 mt=1 val=1";
     },
     nullptr},
    {"tasks", [](size_t i) { return Prefix(i, "a", i) + "mm_page_free: page=0 pfn=0x7 order=0"; },
     "tasks forgotten"},
    {"locks",
     [](size_t i) {
       const char* step = i % 2 == 0 ? "lock_acquired" : "lock_release";
       return Prefix(i) + step + ": ffff" + Hex(0x100000000000 + i / 2 * 64) + " ptlock_ptr(page)";
     },
     "locks forgotten"},
    {"locks held",
     [](size_t i) {
       return Prefix(i, "a", 10 + i % 5000, i % 200) + "lock_acquired: ffff" + Hex(0x100000000000 + i * 64) +
              " ptlock_ptr(page)";
     },
     nullptr},
    {"cpus", [](size_t i) { return Prefix(i, "a", 7, i) + "mm_page_free: page=0 pfn=0x7 order=0"; },
     "too many cpus"},
    {"waits without end",
     [](size_t i) {
       return Prefix(i, "a", i) + "w: (folio_wait_bit+0x0/0x24) folio=0xffffea" +
              Hex(0x1000000000 + i * 64).substr(0, 10) + " bit=0";
     },
     "tasks forgotten"},
    {"entries without return",
     [](size_t i) { return Prefix(i, "a", i % 100) + "e: (do_huge_pmd_numa_page+0x0/0x24) pte=0x" + Hex(i); },
     nullptr},
    {"migrations",
     [](size_t i) {
       return Prefix(i, "a", i % 1000) + "set_migration_pmd: addr=" + Hex(i << 21) +
              ", pmd=" + Hex(0x7c00000000000000 + (i << 9));
     },
     nullptr},
    {"losses",
     [](size_t i) {
       return i % 2 == 0 ? "CPU:" + std::to_string(i % 64) + " [LOST 7 EVENTS]"
                         : Prefix(i, "a", i % 4000, i / 2 % 64) +
                               "w: (folio_wait_bit+0x0/0x24) folio=0xffffea0000000040";
     },
     nullptr},
    {"losses while tasks wait",
     [](size_t i) {
       return i % 2 == 0 ? "CPU:" + std::to_string(i / 2 % 8) + " [LOST 7 EVENTS]"
                         : Prefix(i, "a", i % 30'000, i / 2 % 8) +
                               "w: (folio_wait_bit+0x0/0x24) folio=0xffffea0000000040";
     },
     nullptr},
    {"losses of no cpu",
     [](size_t i) {
       return i < 10'000 ? Prefix(i, "a", i) + "w: (folio_wait_bit+0x0/0x24) folio=0xffffea0000000040"
                         : "CPU:" + std::to_string(i) + " [LOST 7 EVENTS]";
     },
     nullptr},
    {"waits on one page",
     [](size_t i) {
       const char* steps[] = {"f: (do_huge_pmd_numa_page+0x0/0x200) pte=0x1",
                              "w: (folio_wait_bit+0x0/0x24) folio=0xffffea0000040000 bit=0",
                              "wr: (do_huge_pmd_numa_page+0x80/0x200 <- folio_wait_bit)"};
       return Prefix(i, "a", 7 + i / 3 % 40) + steps[i % 3];
     },
     nullptr},
    {"fields", [](size_t i) { return Prefix(i) + "x: f" + std::to_string(i % 250) + "=1 f249=2"; }, nullptr},
    {"short lines", [](size_t) { return std::string("a-1 [000] 1.000001: x: "); }, nullptr},
    {"frames", [](size_t i) { return i % 64 == 0 ? Prefix(i) + "kernel_stack: <stack trace>" : " => f"; },
     nullptr},
    {"rejected lines", [](size_t i) { return "  a-1   [000] d..2.  1." + std::to_string(i); }, nullptr},
};

std::string WriteFlood(const TemporaryFolder& folder, const Flood& flood, size_t count) {
  std::string path = folder.path() + "/trace.txt";
  std::ofstream out(path);
  out << "# tracer: nop\n#\n";
  for (size_t i = 0; i < count; ++i) out << flood.line(i) << "\n";
  return path;
}

}  // namespace

TEST_CASE("the head of each recording: cut at each byte, each byte flipped, each line dropped",
          "[exhaustion]") {
  size_t head = 1536 * Factor();
  for (const Sample& sample : TextSamples()) {
    CAPTURE(sample.name);
    std::string text = Join(sample.trace);
    // Events, and not only the header.
    size_t events = text.find("\n  ");
    text = text.substr(events == std::string::npos ? 0 : events, head);
    Random random(1);
    size_t failed = 0;
    for (size_t cut = 0; cut < text.size(); ++cut) failed += !Survives(std::string_view(text).substr(0, cut));
    for (size_t at = 0; at < text.size(); ++at) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(flipped[at] ^ static_cast<char>(1U << random() % 8));
      failed += !Survives(flipped);
    }
    for (char byte : {'\0', '\xff', '\n', ' '}) {
      for (size_t at = 0; at < text.size(); at += 7) {
        std::string other = text;
        other[at] = byte;
        failed += !Survives(other);
      }
    }
    for (size_t drop = 0; drop < 16 * Factor(); ++drop) {
      Lines lines(sample.trace.begin(), sample.trace.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(
                                                                   sample.trace.size(), 64)));
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(drop % lines.size()));
      failed += !Survives(Join(lines));
    }
    CHECK(failed == 0);
  }
}

TEST_CASE("each recording: cut, shuffled, doubled and with its first bytes flipped", "[exhaustion]") {
  for (const Sample& sample : TextSamples()) {
    Sample part = sample;
    part.trace.resize(std::min<size_t>(sample.trace.size(), 3000 * Factor()));
    auto whole = Analyse(sample, Join(part.trace));
    REQUIRE(whole);
    bool healthy = Accusations(*whole) == 0;
    auto check = [&](const char* damage, const std::string& text) {
      CAPTURE(sample.name, damage);
      auto analysis = Analyse(sample, text);
      if (analysis && healthy) CHECK(Accusations(*analysis) == 0);
    };
    for (uint32_t seed = 0; seed < Factor(); ++seed) {
      Random random(seed);
      Lines lines = part.trace;
      lines.resize(random() % lines.size());
      check("cut at a line", Join(lines));

      lines = part.trace;
      std::erase_if(lines, [&](const std::string&) { return random() % 100 == 0; });
      check("lines dropped", Join(lines));

      lines.clear();
      for (const std::string& line : part.trace) lines.insert(lines.end(), {line, line});
      check("doubled", Join(lines));

      std::string text = Join(part.trace);
      for (int flip = 0; flip < 8; ++flip)
        text[random() % std::min<size_t>(text.size(), 4096)] ^= static_cast<char>(1U << random() % 8);
      check("bytes flipped", text);
    }
  }
}

namespace {

// The lines of a trace in another order.
struct Reordering {
  const char* name;
  bool backwards;  // within a cpu
  Lines (*reorder)(Lines lines, Random* random);
};

int CpuNumberOf(const std::string& line) {
  size_t bracket = line.find("] ");
  return bracket < 3 || bracket == std::string::npos ? -1 : std::atoi(line.c_str() + bracket - 3);
}

Lines Blocks(const Lines& lines, size_t size, Random* random) {
  std::vector<Lines> blocks;
  for (size_t at = 0; at < lines.size(); at += size) {
    auto begin = lines.begin() + static_cast<std::ptrdiff_t>(at);
    blocks.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(std::min(size, lines.size() - at)));
  }
  std::shuffle(blocks.begin(), blocks.end(), *random);
  Lines joined;
  for (const Lines& block : blocks) joined.insert(joined.end(), block.begin(), block.end());
  return joined;
}

const Reordering kReorderings[] = {
    {"shuffled", true,
     [](Lines lines, Random* random) {
       std::shuffle(lines.begin(), lines.end(), *random);
       return lines;
     }},
    {"shuffled near by", true,
     [](Lines lines, Random* random) {
       for (size_t i = 0; i + 8 < lines.size(); i += 8)
         std::shuffle(lines.begin() + static_cast<std::ptrdiff_t>(i),
                      lines.begin() + static_cast<std::ptrdiff_t>(i + 8), *random);
       return lines;
     }},
    {"reversed", true,
     [](Lines lines, Random*) {
       std::reverse(lines.begin(), lines.end());
       return lines;
     }},
    {"halves swapped", true,
     [](Lines lines, Random*) {
       std::rotate(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(lines.size() / 2), lines.end());
       return lines;
     }},
    {"blocks of 40 shuffled", true, [](Lines lines, Random* random) { return Blocks(lines, 40, random); }},
    {"blocks of 700 shuffled", true, [](Lines lines, Random* random) { return Blocks(lines, 700, random); }},
    {"told twice", true,
     [](Lines lines, Random*) {
       size_t size = lines.size();
       for (size_t i = 0; i < size; ++i) lines.push_back(lines[i]);
       return lines;
     }},
    {"cpu after cpu", true,
     [](Lines lines, Random*) {
       std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
         return CpuNumberOf(a) < CpuNumberOf(b);
       });
       return lines;
     }},
    // No other order.
    {"each line doubled", false,
     [](Lines lines, Random*) {
       Lines doubled;
       for (const std::string& line : lines) doubled.insert(doubled.end(), {line, line});
       return doubled;
     }},
};

}  // namespace

// Stamps of one cpu never run backwards as they are recorded, and those of all do not as they are printed:
// what such lines seem to show happened in no order.
TEST_CASE("lines in another order accuse nobody, and what runs backwards is not judged", "[exhaustion]") {
  size_t healthy = 0;
  for (const Sample& sample : TextSamples()) {
    auto whole = Analyse(sample, Join(sample.trace));
    REQUIRE(whole);
    CHECK(whole->Count("SELECT count(*) FROM trace_issues WHERE kind = 'events in disorder'") == 0);
    if (Accusations(*whole) > 0) continue;
    ++healthy;
    auto events = std::find_if(sample.trace.begin(), sample.trace.end(),
                               [](const std::string& line) { return !line.starts_with('#'); });
    for (const Reordering& one : kReorderings) {
      for (uint32_t seed = 1; seed <= Factor(); ++seed) {
        Random random(seed);
        Lines lines(sample.trace.begin(), events);
        for (std::string& line : one.reorder(Lines(events, sample.trace.end()), &random))
          lines.push_back(std::move(line));
        auto analysis = Analyse(sample, Join(lines));
        CAPTURE(sample.name, one.name, seed);
        REQUIRE(analysis);
        CHECK(Accusations(*analysis) == 0);
        bool told =
            analysis->Count("SELECT count(*) FROM trace_issues WHERE kind = 'events in disorder'") == 1;
        CHECK(told == one.backwards);
        if (one.backwards) CHECK(analysis->ExitCode() == 3);
      }
    }
  }
  CHECK(healthy >= 8);
}

TEST_CASE("a stamp that lost a digit takes no finding away", "[exhaustion]") {
  for (const Sample& sample : TextSamples()) {
    if (sample.name != "x86-fired.tar.xz" && sample.name != "410-x86-fired-nochurn.tar.xz") continue;
    auto whole = Analyse(sample, Join(sample.trace));
    REQUIRE(whole);
    for (size_t place : {sample.trace.size() / 3, sample.trace.size() / 2}) {
      Lines lines = sample.trace;
      size_t dot = lines[place].find('.', lines[place].find("] ") + 8);
      REQUIRE(dot != std::string::npos);
      for (const char* with : {"", "99"}) {
        Lines garbled = lines;
        garbled[place].replace(dot + 1, 1, with);
        if (*with != '\0') garbled[place].replace(dot - 1, 1, "99");
        auto analysis = Analyse(sample, Join(garbled));
        CAPTURE(sample.name, place, with, garbled[place]);
        REQUIRE(analysis);
        CHECK(analysis->Count("SELECT count(*) FROM trace_issues WHERE kind = 'events in disorder'") == 0);
        CHECK(Accusations(*analysis) * 10 > Accusations(*whole) * 8);
      }
    }
  }
}

namespace {

struct BinarySample {
  const char* name;
  InputFormat format;
};

// Whole, and with its sums; nullptr where the program refuses it by name.
std::unique_ptr<Analysis> AnalyseBinary(const std::string& bytes) {
  TemporaryFolder folder;
  std::string path = folder.Write("trace.bin", bytes);
  try {
    auto analysis = std::make_unique<Analysis>(RecordingOptions{.inputs = {path}, .dmesg = {}, .probes = {}});
    const LineCounts& lines = analysis->facts().lines;
    CHECK(Balances(lines));
    CHECK(analysis->Count("SELECT count(*) FROM events") == lines.events);
    return analysis;
  } catch (const Error& error) {
    CHECK(std::string(error.what()).starts_with(path));
    return nullptr;
  }
}

}  // namespace

TEST_CASE("binary recordings: cut, bits flipped, blocks swapped", "[exhaustion]") {
  const BinarySample kSamples[] = {{"x86-dat-v6.tar.xz", InputFormat::kTraceDat},
                                   {"x86-dat-lost.tar.xz", InputFormat::kTraceDat},
                                   {"x86-perf-pipe.tar.xz", InputFormat::kPerfData},
                                   {"x86-perf-zstd.tar.xz", InputFormat::kPerfData},
                                   {"x86-perf-lost.tar.xz", InputFormat::kPerfData}};
  for (const BinarySample& sample : kSamples) {
    std::string bytes =
        ExtractMember(std::string(MMREPLAY_SOURCE_DIR "/samples/") + sample.name, sample.format);
    auto whole = AnalyseBinary(bytes);
    REQUIRE(whole);
    int64_t accusations = Accusations(*whole);
    int64_t events = whole->facts().lines.events;
    CHECK(whole->Count("SELECT count(*) FROM trace_issues WHERE severity = 'error'") == 0);

    std::vector<size_t> cuts;
    for (size_t i = 1; i < 64; ++i) cuts.push_back(bytes.size() * i / 64);
    for (size_t at = 0; at < 256; at += 256 / (16 * Factor())) cuts.push_back(at);
    for (size_t less : {1U, 2U, 7U, 8U, 9U, 511U, 4095U, 4096U, 4097U})
      cuts.push_back(bytes.size() - std::min<size_t>(less, bytes.size()));
    for (size_t cut : cuts) {
      auto analysis = AnalyseBinary(bytes.substr(0, cut));
      CAPTURE(sample.name, bytes.size(), cut);
      if (!analysis) continue;
      CHECK(analysis->facts().lines.events <= events);
      CHECK(Accusations(*analysis) <= accusations);
      // What was not read may hold the finding. (Behind the events there is what nobody needs.)
      if (analysis->facts().lines.events == events) continue;
      CHECK(analysis->ExitCode() != 0);
      CHECK(analysis->Count("SELECT count(*) FROM trace_issues WHERE severity = 'error'") > 0);
    }
    Random random(3);
    for (size_t i = 0; i < 48 * Factor(); ++i) {
      std::string flipped = bytes;
      flipped[random() % std::min<size_t>(bytes.size(), 4096)] ^= static_cast<char>(1U << random() % 8);
      AnalyseBinary(flipped);
    }
    for (size_t block : {size_t{512}, size_t{4096}, bytes.size() / 8}) {
      for (size_t i = 0; i < 4 * Factor(); ++i) {
        size_t blocks = bytes.size() / block;
        if (blocks < 2) continue;
        std::string swapped = bytes;
        size_t one = random() % blocks * block;
        size_t other = random() % blocks * block;
        swapped.replace(one, block, bytes.substr(other, block));
        swapped.replace(other, block, bytes.substr(one, block));
        AnalyseBinary(swapped);
      }
    }
  }
}

TEST_CASE("values at their ends", "[exhaustion]") {
  std::string text = "# tracer: nop\n#\n";
  auto add = [&](const std::string& time, const std::string& body) {
    text += "  a-7   [001] d..2.  " + time + ": " + body + "\n";
  };
  const char* const times[] = {"9223372036.854775",        "9223372036.854775807",
                               "18446744073.709551615",    "0.000000",
                               "9223372035.000000",        "1.000000",
                               "99999999999999999999.999", "9223372036854775807"};
  const char* const pfns[] = {"0x10000000000000",     "0xffffffffffffffff",      "0x8000000000000000",
                              "18446744073709551615", "99999999999999999999999", "0"};
  for (const char* time : times) {
    for (const char* pfn : pfns) {
      std::string page = std::string("pfn=") + pfn;
      add(time, "page_ref_set: " + page + " flags=0x0 count=1 mapcount=0 mapping=0 mt=1 val=1");
      for (const char* order : {"0", "10", "40", "63", "64", "4294967295", "-1"}) {
        add(time, "mm_page_alloc: page=0 " + page + " order=" + order + " migratetype=0 gfp_flags=0");
        add(time, "mm_page_free: page=0 " + page + " order=" + order);
      }
      for (const char* count : {"2147483647", "-2147483648", "-1", "99999999999"}) {
        add(time, "page_ref_mod: " + page + " flags=0x0 count=" + count +
                      " mapcount=0 mapping=0 mt=1 val=" + count);
        add(time, "page_ref_mod_and_return: " + page + " flags=0x0 count=" + count +
                      " mapcount=0 mapping=0 mt=1 val=" + count + " ret=" + count);
      }
      add(time, "w: (folio_wait_bit+0x0/0x24) folio=0xffffffffffffffff bit=-1 count=-1");
      add(time, "lock_acquired: ffffffffffffffff ptlock_ptr(page)");
      add(time, "set_migration_pmd: addr=ffffffffffffffff, pmd=ffffffffffffffff");
    }
  }
  text += std::string("  a\0b-7   [001] d..2.  1.000000: x\0y: z=\0\n", 43);
  text += "  \xff\xfe\xc3(-7   [001] d..2.  1.000000: \x80\x80: \xf8=\xf8\n";
  text += "  a-2147483647   [2147483647] d..2.  1.000000: x: y=1\n";
  text += "  a--2147483648   [-1] d..2.  1.000000: x: y=1\n";
  text += "CPU:2147483647 [LOST 18446744073709551615 EVENTS]\n";
  text += "##### CPU -1 buffer started ####\n";
  CHECK(Survives(text));
  auto analysis = Analyse({}, text);
  REQUIRE(analysis);
  CHECK(analysis->facts().lines.events > 700);
}

TEST_CASE("a line of 64 MiB is one rejected line", "[exhaustion]") {
  std::string text = "# tracer: nop\n  a-7   [001] d..2.  1.000000: x: y=1\n";
  text += "  a-7   [001] d..2.  1.000001: x: " + std::string(size_t{64} << 20, 'y') + "\n";
  text += "  a-7   [001] d..2.  1.000002: x: y=2\n";
  auto analysis = Analyse({}, text);
  REQUIRE(analysis);
  CHECK(analysis->facts().lines.events == 2);
  CHECK(analysis->facts().lines.rejected == 1);
  CHECK(analysis->facts().lines.total == 4);
}

TEST_CASE("what a trace names takes no more memory than --max-memory, and time in proportion",
          "[exhaustion]") {
  size_t count = 100'000 * Factor();
  for (const Flood& flood : kFloods) {
    CAPTURE(flood.name);
    TemporaryFolder folder;
    std::vector<std::string> arguments = {
        "analyze", WriteFlood(folder, flood, count), "--max-memory", "200", "--format", "json"};
    Taken once = RunProgram(arguments);
    WriteFlood(folder, flood, 2 * count);
    Taken twice = RunProgram(arguments);
    CAPTURE(once.seconds, twice.seconds, once.peak_kib, twice.peak_kib, twice.out.substr(0, 400));
    bool nothing_to_read = twice.out.find("\"nothing read\"") != std::string::npos;
    CHECK((twice.exit_code == 0 || twice.exit_code == 1 || twice.exit_code == 3 || nothing_to_read));
    CHECK(twice.peak_kib < kMostKib);
    CHECK(twice.seconds < 3.2 * once.seconds + 0.5);
    if (flood.issue) CHECK(twice.out.find(flood.issue) != std::string::npos);
  }
}

TEST_CASE("the arguments of one line take time in proportion", "[exhaustion]") {
  size_t bytes = 500'000 * Factor();
  for (const char* event : {"wait: (folio_wait_bit+0x0/0x24) folio=0xffffea0000000040 ",
                            "sched_switch: prev_comm=", "page_ref_mod: pfn=1 ", "mm_page_free: page=1 ",
                            "sched_waking: comm=", "lock_acquired: 1 "}) {
    for (const std::string piece : {"(", "(a+", "(a+0x1 ", "(a+0x1/0x2 ", "folio=0 ", "\"folio=\"0 ",
                                    "\"(a+0x1 ", "=", "pfn= ", " (folio_wait_bit+0x0/0x24)"}) {
      TemporaryFolder folder;
      auto take = [&](size_t size) {
        std::string text = "# tracer: nop\n" + Prefix(0) + event;
        while (text.size() < size) text += piece;
        return RunProgram({"analyze", folder.Write("trace.txt", text + "\n"), "--format", "json"});
      };
      Taken once = take(bytes);
      Taken twice = take(2 * bytes);
      CAPTURE(event, piece, once.seconds, twice.seconds);
      CHECK(twice.exit_code != 1);
      CHECK(twice.seconds < 3.2 * once.seconds + 0.5);
    }
  }
}

TEST_CASE("what a trace names takes no more memory than --max-memory where all is stored", "[exhaustion]") {
  size_t count = 100'000 * Factor();
  std::vector<Flood> floods(std::begin(kFloods), std::end(kFloods));
  floods.push_back({"field names",
                    [](size_t i) {
                      std::string line = Prefix(i) + "n" + std::to_string(i % 900) + ":";
                      for (size_t f = 0; f < 10; ++f)
                        line += " f" + std::to_string((i * 10 + f) % 180'000) + "=1";
                      return line;
                    },
                    "untyped fields"});
  for (const Flood& flood : floods) {
    CAPTURE(flood.name);
    TemporaryFolder folder;
    Taken taken = RunProgram({"analyze", WriteFlood(folder, flood, count), "--max-memory", "200", "--format",
                              "json", "-o", folder.path() + "/flood.db"});
    CAPTURE(taken.seconds, taken.peak_kib, taken.exit_code, taken.out.substr(0, 400));
    bool nothing_to_read = taken.out.find("\"nothing read\"") != std::string::npos;
    CHECK((taken.exit_code == 0 || taken.exit_code == 1 || taken.exit_code == 3 || nothing_to_read));
    CHECK(taken.peak_kib < kMostKib);
    if (flood.issue) CHECK(taken.out.find(flood.issue) != std::string::npos);
  }
}

TEST_CASE("each of very many gaps is reported, and few are held in memory", "[exhaustion]") {
  constexpr size_t kGaps = 400'000;
  TemporaryFolder folder;
  const Flood losses = {"losses",
                        [](size_t i) {
                          return i % 2 == 0 ? "CPU:" + std::to_string(i / 2 % 4) + " [LOST 7 EVENTS]"
                                            : Prefix(i, "a", 7, i / 2 % 4) + "x: y=1";
                        },
                        nullptr};
  std::string trace = WriteFlood(folder, losses, 2 * kGaps);
  Taken taken = RunProgram({"analyze", trace, "--max-memory", "200", "--format", "json"});
  CHECK(taken.exit_code == 3);
  CHECK(taken.peak_kib < kMostKib);
  size_t gaps = 0;
  for (size_t at = taken.out.find("\"from_ts\""); at != std::string::npos;
       at = taken.out.find("\"from_ts\"", at + 1))
    ++gaps;
  CHECK(gaps == kGaps);
  for (const char* format : {"text", "sarif", "html"}) {
    CAPTURE(format);
    Taken other = RunProgram({"analyze", trace, "--max-memory", "200", "--format", format});
    CHECK(other.peak_kib < kMostKib);
    CHECK(other.out.size() < 1'000'000);
  }
}

TEST_CASE("files beside a trace take no more memory than --max-memory", "[exhaustion]") {
  TemporaryFolder folder;
  folder.Write("trace.txt", "# tracer: nop\n#\n" + Prefix(1) + "x: y=1\n");
  constexpr size_t kSize = size_t{15} << 20;
  std::string stats =
      "entries: 1\noverrun: 0\ncommit overrun: 0\nbytes: 1\noldest event ts: 1.0\nnow ts: 2.0\n"
      "dropped events: 0\nread events: 0\n";
  while (stats.size() < kSize) stats += "entries: 1\n";
  const std::string format = "name: a\nID: 1\nformat:\n\tfield:int x;\toffset:0;\tsize:4;\tsigned:1;\n\n";
  std::string names = format;
  for (size_t i = 0; names.size() < kSize; ++i)
    names += "name: a" + std::to_string(i) + "\nprint fmt: \"x=%lx\"\n";
  std::string fields = format + "print fmt: \"";
  for (size_t i = 0; fields.size() < kSize; ++i) fields += " f" + std::to_string(i) + "=%lx";
  for (const auto& [name, text, says] :
       {std::tuple("stats", &stats, "tells of more cpus than are kept"),
        std::tuple("names", &names, "has more formats of events than are kept"),
        std::tuple("fields", &fields, "has more formats of events than are kept")}) {
    CAPTURE(name);
    for (int i = 0; i < 6; ++i) folder.Write(name + std::to_string(i), *text);
    Taken taken = RunProgram({"analyze", folder.path(), "--max-memory", "200", "--format", "json"});
    CHECK(taken.exit_code == 3);
    CHECK(taken.peak_kib < kMostKib);
    CHECK(taken.out.find(says) != std::string::npos);
    for (int i = 0; i < 6; ++i) fs::remove(folder.path() + "/" + name + std::to_string(i));
  }
}

TEST_CASE("thousands of files of cpus take no more memory than --max-memory", "[exhaustion]") {
  constexpr size_t kCpus = 4000;
  constexpr size_t kLines = 100;
  TemporaryFolder folder;
  for (size_t cpu = 0; cpu < kCpus; ++cpu) {
    std::string text = "# tracer: nop\n#\n";
    for (size_t i = 0; i < kLines; ++i) {
      text += Prefix(i * kCpus + cpu, "c" + std::to_string(cpu), 7 + cpu, cpu) +
              "sched_waking: comm=x pid=2 prio=120 target_cpu=001\n";
    }
    fs::create_directories(folder.path() + "/r/per_cpu/cpu" + std::to_string(cpu));
    folder.Write("r/per_cpu/cpu" + std::to_string(cpu) + "/trace", text);
  }
  REQUIRE(Shell("tar -C " + folder.path() + " -cf " + folder.path() + "/r.tar r").exit_code == 0);
  for (const char* input : {"/r", "/r.tar"}) {
    for (bool kept : {false, true}) {
      CAPTURE(input, kept);
      std::vector<std::string> arguments = {"analyze", folder.path() + input, "--max-memory", "200"};
      if (kept) arguments.insert(arguments.end(), {"-o", folder.path() + "/r.db"});
      Taken taken = RunProgram(arguments);
      CAPTURE(taken.seconds, taken.peak_kib, taken.out.substr(0, 400));
      CHECK(taken.out.find(" = 400,000 events + ") != std::string::npos);
      CHECK(taken.peak_kib < kMostKib);
    }
  }
}

TEST_CASE("a perf.data takes no more memory than --max-memory, whatever its rounds and its head",
          "[exhaustion]") {
  struct PerfFlood {
    const char* name;
    size_t samples;
    size_t comms;
    uint64_t (*time)(size_t i);
  };
  const PerfFlood floods[] = {
      {"a round without end", 1'500'000, 1, [](size_t i) { return 1'000 * i; }},
      {"a round without end, backwards", 1'500'000, 1, [](size_t i) { return 1'000 * (2'000'000 - i); }},
      {"a round without end, all at once", 1'500'000, 1, [](size_t) { return uint64_t{1'000}; }},
      {"comms", 1, 4'000'000, [](size_t i) { return 1'000 * i; }},
  };
  for (const PerfFlood& flood : floods) {
    CAPTURE(flood.name);
    TemporaryFolder folder;
    std::string path = folder.path() + "/perf.data";
    std::string comms;
    for (size_t i = 1; i <= flood.comms; ++i) comms += std::to_string(i) + " a\n";
    {
      std::ofstream out(path, std::ios::binary);
      out << PerfPipeHead(uint64_t{1} << 18, "", comms);
      for (size_t i = 0; i < flood.samples; ++i)
        out << PerfFreeSample(flood.time(i), static_cast<uint32_t>(i % 4), i % 1'000);
    }
    Taken taken = RunProgram({"analyze", path, "--max-memory", "200", "--format", "json"});
    CAPTURE(taken.seconds, taken.peak_kib, taken.exit_code, taken.out.substr(0, 400));
    CHECK((taken.exit_code == 0 || taken.exit_code == 3));
    CHECK(taken.peak_kib < kMostKib);
    CHECK(taken.out.find("\"events\": " + std::to_string(flood.samples)) != std::string::npos);
  }
}

namespace {

// The sample's trace so many times over. `step` is added to the stamps' seconds each time; without it all of
// them are the same one.
std::string Repeated(const Sample& sample, size_t times, std::optional<int64_t> step) {
  std::string text;
  for (size_t round = 0; round < times; ++round) {
    for (const std::string& line : sample.trace) {
      if (line.starts_with('#')) {
        if (round == 0) text += line + "\n";
        continue;
      }
      size_t dot = line.find('.', line.find("] ") + 8);
      size_t begin = line.rfind(' ', dot) + 1;
      size_t end = line.find(": ", dot);
      std::string stamp = "5.000000";
      if (step) {
        int64_t seconds = std::atoll(line.c_str() + begin) + static_cast<int64_t>(round) * *step;
        stamp = std::to_string(seconds) + line.substr(dot, end - dot);
      }
      text += line.substr(0, begin) + stamp + line.substr(end) + "\n";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("a trace over and over takes time in proportion, whatever its stamps do", "[exhaustion]") {
  auto samples = TextSamples();
  auto fired = std::find_if(samples.begin(), samples.end(),
                            [](const Sample& sample) { return sample.name == "x86-fired.tar.xz"; });
  REQUIRE(fired != samples.end());
  for (std::optional<int64_t> step :
       {std::optional<int64_t>(10), std::optional<int64_t>(0), std::optional<int64_t>()}) {
    TemporaryFolder folder;
    std::string path = folder.path() + "/trace.txt";
    std::vector<std::string> arguments = {"analyze", path, "--max-memory", "200", "--format", "jsonl"};
    folder.Write("trace.txt", Repeated(*fired, 4 * Factor(), step));
    Taken once = RunProgram(arguments);
    folder.Write("trace.txt", Repeated(*fired, 8 * Factor(), step));
    Taken twice = RunProgram(arguments);
    CAPTURE(step.value_or(-1), once.seconds, twice.seconds, twice.peak_kib, twice.exit_code);
    CHECK((twice.exit_code == 1 || twice.exit_code == 3));
    CHECK(twice.peak_kib < kMostKib);
    CHECK(twice.seconds < 3.2 * once.seconds + 0.5);
  }
}

// W takes a reference in its fault, and waits. `between` comes between the two.
std::string FaultWithReference(const std::string& between) {
  std::string text = "# tracer: nop\n#\n";
  size_t at = 0;
  auto add = [&](size_t pid, const std::string& body) { text += Prefix(at++, "w", pid) + body + "\n"; };
  std::string state = " flags=0x0 count=2 mapcount=0 mapping=0 mt=1 val=1";
  add(9, "mm_page_alloc: page=ffffea0000040000 pfn=0x1000 order=0 migratetype=0 gfp_flags=0");
  add(9, "page_ref_mod_unless: pfn=0x2" + state + " ret=1");
  add(9, "f: (do_huge_pmd_numa_page+0x0/0x200) pte=0x1");
  add(9, "fr: (handle_mm_fault+0x40/0x200 <- do_huge_pmd_numa_page)");
  add(9, "w: (some_function+0x0/0x24)");
  add(9, "wr: (other_function+0x80/0x200 <- some_function)");
  add(7, "f: (do_huge_pmd_numa_page+0x0/0x200) pte=0x1");
  add(7, "page_ref_mod: pfn=0x1000" + state);
  text += between;
  at = 2'000'000;
  add(7, "w: (folio_wait_bit+0x0/0x24) folio=0xffffea0000040000 bit=0");
  add(7, "wr: (do_huge_pmd_numa_page+0x80/0x200 <- folio_wait_bit)");
  add(7, "fr: (handle_mm_fault+0x40/0x200 <- do_huge_pmd_numa_page)");
  return text;
}

TEST_CASE("a wait that rests on what was forgotten is unknown", "[exhaustion]") {
  auto verdict = [](const std::string& between) {
    auto analysis = Analyse({}, FaultWithReference(between));
    REQUIRE(analysis);
    REQUIRE(analysis->Waits().size() == 1);
    WaitRow wait = analysis->Waits()[0];
    return wait.verdict + ": " + wait.reason;
  };
  std::string pages;
  std::string tasks;
  for (size_t i = 0; i < 150'000; ++i) {
    pages += Prefix(10 + i) + "page_ref_mod: pfn=0x" + Hex(0x100000 + i) +
             " flags=0x0 count=2 mapcount=0 mapping=0 mt=1 val=1\n";
    tasks += Prefix(10 + i, "t", 1000 + i) + "mm_page_free: page=0 pfn=0x7 order=0\n";
  }
  CHECK(verdict("") == "benign: reference taken before the wait");
  CHECK(verdict(pages) == "unknown: what was known of the page was not kept");
  CHECK(verdict(tasks).starts_with("unknown: "));
}

TEST_CASE("an event whose name is not kept is there with its name, and no wait is judged after a probe's",
          "[exhaustion]") {
  std::string names;
  std::string probes;
  for (size_t i = 0; i < 60'000; ++i) {
    names += Prefix(10 + i) + "n" + std::to_string(i) + ": y=1\n";
    probes += Prefix(10 + i) + "n" + std::to_string(i) + ": (some_function+0x0/0x24) y=1\n";
  }
  auto analysis = Analyse({}, FaultWithReference(names));
  REQUIRE(analysis);
  CHECK(analysis->Waits().at(0).verdict == "benign");
  CHECK(analysis->Count("SELECT count(*) FROM events WHERE name = 'n59999'") == 0);
  CHECK(analysis->Count("SELECT count(*) FROM events WHERE args = 'n59999: y=1'") == 1);
  // The model's own events are kept, however late they come.
  CHECK(analysis->Count("SELECT count(*) FROM events WHERE name = 'page_ref_mod'") == 1);

  analysis = Analyse({}, FaultWithReference(probes));
  REQUIRE(analysis);
  CHECK(analysis->Waits().at(0).verdict == "unknown");
  CHECK(analysis->Count("SELECT count(*) FROM trace_issues WHERE kind = 'names not kept'") == 1);
}

TEST_CASE("a comm that is not kept is not another one", "[exhaustion]") {
  std::string comms;
  for (size_t i = 0; i < 120'000; ++i) comms += Prefix(i, "c" + std::to_string(i)) + "x: y=1\n";
  auto analysis = Analyse({}, "# tracer: nop\n#\n" + comms);
  REQUIRE(analysis);
  CHECK(analysis->Count("SELECT count(*) FROM events WHERE comm <> 'c' || (line - 3) "
                        "AND comm <> '<text not kept>...'") == 0);
  CHECK(analysis->Count("SELECT count(*) FROM events WHERE comm = '<text not kept>...'") > 1000);
}

}  // namespace mmreplay
