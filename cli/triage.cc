// mmreplay triage: many logs, each judged in a child process, grouped.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>

#include "cli/commands.h"
#include "cli/judgement.h"
#include "cli/log_judge.h"
#include "cli/log_walk.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/worker_process.h"
#include "db/fleet_store.h"
#include "db/output_file.h"
#include "db/trace_store.h"
#include "parser/error.h"
#include "parser/numbers.h"
#include "report/triage.h"
#include "report/triage_formats.h"
#include "report/version.h"
#include "rules/rule.h"

namespace mmreplay {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kDefaultSeconds = 600;
constexpr uint64_t kDefaultMebibytes = 1024;

struct BatchOptions {
  JudgeOptions judge;
  size_t jobs = 1;
  std::chrono::seconds time_limit{kDefaultSeconds};  // 0: none
  bool stream = false;                               // results are wanted as they come
};

// A task for a child: a log, or the question whether a folder is one.
struct Job {
  size_t entry;      // of the walk
  size_t place = 0;  // among its logs
  std::string path;
  std::vector<std::string> files;  // of a folder
  bool is_question = false;
};

// Hands jobs to children and takes their results, which leave it in the order of the walk.
class LogBatch {
 public:
  LogBatch(BatchOptions options, Walk walk, FleetStore* fleet, Triage* triage, TriageWriter* writer,
           BufferedOutput* out)
      : options_(std::move(options)),
        walk_(std::move(walk)),
        fleet_(fleet),
        triage_(triage),
        writer_(writer),
        out_(out) {
    results_.resize(walk_.entries.size());
    workers_.resize(options_.jobs);
  }

  void Run() {
    for (;;) {
      bool busy = false;
      for (Worker& worker : workers_) {
        if (!worker.job && !worker.given_up) Assign(&worker);
        busy |= worker.job.has_value();
      }
      Flush();
      if (!busy) break;
      WaitForMessages();
      ShowProgress();
    }
    TriageCounts* counts = triage_->mutable_counts();
    counts->files = walk_.files;
    counts->files_again = walk_.files_again;
    counts->folders_again = walk_.folders_again;
    counts->files_in_bundles = files_in_bundles_;
    counts->files_alone = files_alone_;
  }

 private:
  struct Worker {
    std::unique_ptr<WorkerProcess> process;
    std::optional<Job> job;
    std::optional<Clock::time_point> deadline;
    std::string content;    // of the log it judges, once known
    bool given_up = false;  // it could not be started
  };

  // Logs of an entry of the walk.
  struct EntryResults {
    bool expanded = false;  // how many there are is known
    std::vector<std::optional<TriageLog>> logs;
  };

  std::optional<Job> NextJob() {
    if (!expanded_jobs_.empty()) {
      Job job = std::move(expanded_jobs_.front());
      expanded_jobs_.pop_front();
      return job;
    }
    while (next_entry_ < walk_.entries.size()) {
      size_t at = next_entry_++;
      WalkEntry& entry = walk_.entries[at];
      if (entry.kind == WalkEntry::Kind::kFolder)
        return Job{.entry = at, .path = entry.path, .files = std::move(entry.files), .is_question = true};
      results_[at].expanded = true;
      results_[at].logs.resize(1);
      ++files_alone_;
      if (entry.kind == WalkEntry::Kind::kFile) return Job{.entry = at, .path = entry.path, .files = {}};
      TriageLog refused;
      refused.log.path = entry.path;
      refused.log.reason = entry.reason;
      Store(refused.log);
      Settle({.entry = at, .path = entry.path, .files = {}}, std::move(refused));
    }
    return std::nullopt;
  }

  // The folder is one log, made of `parts`, and each of its other files is one.
  void Expand(const Job& question, const std::vector<std::string>& parts) {
    EntryResults& results = results_[question.entry];
    std::vector<Job> jobs;
    if (!parts.empty()) {
      jobs.push_back({.entry = question.entry, .path = question.path, .files = parts});
      std::sort(jobs[0].files.begin(), jobs[0].files.end());
      files_in_bundles_ += static_cast<int64_t>(parts.size());
    }
    std::set<std::string> used(parts.begin(), parts.end());
    for (const std::string& file : question.files) {
      if (used.contains(file)) continue;
      jobs.push_back({.entry = question.entry, .place = jobs.size(), .path = file, .files = {}});
      ++files_alone_;
    }
    results.expanded = true;
    results.logs.resize(jobs.size());
    expanded_jobs_.insert(expanded_jobs_.begin(), std::make_move_iterator(jobs.begin()),
                          std::make_move_iterator(jobs.end()));
  }

  void Start(Worker* worker) {
    auto close_others = [this] {
      for (const Worker& other : workers_) {
        if (other.process) close(other.process->channel()->fd());
      }
    };
    worker->process = std::make_unique<WorkerProcess>(
        [this](WorkerChannel* channel) { JudgeLogs(options_.judge, channel); }, options_.judge.memory_bytes,
        close_others);
  }

  void Assign(Worker* worker) {
    std::optional<Job> job = NextJob();
    if (!job) return;
    FieldWriter fields;
    if (!job->is_question) fields.Add(job->path);
    for (const std::string& file : job->files) fields.Add(file);
    char type = job->is_question ? JudgeMessage::kParts : JudgeMessage::kJudge;
    try {
      if (!worker->process) Start(worker);
      if (!worker->process->channel()->Send(type, fields.body())) {
        // It ended while it had nothing to do.
        worker->process.reset();
        Start(worker);
        worker->process->channel()->Send(type, fields.body());
      }
    } catch (const Error&) {
      // The system has no more to give (ulimit -n, -u): those that run do the work.
      auto runs = [](const Worker& other) { return other.job.has_value(); };
      if (std::none_of(workers_.begin(), workers_.end(), runs)) throw;
      expanded_jobs_.push_front(std::move(*job));
      worker->given_up = true;
      return;
    }
    worker->job = std::move(job);
    worker->content.clear();
    worker->deadline.reset();
    if (options_.time_limit.count() > 0) worker->deadline = Clock::now() + options_.time_limit;
  }

  void WaitForMessages() {
    std::vector<pollfd> polls;
    std::vector<Worker*> polled;
    std::optional<Clock::time_point> wake;
    if (IsErrorTerminal()) wake = Clock::now() + std::chrono::milliseconds(500);
    for (Worker& worker : workers_) {
      if (!worker.job) continue;
      polls.push_back({.fd = worker.process->channel()->fd(), .events = POLLIN, .revents = 0});
      polled.push_back(&worker);
      if (worker.deadline && (!wake || *worker.deadline < *wake)) wake = worker.deadline;
    }
    int timeout = -1;
    if (wake) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*wake - Clock::now()).count();
      timeout = static_cast<int>(std::clamp<int64_t>(left + 1, 0, 1 << 30));
    }
    if (poll(polls.data(), polls.size(), timeout) < 0 && errno != EINTR)
      throw Error("triage: poll: " + Reason(errno));
    for (size_t i = 0; i < polls.size(); ++i) {
      bool late = polled[i]->deadline && Clock::now() >= *polled[i]->deadline;
      if (polls[i].revents != 0) {
        Take(polled[i]);
      } else if (late) {
        Lose(polled[i]);
      }
    }
  }

  // A message is there, or the child's end.
  void Take(Worker* worker) {
    auto message = worker->process->channel()->Receive(worker->deadline);
    if (!message) return Lose(worker);
    switch (message->type) {
      case JudgeMessage::kParts: {
        FieldReader fields(message->body);
        std::vector<std::string> parts;
        while (!fields.AtEnd()) parts.push_back(fields.Text());
        Job question = std::move(*worker->job);
        worker->job.reset();
        return Expand(question, parts);
      }
      case JudgeMessage::kHash:
        return TakeHash(worker, message->body);
      case JudgeMessage::kLog:
        return TakeLog(worker, UnpackLog(message->body));
      default:
        return Lose(worker);
    }
  }

  void TakeHash(Worker* worker, const std::string& content) {
    worker->content = content;
    TriageLog log;
    ShareCounter counter;
    auto known = fleet_->Reuse(worker->job->path, content,
                               [&](const FleetFinding& finding) { counter.Add(finding, &log.shares); });
    WorkerChannel* channel = worker->process->channel();
    if (!known) {
      channel->Send(JudgeMessage::kGoOn, "");
      return;
    }
    log.log = std::move(*known);
    log.reused = true;
    bool well = channel->Send(JudgeMessage::kSkip, "");
    auto end = well ? channel->Receive(worker->deadline) : std::nullopt;
    Settle(*worker->job, std::move(log));
    Release(worker, end && end->type == JudgeMessage::kEnd && end->body.empty());
  }

  // What follows is read without looking at other children, so that it is one transaction. They wait.
  void TakeLog(Worker* worker, TriageLog log) {
    WorkerChannel* channel = worker->process->channel();
    if (fleet_) fleet_->Begin(log.log);
    for (;;) {
      auto message = channel->Receive(worker->deadline);
      if (!message) {
        if (fleet_) fleet_->Rollback();
        return Lose(worker);
      }
      if (message->type == JudgeMessage::kFinding && fleet_) {
        fleet_->Add(UnpackFinding(message->body));
      } else if (message->type == JudgeMessage::kLog) {
        // Its findings could not be read to their end.
        log = UnpackLog(message->body);
        if (fleet_) fleet_->Rollback();
        if (fleet_) fleet_->Begin(log.log);
      } else if (message->type == JudgeMessage::kEnd) {
        if (fleet_) fleet_->Commit();
        Settle(*worker->job, std::move(log));
        return Release(worker, message->body.empty());
      }
    }
  }

  void Release(Worker* worker, bool goes_on) {
    worker->job.reset();
    if (!goes_on) worker->process.reset();
  }

  // The child is gone, or out of time. What it had to judge is lost, the rest of the batch is not.
  void Lose(Worker* worker) {
    bool late = worker->deadline && Clock::now() >= *worker->deadline;
    worker->process->Kill();  // one that has ended keeps the status it ended with
    std::string end = worker->process->WaitForEnd();
    worker->process.reset();
    Job job = std::move(*worker->job);
    worker->job.reset();
    // Who asks whether a folder is one log asks its files one by one, if there is no answer.
    if (job.is_question) return Expand(job, {});
    TriageLog lost;
    lost.log.path = job.path;
    lost.log.content = worker->content;
    lost.log.status = LogStatus::kFailed;
    lost.log.files = std::max<int64_t>(1, static_cast<int64_t>(job.files.size()));
    lost.log.reason = late ? "took longer than " + std::to_string(options_.time_limit.count()) +
                                 " s (--time-limit); it may be analysed by itself: mmreplay analyze"
                           : "its analysis " + end + "; please report this, with the log";
    Store(lost.log);
    Settle(job, std::move(lost));
  }

  void Store(const FleetLog& log) {
    if (!fleet_) return;
    fleet_->Begin(log);
    fleet_->Commit();
  }

  void Settle(const Job& job, TriageLog log) {
    files_done_ += std::max<int64_t>(1, static_cast<int64_t>(job.files.size()));
    results_[job.entry].logs[job.place] = std::move(log);
  }

  void ShowProgress() {
    progress_.Show([&] {
      const TriageCounts& counts = triage_->counts();
      return fmt::format("triage: {} of {} files, {} found, {} not judged", CountText(files_done_),
                         CountText(walk_.files), CountText(counts.of(LogStatus::kFound)),
                         CountText(counts.of(LogStatus::kUnreadable) + counts.of(LogStatus::kFailed)));
    });
  }

  // Passes on what is complete up to the first log that is not.
  void Flush() {
    for (; first_entry_ < results_.size(); ++first_entry_, first_log_ = 0) {
      EntryResults& entry = results_[first_entry_];
      if (!entry.expanded) break;
      for (; first_log_ < entry.logs.size() && entry.logs[first_log_]; ++first_log_) {
        const TriageLog& log = *entry.logs[first_log_];
        writer_->Add(log, triage_->Add(log));
        entry.logs[first_log_].reset();
      }
      if (first_log_ < entry.logs.size()) break;
      entry.logs = {};
    }
    if (options_.stream) out_->Flush();
  }

  BatchOptions options_;
  Walk walk_;
  FleetStore* fleet_;  // nullptr: none is kept
  Triage* triage_;
  TriageWriter* writer_;
  BufferedOutput* out_;
  std::vector<Worker> workers_;
  std::vector<EntryResults> results_;  // by entry of the walk
  size_t next_entry_ = 0;              // to be handed out
  std::deque<Job> expanded_jobs_;      // before that
  size_t first_entry_ = 0;             // not passed on yet
  size_t first_log_ = 0;
  int64_t files_alone_ = 0;
  int64_t files_in_bundles_ = 0;
  int64_t files_done_ = 0;
  ProgressLine progress_;
};

uint64_t NumberOption(const Arguments& given, const char* name, uint64_t otherwise, uint64_t lowest,
                      uint64_t highest) {
  auto text = given.Text(name);
  if (!text) return otherwise;
  auto number = ParseDecimal(*text);
  if (!number || *number < lowest || *number > highest) {
    throw Error(fmt::format("--{}: {}: takes a number from {} to {}", name, *text, lowest, highest));
  }
  return *number;
}

std::vector<std::string> PathsOf(const Arguments& given) {
  std::vector<std::string> named = given.List("path");
  if (named.empty()) throw Error("triage: no PATH given; see mmreplay triage --help");
  bool has_list = std::count(named.begin(), named.end(), "-") > 0;
  if (std::count(named.begin(), named.end(), "-") > 1)
    throw Error("triage: standard input is one list; give - once");
  if (given.Has("null") && !has_list)
    throw Error("--null: says how the list on standard input is separated; give - as PATH");
  std::vector<std::string> paths;
  for (std::string& path : named) {
    if (path == "-") {
      std::vector<std::string> list = ReadPathList(given.Has("null"));
      std::move(list.begin(), list.end(), std::back_inserter(paths));
    } else {
      paths.push_back(std::move(path));
    }
  }
  return paths;
}

// A mistake in a rule is told once, and not by every log.
void CheckRules(const JudgeOptions& options) {
  std::unique_ptr<Database> empty = EmptyTraceDatabase();
  for (const Rule& rule : options.rules) CheckRule(rule, *empty);
  RequireRules(options.policy, options.rules);
}

// Of what else is there nothing is replaced, least of all a log: `--write-baseline *.txt` names one.
void RequireBaselineOrNothing(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) || std::filesystem::file_size(path, error) == 0) return;
  if (!IsBaseline(path)) throw Error(path + ": exists, and is no baseline; give the new one another name");
}

// Of two results. What SQLite keeps beside a database goes when it is closed.
void RequireOtherFile(const std::string& path, const std::string& output) {
  std::error_code ignored;
  auto place = [&](const std::string& name) {
    // An absolute one: of what is not there yet the canonical name stays relative.
    return std::filesystem::weakly_canonical(std::filesystem::absolute(OutputFile(name), ignored), ignored);
  };
  const std::filesystem::path baseline = place(path);
  const std::string database = place(output).native();
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    if (baseline != database + suffix) continue;
    throw Error(
        "--write-baseline: " + path +
        ": is the fleet database of -o, or what SQLite keeps beside it; give the baseline another name");
  }
}

void WriteBaseline(const std::string& path, const Triage& triage) {
  const TriageCounts& counts = triage.counts();
  int64_t unjudged = counts.of(LogStatus::kUnreadable) + counts.of(LogStatus::kFailed);
  // With a full disk, say: what is known would be forgotten.
  if (unjudged == counts.logs) {
    Tell("--write-baseline: " + path + ": not written, no log could be judged");
    return;
  }
  if (unjudged > 0) {
    Tell(fmt::format("--write-baseline: {}: without what {} that could not be judged may show", path,
                     Plural(unjudged, "log", "logs")));
  }
  PartialFile file(path);
  file.Write(BaselineText(triage));
  file.Publish();
}

int RunTriage(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(TriageCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;

  if (auto output = given.Text("output")) {
    if (output->empty()) throw Error("--output: no name given");
    KeepTemporariesBeside(*output);
  }
  BatchOptions options;
  TriageFormat format = TriageFormatOf(given.Text("format").value_or("text"));
  options.stream = format == TriageFormat::kJsonLines;
  options.jobs = NumberOption(given, "jobs", std::max(1U, std::thread::hardware_concurrency()), 1, 1024);
  options.time_limit =
      std::chrono::seconds(NumberOption(given, "time-limit", kDefaultSeconds, 0, 10'000'000));
  options.judge.memory_bytes = NumberOption(given, "memory-limit", kDefaultMebibytes, 0, 1 << 24) << 20;
  options.judge.rules = LoadRules(given.Text("rules"));
  options.judge.policy = ExitPolicyOf(given);
  TriagePolicy policy;
  policy.fail_on = options.judge.policy.fail_on;
  if (auto path = given.Text("baseline")) policy.baseline = ReadBaseline(*path);
  if (auto path = given.Text("suppress")) policy.suppressions = ReadSuppressions(*path);
  CheckRules(options.judge);

  if (auto path = given.Text("write-baseline")) {
    RequireBaselineOrNothing(OutputFile(*path));
    if (auto output = given.Text("output")) RequireOtherFile(*path, *output);
  }

  Walk walk = WalkPaths(PathsOf(given));
  std::unique_ptr<FleetStore> fleet;
  if (auto path = given.Text("output")) {
    options.judge.keep_findings = true;
    std::vector<FleetRule> rules;
    for (const Rule& rule : options.judge.rules)
      rules.push_back({.name = rule.name,
                       .severity = SeverityName(rule.severity),
                       .counts = rule.severity >= options.judge.policy.fail_on});
    fleet =
        std::make_unique<FleetStore>(*path, std::string(kProgramVersion), AnalysisHash(options.judge), rules);
  }
  Triage triage(options.judge.rules, std::move(policy));
  bool keeps = given.Has("output") || given.Has("write-baseline");
  BufferedOutput out(keeps ? BufferedOutput::WithoutReader::kGoOn : BufferedOutput::WithoutReader::kStop);
  TriageWriter writer(format, OutputStyle(), out.writer());
  LogBatch(std::move(options), std::move(walk), fleet.get(), &triage, &writer, &out).Run();
  triage.Finish();
  writer.Finish(triage);
  // What is kept does not depend on who reads the output.
  if (auto path = given.Text("write-baseline")) WriteBaseline(*path, triage);
  if (fleet) fleet->Finish(triage.counts().logs, triage.ExitCode());
  out.Flush();
  if (fleet) {
    Tell(fmt::format("{} of {} had been judged before", CountText(triage.counts().reused),
                     Plural(triage.counts().logs, "log", "logs")));
  }
  return triage.ExitCode();
}

}  // namespace

Command TriageCommand() {
  return {
      .name = "triage",
      .summary = "judge many logs and group what they show",
      .usage = {"[OPTIONS] PATH..."},
      .about =
          {"Judges many logs and groups what they show by cause. PATH is a file, an archive (one log), a "
           "folder (all below it; a folder that holds one trace with what belongs beside it is one log), or "
           "- for a list of paths on standard input. A log that cannot be read is reported and stops "
           "nothing."},
      .options = {{"jobs,j", "N", "logs judged at a time (default: one per cpu)"},
                  {"format", "text|jsonl|junit", "form of the result (default: text)"},
                  {"output,o", "FLEET.DB",
                   "add a row per log and finding to this database; logs it has are not judged again"},
                  {"baseline", "FILE", "only what is not in it, or has a higher grade than there, fails"},
                  {"write-baseline", "FILE", "what is known from now on"},
                  {"suppress", "FILE", "findings that do not fail, and why"},
                  {"null,0", "", "the list on standard input is separated by NUL bytes"},
                  {"time-limit", "SECONDS", "for one log (default: 600; 0: none)"},
                  {"memory-limit", "MIB",
                   "for one log (default: 1024; 0: none); below 600 more of a huge log is forgotten"},
                  {"rules", "DIR", kRulesOption},
                  {"fail-on", "error|warning|info",
                   "findings of this severity and above fail (default: warning)"},
                  {"require", "RULE",
                   "a log in which this rule cannot be judged cannot tell; may be given several times",
                   true}},
      .operands = {{"path...", "PATH"}},
      .exit_codes =
          "1 a finding that is neither in the baseline nor suppressed; else 2 a log could not be read or "
          "judged, or an option is wrong; else 3 a log cannot tell; else 0",
      .examples = {{"mmreplay triage samples/x86-fired.tar.xz samples/410-x86-held0.tar.xz",
                    "judges two logs"},
                   {"mmreplay triage --jobs 2 --format jsonl -o fleet.db samples/",
                    "judges a folder of logs, and keeps a row of each"}},
      .run = RunTriage,
  };
}

}  // namespace mmreplay
