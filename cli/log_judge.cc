#include "cli/log_judge.h"

#include <nettle/sha2.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <new>

#include "cli/allocator.h"
#include "cli/ingest.h"
#include "parser/error.h"
#include "parser/input.h"

namespace mmreplay {
namespace {

class Sha256 {
 public:
  Sha256() { sha256_init(&state_); }
  void Add(std::string_view bytes) {
    sha256_update(&state_, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
  }
  // A name, a length: no two sequences of texts are the same bytes.
  void AddText(std::string_view text) {
    Add(std::to_string(text.size()) + ":");
    Add(text);
  }
  void AddFile(const std::string& path) {
    ReadFn read = OpenFile(path);
    std::vector<char> buffer(size_t{256} * 1024);
    while (size_t got = read(buffer.data(), buffer.size())) Add({buffer.data(), got});
  }
  std::string Hex() {
    std::array<uint8_t, SHA256_DIGEST_SIZE> digest{};
    sha256_digest(&state_, digest.size(), digest.data());
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (uint8_t byte : digest) {
      hex += kDigits[byte >> 4];
      hex += kDigits[byte & 15];
    }
    return hex;
  }

 private:
  sha256_ctx state_{};
};

std::string ContentHash(const std::string& path, const std::vector<std::string>& files) {
  Sha256 hash;
  if (files.empty()) {
    hash.AddFile(path);
    return hash.Hex();
  }
  for (const std::string& file : files) {
    Sha256 one;
    one.AddFile(file);
    hash.AddText(file.substr(file.rfind('/') + 1));
    hash.AddText(one.Hex());
  }
  return hash.Hex();
}

// "x.txt is empty", "x.txt: Permission denied": the path stands beside it already.
std::string ReasonOf(const Error& error, const std::string& path) {
  std::string text = error.what();
  for (const char* between : {": ", " "}) {
    if (text.starts_with(path + between)) return text.substr(path.size() + std::string_view(between).size());
  }
  return text;
}

// What is forgotten for want of memory may change a verdict.
uint64_t MebibytesOfLog(const JudgeOptions& options) {
  uint64_t half = options.memory_bytes / 2 >> 20;
  bool ample = options.memory_bytes == 0 || half >= MemoryBudget::kDefaultMebibytes;
  return ample ? MemoryBudget::kDefaultMebibytes : std::max(half, MemoryBudget::kLeastMebibytes);
}

// Who cannot be told waits for what it was promised: the end of this process is what it sees.
void Tell(const WorkerChannel& channel, char type, std::string_view body) {
  if (!channel.Send(type, body)) std::_Exit(EXIT_FAILURE);
}

class Judge {
 public:
  Judge(const JudgeOptions& options, WorkerChannel* channel) : options_(options), channel_(channel) {}

  void Run(const std::string& path, const std::vector<std::string>& files) {
    auto start = std::chrono::steady_clock::now();
    path_ = path;
    start_ = start;
    content_.clear();
    try {
      JudgeOne(files);
    } catch (const Error& error) {
      Refuse(LogStatus::kUnreadable, ReasonOf(error, path));
    } catch (const std::bad_alloc&) {
      Refuse(LogStatus::kFailed, "took more memory than it may");
    } catch (const std::system_error& error) {
      Refuse(LogStatus::kFailed,
             "the system has no more to give (--memory-limit, ulimit?): " + error.code().message());
    } catch (const std::exception& error) {
      Refuse(LogStatus::kFailed, error.what());
    }
    Tell(*channel_, JudgeMessage::kEnd, HasGrownLarge() ? "1" : "");
  }

  // The heap of a large log is not given back, and the next one has to find room.
  bool HasGrownLarge() const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return options_.memory_bytes > 0 &&
           static_cast<uint64_t>(usage.ru_maxrss) * 1024 > options_.memory_bytes / 4;
  }

 private:
  void JudgeOne(const std::vector<std::string>& files) {
    // "-" is a file like any other here.
    std::string input = path_.starts_with('-') ? "./" + path_ : path_;
    Recording recording =
        OpenRecording({.inputs = files.empty() ? std::vector{input} : files, .dmesg = {}, .probes = {}});
    recording.path = path_;
    if (options_.keep_findings) {
      content_ = ContentHash(input, files);
      Tell(*channel_, JudgeMessage::kHash, content_);
      auto answer = channel_->Receive();
      if (!answer || answer->type == JudgeMessage::kSkip) return;
    }
    std::unique_ptr<TraceStore> store = MakeTemporaryStore(recording, NeedEveryEvent(options_.rules));
    // As analyze does by default, or within what the child may have.
    if (MebibytesOfLog(options_) < MemoryBudget::kDefaultMebibytes) KeepLittleFreeMemory(FreeMemory::kAtOnce);
    Ingest(recording, store.get(), {.memory = MemoryBudget(MebibytesOfLog(options_))});
    JudgeTrace(options_.rules, &store->database());
    store->Publish();
    TriageLog log = ReadTriageLog(store->database(), options_.policy);
    ShareCounter counter;
    ForEachTriageFinding(store->database(), options_.rules,
                         [&](const FleetFinding& finding) { counter.Add(finding, &log.shares); });
    Send(std::move(log));
    if (!options_.keep_findings) return;
    ForEachTriageFinding(store->database(), options_.rules, [&](const FleetFinding& finding) {
      Tell(*channel_, JudgeMessage::kFinding, Pack(finding));
    });
  }

  void Refuse(LogStatus status, const std::string& reason) {
    TriageLog log;
    log.log.status = status;
    log.log.reason = reason;
    Send(std::move(log));
  }

  void Send(TriageLog log) {
    log.log.path = path_;
    log.log.content = content_;
    auto spent = std::chrono::steady_clock::now() - start_;
    log.log.milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(spent).count();
    Tell(*channel_, JudgeMessage::kLog, Pack(log));
  }

  const JudgeOptions& options_;
  WorkerChannel* channel_;
  std::string path_;
  std::string content_;
  std::chrono::steady_clock::time_point start_;
};

std::vector<std::string> Texts(FieldReader* fields) {
  std::vector<std::string> texts;
  while (!fields->AtEnd()) texts.push_back(fields->Text());
  return texts;
}

}  // namespace

void JudgeLogs(const JudgeOptions& options, WorkerChannel* channel) {
  Judge judge(options, channel);
  while (auto request = channel->Receive()) {
    FieldReader fields(request->body);
    if (request->type == JudgeMessage::kParts) {
      FieldWriter parts;
      for (const std::string& part : PartsOfOneRecording(Texts(&fields))) parts.Add(part);
      Tell(*channel, JudgeMessage::kParts, parts.body());
      continue;
    }
    std::string path = fields.Text();
    judge.Run(path, Texts(&fields));
    if (judge.HasGrownLarge()) return;
  }
}

std::string AnalysisHash(const JudgeOptions& options) {
  Sha256 hash;
  hash.AddFile("/proc/self/exe");
  for (const Rule& rule : options.rules) {
    for (const std::string& text :
         {rule.name, std::string(SeverityName(rule.severity)), rule.releases, rule.sql})
      hash.AddText(text);
    for (const std::string& name : rule.required) hash.AddText(name);
  }
  hash.AddText(SeverityName(options.policy.fail_on));
  for (const std::string& rule : options.policy.required) hash.AddText(rule);
  hash.AddText(std::to_string(MebibytesOfLog(options)));
  return hash.Hex();
}

std::string Pack(const TriageLog& one) {
  const FleetLog& log = one.log;
  FieldWriter fields;
  fields.Add(log.path).Add(log.content).Add(static_cast<int64_t>(log.status)).Add(log.reason).Add(log.format);
  fields.Add(log.kernel_release).Add(log.machine).Add(log.files).Add(log.lines).Add(log.events);
  fields.Add(log.rejected).Add(log.waits).Add(log.unknown_waits).Add(log.milliseconds).Add(log.files_unused);
  for (const TriageShare& share : one.shares) {
    fields.Add(share.rule).Add(share.severity).Add(share.fingerprint).Add(share.grade).Add(share.function);
    fields.Add(share.count).Add(share.path).Add(share.line).Add(share.summary);
  }
  return fields.body();
}

TriageLog UnpackLog(std::string_view body) {
  FieldReader fields(body);
  TriageLog one;
  FleetLog& log = one.log;
  log.path = fields.Text();
  log.content = fields.Text();
  log.status = static_cast<LogStatus>(fields.Number());
  log.reason = fields.Text();
  log.format = fields.Text();
  log.kernel_release = fields.Text();
  log.machine = fields.Text();
  log.files = fields.Number();
  log.lines = fields.OptionalNumber();
  log.events = fields.OptionalNumber();
  log.rejected = fields.OptionalNumber();
  log.waits = fields.OptionalNumber();
  log.unknown_waits = fields.OptionalNumber();
  log.milliseconds = fields.Number();
  log.files_unused = fields.Number();
  while (!fields.AtEnd()) {
    TriageShare share;
    share.rule = fields.Text();
    share.severity = fields.Text();
    share.fingerprint = fields.Text();
    share.grade = fields.Text();
    share.function = fields.Text();
    share.count = fields.Number();
    share.path = fields.Text();
    share.line = fields.OptionalNumber();
    share.summary = fields.Text();
    one.shares.push_back(std::move(share));
  }
  return one;
}

std::string Pack(const FleetFinding& finding) {
  FieldWriter fields;
  fields.Add(finding.rule)
      .Add(finding.severity)
      .Add(finding.grade)
      .Add(finding.fingerprint)
      .Add(finding.member);
  fields.Add(finding.function).Add(finding.outcome).Add(finding.comm).Add(finding.pid).Add(finding.pfn);
  fields.Add(finding.summary).Add(finding.path).Add(finding.line);
  return fields.body();
}

FleetFinding UnpackFinding(std::string_view body) {
  FieldReader fields(body);
  FleetFinding finding;
  finding.rule = fields.Text();
  finding.severity = fields.Text();
  finding.grade = fields.Text();
  finding.fingerprint = fields.Text();
  finding.member = fields.Text();
  finding.function = fields.Text();
  finding.outcome = fields.Text();
  finding.comm = fields.Text();
  finding.pid = fields.OptionalNumber();
  finding.pfn = fields.OptionalNumber();
  finding.summary = fields.Text();
  finding.path = fields.Text();
  finding.line = fields.OptionalNumber();
  return finding;
}

}  // namespace mmreplay
