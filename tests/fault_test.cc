// What is left when writing or reading fails, or the program is killed: tests/fault_inject.cc makes it happen
// at one call after the other.
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "db/fleet_store.h"
#include "parser/error.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;
using Files = std::map<std::string, std::string>;

struct Fault {
  std::string error;   // an errno, or "kill"
  bool lasts = false;  // as a full disk does
  std::string calls = "write";
  uint64_t at = 0;        // 0: nothing fails
  bool no_flags = false;  // renameat2 knows none, as on network file systems
};

const std::string kEio = std::to_string(EIO);
const Fault kFullDisk{.error = std::to_string(ENOSPC), .lasts = true};
const Fault kBadDisk{.error = kEio};
const Fault kKilled{.error = "kill"};

// Of a case: its trace and its probe definitions, as one would record them.
void WriteCase(const std::string& name, const std::string& folder) {
  fs::create_directories(folder);
  std::string text = ReadFile(MMREPLAY_SOURCE_DIR "/tests/cases/" + name + ".case");
  for (size_t at = text.find("\n==== "); at != std::string::npos;) {
    size_t name_end = text.find('\n', at + 1);
    size_t next = text.find("\n==== ", name_end);
    std::ofstream(folder + "/" + text.substr(at + 6, name_end - at - 6), std::ios::binary)
        << text.substr(name_end + 1, next == std::string::npos ? next : next - name_end);
    at = next;
  }
}

// A folder in which calls are counted, what is beside it does not count.
class Scene {
 public:
  Scene() {
    Clear();
    WriteCase("folio_wait_bit_freed_before_no_reference", log_);
    WriteCase("folio_wait_bit_freed_before_reference_under_lock", twin_);
  }

  const std::string& log() const { return log_; }    // with a finding
  const std::string& twin() const { return twin_; }  // without
  std::string path(const std::string& name) const { return counted_ + "/" + name; }
  std::string beside(const std::string& name) const { return folder_.path() + "/" + name; }

  // What fails in the process that judges a log is told of that log. Here it is let alone.
  void SpareTemporaryFiles() {
    temporary_ = beside("tmp");
    fs::create_directory(temporary_);
  }

  void Clear() const {
    fs::remove_all(counted_);
    fs::create_directories(counted_ + "/tmp");
  }

  Run Go(const Arguments& arguments, const Fault& fault = {}, const std::string& input = "/dev/null") {
    Surroundings around{.environment = {{"LD_PRELOAD", MMREPLAY_FAULT_INJECT},
                                        {"ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0"},
                                        {"FAULT_COUNTER", folder_.Write("counter", std::string(8, '\0'))},
                                        {"FAULT_UNDER", counted_},
                                        {"FAULT_AT", std::to_string(fault.at)},
                                        {"FAULT_ERROR", fault.error},
                                        {"FAULT_LASTS", fault.lasts ? "1" : "0"},
                                        {"FAULT_CALLS", fault.calls},
                                        {"TMPDIR", temporary_}},
                        .input = input,
                        .output = path("out")};
    if (fault.no_flags) around.environment["FAULT_NO_FLAGS"] = "1";
    Run run = Execute(arguments, around);
    std::string counter = ReadFile(folder_.path() + "/counter");
    std::memcpy(&calls_, counter.data(), sizeof(calls_));
    run.out = ReadFile(path("out"));
    fs::remove(path("out"));
    return run;
  }
  // In the last run.
  uint64_t calls() const { return calls_; }

  Files All() const {
    Files files;
    for (const auto& entry : fs::recursive_directory_iterator(counted_)) {
      if (entry.is_regular_file())
        files[entry.path().string().substr(counted_.size() + 1)] = ReadFile(entry.path().string());
    }
    return files;
  }
  void Restore(const Files& files) const {
    Clear();
    for (const auto& [name, bytes] : files) {
      fs::create_directories(fs::path(path(name)).parent_path());
      std::ofstream(path(name), std::ios::binary) << bytes;
    }
  }

 private:
  TemporaryFolder folder_;
  std::string counted_ = folder_.path() + "/counted";
  std::string temporary_ = counted_ + "/tmp";
  std::string log_ = folder_.path() + "/log";
  std::string twin_ = folder_.path() + "/twin";
  uint64_t calls_ = 0;
};

bool NamesOneOf(const std::string& text, const Arguments& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return text.find(name) != std::string::npos; });
}

// Runs a command that makes `target` out of what is there, once for each of its calls that change files, or
// each `stride`th.
void Walk(Scene* scene, const std::string& target, const Arguments& arguments, uint64_t stride) {
  Files before = scene->All();
  Run good = scene->Go(arguments);
  Files after = scene->All();
  uint64_t calls = scene->calls();
  REQUIRE(good.exit_code == 1);
  REQUIRE(after.contains(target));
  REQUIRE(before[target] != after[target]);
  REQUIRE(calls >= 6);
  if (before[target].empty()) before.erase(target);
  for (Fault fault : {kBadDisk, kFullDisk, kKilled}) {
    for (fault.at = 1; fault.at <= calls; fault.at += stride) {
      scene->Restore(before);
      Run run = scene->Go(arguments, fault);
      Files now = scene->All();
      CAPTURE(arguments, fault.error, fault.at, run.exit_code, run.err);
      bool old_there = now.contains(target) ? before.contains(target) && now[target] == before[target]
                                            : !before.contains(target);
      bool new_there = now.contains(target) && now[target] == after[target];
      CHECK((old_there || new_there));
      if (fault.error == "kill") {
        REQUIRE(run.exit_code == -SIGKILL);
        // The next run removes what it left, and is not disturbed by it.
        CHECK(scene->Go(arguments).exit_code == 1);
        CHECK(scene->All() == after);
        continue;
      }
      CHECK(now == (new_there ? after : before));
      if (run.exit_code == 2) {
        CHECK(NamesOneOf(run.err, {scene->path(target) + ": ", "mmreplay: standard output: "}));
        CHECK(run.err.find("\n  next: ") + run.err.find("; ") > 0);
        if (run.err.find("standard output") == std::string::npos) CHECK(old_there);
      } else {
        // What failed is not needed: the folder may refuse to be synced.
        CHECK(run.exit_code == good.exit_code);
        CHECK(new_there);
      }
    }
  }
}

std::unique_ptr<Database> OpenAny(const std::string& path) {
  auto database = std::make_unique<Database>(path, Database::Mode::kReadWrite);
  sqlite3_busy_timeout(database->handle(), 10'000);
  return database;
}

std::string Integrity(const Database& database) {
  Statement check(database, "PRAGMA integrity_check");
  return check.Step() ? std::string(check.Text(0)) : "";
}

// Why; empty where it is opened.
std::string OpenRefused(const std::string& fleet) {
  try {
    OpenFleetDatabase(fleet);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

// Logs with their findings: what a fleet database has committed.
std::set<std::string> LogsOf(const Database& database) {
  std::set<std::string> logs;
  Statement log(database, "SELECT path || ' ' || status || ' ' || findings FROM logs");
  while (log.Step()) logs.emplace(log.Text(0));
  return logs;
}

}  // namespace

TEST_CASE("a write that fails, wherever, leaves the old database or the new one", "[fault]") {
  Scene scene;
  std::string db = scene.path("race.db");
  SECTION("analyze, where there was none") {
    Walk(&scene, "race.db", {"analyze", "-o", db, scene.log()}, 3);
  }
  SECTION("analyze, over an old one") {
    REQUIRE(scene.Go({"analyze", "-o", db, scene.twin()}).exit_code == 0);
    Walk(&scene, "race.db", {"analyze", "-o", db, scene.log()}, 1);
  }
  SECTION("replay, in its place") {
    REQUIRE(scene.Go({"analyze", "-o", db, scene.log()}).exit_code == 1);
    fs::create_directory(scene.beside("rules"));
    std::ofstream(scene.beside("rules/own.sql")) << "-- name: own\n-- severity: info\n-- summary: s\n-- why: "
                                                    "w\n-- requires: page_waits\n-- reference: r\n"
                                                    "SELECT 'latent' AS grade, 'page_waits' AS subject, id "
                                                    "AS subject_id, pfn, pid, 's' AS summary FROM "
                                                    "page_waits\n";
    Walk(&scene, "race.db", {"replay", db, "--rules", scene.beside("rules")}, 4);
  }
  SECTION("a baseline") {
    scene.SpareTemporaryFiles();
    Walk(&scene, "known.json", {"triage", scene.log(), "--write-baseline", scene.path("known.json")}, 1);
  }
}

TEST_CASE("killed at any moment: the old database or the new one", "[fault]") {
  Scene scene;
  std::string db = scene.path("race.db");
  Arguments analyze = {"analyze", "-o", db, scene.log()};
  auto begin = std::chrono::steady_clock::now();
  REQUIRE(scene.Go(analyze).exit_code == 1);
  auto whole =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  std::string after = ReadFile(db);
  REQUIRE(scene.Go({"analyze", "-o", db, scene.twin()}).exit_code == 0);
  std::string before = ReadFile(db);

  std::mt19937_64 random(9);
  int killed = 0;
  for (int round = 0; round < 100; ++round) {
    pid_t pid = Start(analyze, {.environment = {{"TMPDIR", scene.path("tmp")}},
                                .output = scene.beside("out"),
                                .error = scene.beside("err")});
    std::this_thread::sleep_for(
        std::chrono::microseconds(random() % static_cast<uint64_t>(whole.count() + 5000)));
    kill(-pid, SIGKILL);
    int end = WaitFor(pid);
    killed += end == -SIGKILL;
    std::string now = ReadFile(db);
    CAPTURE(round, end);
    CHECK((now == before || now == after));
    if (end == 1) CHECK(now == after);
    std::ofstream(db, std::ios::binary) << before;
  }
  CHECK(killed >= 30);
  REQUIRE(scene.Go(analyze).exit_code == 1);
  CHECK(scene.All() == Files{{"race.db", after}});
}

TEST_CASE("two that write the same database: the last one's is there, whole", "[fault]") {
  Scene scene;
  std::string db = scene.path("race.db");
  REQUIRE(scene.Go({"analyze", "-o", db, scene.log()}).exit_code == 1);
  std::string whole = ReadFile(db);
  for (int round = 0; round < 5; ++round) {
    std::vector<pid_t> pids;
    for (int i = 0; i < 4; ++i) {
      pids.push_back(
          Start({"analyze", "-o", db, scene.log()}, {.environment = {{"TMPDIR", scene.path("tmp")}},
                                                     .output = scene.beside("out" + std::to_string(i)),
                                                     .error = scene.beside("err" + std::to_string(i))}));
    }
    for (pid_t pid : pids) CHECK(WaitFor(pid) == 1);
    CHECK(scene.All() == Files{{"race.db", whole}});
  }
}

TEST_CASE("the partial file is beside the file a link names", "[fault]") {
  Scene scene;
  fs::create_directory(scene.path("far"));
  fs::create_symlink("far/race.db", scene.path("link.db"));
  Fault fault = kKilled;
  fault.at = 10;
  CHECK(scene.Go({"analyze", "-o", scene.path("link.db"), scene.log()}, fault).exit_code == -SIGKILL);
  Files left = scene.All();
  REQUIRE(left.size() == 1);
  CHECK(left.begin()->first.starts_with("far/race.db.mmreplay-partial."));
  CHECK(fs::status(scene.path(left.begin()->first)).permissions() ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(scene.Go({"analyze", "-o", scene.path("link.db"), scene.log()}).exit_code == 1);
  CHECK(fs::is_symlink(scene.path("link.db")));
  CHECK(fs::is_regular_file(scene.path("far/race.db")));
  CHECK(std::distance(fs::directory_iterator(scene.path("far")), fs::directory_iterator()) == 1);
}

TEST_CASE("temporary files have no name that could be left behind", "[fault]") {
  Scene scene;
  // A trace.dat inside an archive, on standard input: both are kept in temporary files.
  std::string input = MMREPLAY_SOURCE_DIR "/samples/x86-dat-v6.tar.xz";
  Run good = scene.Go({"analyze", "-"}, {}, input);
  CHECK(good.exit_code == 3);
  uint64_t calls = scene.calls();
  CHECK(calls >= 4);
  for (Fault fault : {kBadDisk, kFullDisk, kKilled}) {
    for (fault.at = 1; fault.at <= calls; ++fault.at) {
      Run run = scene.Go({"analyze", "-"}, fault, input);
      CAPTURE(fault.error, fault.at, run.err);
      CHECK(scene.All().empty());
      if (run.exit_code == good.exit_code) continue;
      CHECK(run.exit_code == (fault.error == "kill" ? -SIGKILL : 2));
      if (run.exit_code == 2) CHECK(NamesOneOf(run.err, {"temporary", "standard output"}));
    }
  }
}

TEST_CASE("without -o: whatever fails of the temporary files, the report is whole or there is an error",
          "[fault]") {
  Scene scene;
  struct Case {
    std::string input;
    const char* format;
    uint64_t most;  // of its calls
  };
  std::vector<Case> cases = {{scene.log(), "text", 24},
                             {scene.log(), "perfetto", 24},
                             {MMREPLAY_SOURCE_DIR "/samples/410-x86-fired-nochurn.tar.xz", "text", 6},
                             {MMREPLAY_SOURCE_DIR "/samples/x86-perf-lost.tar.xz", "text", 6}};
  for (const Case& one : cases) {
    Arguments analyze = {"analyze", one.input, "--format", one.format};
    for (const char* calls : {"write", "read"}) {
      Fault none{.calls = calls};
      Run good = scene.Go(analyze, none);
      uint64_t all = scene.calls();
      CAPTURE(analyze, calls, all);
      REQUIRE(good.exit_code != 2);
      CHECK(scene.All().empty());
      if (std::string(calls) == "write") CHECK(all >= 1);
      for (Fault fault : {kBadDisk, kFullDisk, kKilled}) {
        if (fault.error == kFullDisk.error && std::string(calls) == "read") continue;
        fault.calls = calls;
        for (fault.at = 1; fault.at <= all; fault.at += 1 + all / one.most) {
          Run run = scene.Go(analyze, fault);
          CAPTURE(fault.error, fault.at, run.exit_code, run.err);
          CHECK(scene.All().empty());
          if (fault.error == "kill") {
            CHECK(run.exit_code == -SIGKILL);
            continue;
          }
          if (run.exit_code == good.exit_code) {
            CHECK(run.out == good.out);  // what failed was not needed
            continue;
          }
          CHECK(run.exit_code == 2);
          // What is unpacked has the name it had.
          CHECK(NamesOneOf(run.err, {"temporary", "standard output", one.input + ":"}));
          CHECK(NamesOneOf(run.err, {"Input/output error", "No space left on device", "disk I/O error",
                                     "database or disk is full"}));
        }
      }
    }
  }
}

TEST_CASE("a fleet database keeps what was committed, whatever fails", "[fault]") {
  Scene scene;
  scene.SpareTemporaryFiles();
  std::string fleet = scene.path("fleet.db");
  REQUIRE(scene.Go({"triage", "-j1", scene.twin(), "-o", fleet}).exit_code == 0);
  Files before = scene.All();
  REQUIRE(before.size() == 1);
  std::set<std::string> first = LogsOf(*OpenAny(fleet));
  REQUIRE(first.size() == 1);
  Arguments both = {"triage", "-j1", scene.twin(), scene.log(), "-o", fleet};
  REQUIRE(scene.Go(both).exit_code == 1);
  uint64_t calls = scene.calls();
  std::set<std::string> all = LogsOf(*OpenAny(fleet));
  REQUIRE(all.size() == 2);
  for (Fault fault : {kBadDisk, kFullDisk, kKilled}) {
    for (fault.at = 1; fault.at <= calls; fault.at += 5) {
      scene.Restore(before);
      Run run = scene.Go(both, fault);
      CAPTURE(fault.error, fault.at, run.exit_code, run.err);
      // What the process that judges the log cannot write, or its death, is that log's failure alone.
      bool log_failed = run.exit_code == 2 && run.err.find(" had been judged before") != std::string::npos;
      CHECK((run.exit_code == 1 || log_failed || run.exit_code == (fault.error == "kill" ? -SIGKILL : 2)));
      if (log_failed) {
        CHECK(run.out.find(scene.log()) != std::string::npos);
      } else if (run.exit_code == 2) {
        CHECK(NamesOneOf(run.err, {fleet + ": ", "standard output: "}));
      }
      {
        auto database = OpenAny(fleet);
        CHECK(Integrity(*database) == "ok");
        std::set<std::string> logs = LogsOf(*database);
        CHECK((log_failed || logs == first || logs == all));
        if (run.exit_code == 1) CHECK(logs == all);
      }
      CHECK(scene.Go(both).exit_code == 1);
      CHECK(LogsOf(*OpenAny(fleet)) == all);
      CHECK(scene.All().size() == 1);
    }
  }
}

TEST_CASE("a new fleet database is there whole or not at all, whatever fails", "[fault]") {
  Scene scene;
  scene.SpareTemporaryFiles();
  std::string fleet = scene.path("fleet.db");
  Arguments triage = {"triage", "-j1", scene.twin(), "-o", fleet};
  REQUIRE(scene.Go(triage).exit_code == 0);
  uint64_t calls = scene.calls();
  scene.Clear();
  CHECK(scene.Go(triage, {.no_flags = true}).exit_code == 0);
  CHECK(LogsOf(*OpenAny(fleet)).size() == 1);
  CHECK(scene.All().size() == 1);
  bool whole = false;
  bool none = false;
  for (Fault fault : {kBadDisk, kFullDisk, kKilled}) {
    // It is made with the first ones.
    for (fault.at = 1; fault.at <= calls; fault.at += fault.at < 30 ? 1 : 7) {
      scene.Clear();
      Run run = scene.Go(triage, fault);
      CAPTURE(fault.error, fault.at, run.exit_code, run.err);
      Files now = scene.All();
      if (now.contains("fleet.db")) {
        whole = true;
        std::string refused = OpenRefused(fleet);
        CAPTURE(refused);
        CHECK((refused.empty() || refused.find("was interrupted") != std::string::npos));
        CHECK(Integrity(*OpenAny(fleet)) == "ok");
        CHECK(OpenRefused(fleet).empty());
      } else {
        none = true;
        CHECK((now.empty() || fault.error == "kill"));
      }
      CHECK(scene.Go(triage).exit_code == 0);
      CHECK(LogsOf(*OpenAny(fleet)).size() == 1);
      CHECK(scene.All().size() == 1);
    }
  }
  CHECK(whole);
  CHECK(none);
}

TEST_CASE("two writers of a fleet database, killed again and again, keep every committed log", "[fault]") {
  Scene scene;
  std::string fleet = scene.path("fleet.db");
  std::string trace = ReadFile(scene.log() + "/trace.txt");
  fs::create_directory(scene.beside("logs"));
  for (int i = 0; i < 12; ++i)
    std::ofstream(scene.beside("logs/" + std::to_string(i) + ".txt")) << trace << "# log " << i << "\n";
  Arguments triage = {"triage", "-j2", "-o", fleet};
  for (int i = 0; i < 12; ++i) triage.push_back(scene.beside("logs/" + std::to_string(i) + ".txt"));

  auto begin = std::chrono::steady_clock::now();
  REQUIRE(Execute(triage).exit_code == 1);
  auto whole =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  scene.Clear();

  std::mt19937_64 random(5);
  std::set<std::string> committed;
  size_t most = 0;
  auto patience = whole;  // longer while nothing is committed: the machine may have other work, too
  for (int round = 0; round < 15; ++round) {
    std::vector<pid_t> pids;
    for (int writer = 0; writer < 2; ++writer) {
      pids.push_back(Start(triage, {.environment = {{"TMPDIR", scene.path("tmp")}},
                                    .output = scene.beside("out" + std::to_string(writer)),
                                    .error = scene.beside("err" + std::to_string(writer))}));
    }
    std::this_thread::sleep_for(
        std::chrono::microseconds(random() % static_cast<uint64_t>(patience.count())));
    // What another process can see is committed.
    std::set<std::string> seen;
    try {
      seen = LogsOf(*OpenAny(fleet));
    } catch (const Error&) {
      // It is not made yet.
    }
    for (pid_t pid : pids) kill(-pid, SIGKILL);
    for (pid_t pid : pids) WaitFor(pid);
    committed.insert(seen.begin(), seen.end());
    most = std::max(most, committed.size());
    if (committed.empty()) patience *= 2;
    CAPTURE(round);
    if (!fs::exists(fleet)) continue;
    auto database = OpenAny(fleet);
    CHECK(Integrity(*database) == "ok");
    if (committed.empty()) continue;  // perhaps killed before there were tables
    std::set<std::string> now = LogsOf(*database);
    CHECK(std::includes(now.begin(), now.end(), committed.begin(), committed.end()));
    if (committed.size() < 12) continue;
    // All are there: from the beginning again.
    database.reset();
    scene.Clear();
    committed.clear();
  }
  CHECK(most > 0);
  CHECK(Execute(triage, {.environment = {{"TMPDIR", scene.path("tmp")}}}).exit_code == 1);
  CHECK(LogsOf(*OpenAny(fleet)).size() == 12);
  CHECK(scene.All().size() == 1);
}

TEST_CASE("a file that cannot be read to its end is an error that names it", "[fault]") {
  Scene scene;
  scene.SpareTemporaryFiles();
  std::string db = scene.beside("race.db");
  REQUIRE(scene.Go({"analyze", "-o", db, scene.log()}).exit_code == 1);
  auto unpack = [&](const std::string& sample, const std::string& file) {
    REQUIRE(Shell("tar -C " + scene.beside("") + " -xf samples/" + sample + ".tar.xz").exit_code == 0);
    for (const auto& entry : fs::recursive_directory_iterator(scene.beside(""))) {
      if (entry.path().filename() == file) return entry.path().string();
    }
    return std::string();
  };
  struct Case {
    std::string from;
    std::string name;
    Arguments arguments;  // $ is the file
  };
  std::string log = scene.log();
  std::ofstream(scene.beside("known"), std::ios::binary)
      << Shell("$MMREPLAY triage --format jsonl " + log).out;
  std::ofstream(scene.beside("suppressed")) << "no_such/* because it is so\n";
  std::vector<Case> cases = {
      {log + "/trace.txt", "trace.txt", {"analyze", "$"}},
      {log + "/kprobe_events.txt", "probes", {"analyze", log + "/trace.txt", "--probes", "$"}},
      {MMREPLAY_SOURCE_DIR "/samples/410-x86-held0.tar.xz", "x.tar.xz", {"analyze", "$"}},
      {unpack("x86-dat-v6", "trace.dat"), "trace.dat", {"analyze", "$"}},
      {unpack("x86-perf-zstd", "perf.data"), "perf.data", {"analyze", "$"}},
      {MMREPLAY_SOURCE_DIR "/rules/double_free.sql", "x.sql", {"analyze", log, "--rules", scene.path("")}},
      {MMREPLAY_SOURCE_DIR "/rules/double_free.sql", "x.sql", {"rules", "check", "$"}},
      {scene.beside("known"), "known", {"triage", log, "--baseline", "$"}},
      {scene.beside("suppressed"), "suppressed", {"triage", log, "--suppress", "$"}},
      {db, "race.db", {"report", "$"}},
      {db, "race.db", {"page", "$", "0x28000"}},
      {db, "race.db", {"query", "$", "@waits"}},
      {db, "race.db", {"doctor", "$"}},
      {db, "race.db", {"replay", "$", "-o", scene.beside("new.db")}},
  };
  for (const Case& one : cases) {
    REQUIRE(fs::exists(one.from));
    scene.Clear();
    fs::copy_file(one.from, scene.path(one.name));
    Arguments arguments = one.arguments;
    std::replace(arguments.begin(), arguments.end(), std::string("$"), scene.path(one.name));
    Fault fault{.error = kEio, .lasts = true, .calls = "read"};
    Run good = scene.Go(arguments, fault);
    uint64_t calls = scene.calls();
    CAPTURE(arguments, good.err);
    REQUIRE(calls >= 2);
    CHECK(good.exit_code != 2);
    fs::remove(scene.beside("new.db"));
    for (fault.at = 2; fault.at <= calls; fault.at += std::max<uint64_t>(1, calls / 10)) {
      Run run = scene.Go(arguments, fault);
      CAPTURE(fault.at, run.err);
      // What was only asked which kind of database it is, is read again.
      if (one.arguments[0] == "query" && run.exit_code == 0 && run.out == good.out) continue;
      CHECK(run.exit_code == 2);
      CHECK(run.err.find(scene.path(one.name)) != std::string::npos);
      // It is not the file that is wrong. (Some failed reads libtracecmd does not survive.)
      if (run.err.find("crashed in libtracecmd") == std::string::npos) {
        CHECK(NamesOneOf(run.err, {"Input/output error", "disk I/O error"}));
        CHECK(run.err.find("damaged") == std::string::npos);
      }
      CHECK_FALSE(fs::exists(scene.beside("new.db")));
    }
  }
  // One bad file stops no batch.
  scene.Clear();
  fs::copy_file(log + "/trace.txt", scene.path("trace.txt"));
  Run run = scene.Go({"triage", scene.path("trace.txt"), log, "--format", "jsonl"},
                     {.error = kEio, .calls = "read", .at = 2});
  CHECK(run.exit_code == 1);
  CHECK(run.out.find("\"reason\":\"Input/output error\"") != std::string::npos);
}

TEST_CASE("standard files that are closed or full change no file", "[fault]") {
  Scene scene;
  std::string db = scene.beside("race.db");
  Arguments analyze = {"analyze", "-o", db, scene.log()};
  REQUIRE(scene.Go(analyze).exit_code == 1);
  std::string whole = ReadFile(db);
  for (const std::vector<int>& closed :
       std::vector<std::vector<int>>{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 1, 2}}) {
    Run run = Execute(analyze, {.closed = closed});
    bool no_output = std::find(closed.begin(), closed.end(), STDOUT_FILENO) != closed.end();
    bool no_error = std::find(closed.begin(), closed.end(), STDERR_FILENO) != closed.end();
    CAPTURE(closed, run.err);
    CHECK(run.exit_code == (no_output ? 2 : 1));
    if (no_output && !no_error)
      CHECK(run.err.starts_with("mmreplay: standard output: Bad file descriptor\n  next: "));
    CHECK(ReadFile(db) == whole);
    // Nor does an error that cannot be told.
    CHECK(Execute({"report", "nosuch.db"}, {.closed = closed}).exit_code == 2);
  }
  fs::create_directory(scene.beside("rules"));
  for (const Arguments& arguments : std::vector<Arguments>{analyze,
                                                           {"report", db},
                                                           {"report", db, "--format", "json"},
                                                           {"report", db, "--format", "html"},
                                                           {"page", db, "0x28000"},
                                                           {"query", db, "@waits"},
                                                           {"doctor", db},
                                                           {"triage", scene.log()},
                                                           {"rules", "list"},
                                                           {"capture"},
                                                           {"--help"},
                                                           {"--version"}}) {
    Run run = Execute(arguments, {.output = "/dev/full"});
    CAPTURE(arguments);
    CHECK(run.exit_code == 2);
    CHECK(run.err.starts_with("mmreplay: standard output: No space left on device\n  next: "));
  }
  CHECK(ReadFile(db) == whole);
  CHECK(Execute({"report", "nosuch.db"}, {.error = "/dev/full"}).exit_code == 2);
  CHECK(Execute(analyze, {.error = "/dev/full"}).exit_code == 1);
}

TEST_CASE("a file that may not grow (ulimit -f) is an error, and leaves nothing", "[fault]") {
  TemporaryFolder folder;
  std::string db = folder.path() + "/race.db";
  Run run = Shell("ulimit -f 100; $MMREPLAY analyze -o " + db + " samples/410-x86-fired-nochurn.tar.xz");
  INFO(run.err);
  CHECK(run.exit_code == 2);
  CHECK_FALSE(run.err.empty());
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("an output that cannot be is refused with its name", "[fault]") {
  Scene scene;
  std::string name(300, 'a');
  for (const std::string& path :
       {scene.beside(name), scene.beside("no/race.db"), std::string("/dev/null"), scene.beside("log")}) {
    Run run = Execute({"analyze", "-o", path, scene.log()});
    CAPTURE(path, run.err);
    CHECK(run.exit_code == 2);
    CHECK(run.err.starts_with("mmreplay: " + path));
    run = Execute({"triage", scene.log(), "--write-baseline", path});
    CHECK(run.exit_code == 2);
    CHECK(run.err.starts_with("mmreplay: " + path));
  }
  // What looks like a URI to SQLite is a name here.
  TemporaryFolder folder;
  Run run = Shell("cd " + folder.path() + " && $MMREPLAY analyze -o 'file:x.db?mode=memory' " + scene.log() +
                  " && false; $MMREPLAY query 'file:x.db?mode=memory' 'SELECT count(*) AS n FROM page_waits' "
                  "--format csv | tail -1 && ls");
  CHECK(run.out.ends_with("1\r\nfile:x.db?mode=memory\n"));
}

}  // namespace mmreplay
