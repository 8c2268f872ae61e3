#include "report/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "report/content.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

constexpr size_t kGapsListed = 20;

void WriteLine(const char* label, const std::string& text, const WriteFn& write) {
  write(Wrap(fmt::format("{:<7} {}", label, text), 2, 10));
}

void WriteRules(const ReportContent& content, const WriteFn& write) {
  write("\nrules\n");
  for (const RuleAnswer& rule : content.rules) {
    std::string text = rule.rule;
    text += rule.applicable
                ? fmt::format(": could be judged, {}", Plural(rule.findings, "finding", "findings"))
                : ": not applicable, " + rule.missing + " not recorded";
    write(Wrap(text, 2, 4));
  }
}

void WriteEvidence(const Database& database, const ReportContent& content, const WriteFn& write) {
  write("\nevidence\n");
  Statement had(database, ReportSql("evidence had"));
  while (had.Step()) {
    if (had.Int(1) > 0) WriteLine("had", fmt::format("{}: {}", had.Text(0), CountText(had.Int(1))), write);
  }
  for (const NotShown& missing : content.not_shown)
    WriteLine("lacked", missing.what + ": " + missing.consequence, write);
  const Losses& losses = content.losses;
  for (size_t i = 0; i < losses.first.size() && i < kGapsListed; ++i) {
    const LostEvents& gap = losses.first[i];
    WriteLine(
        "lost",
        fmt::format("{} of cpu {} from {} to {}", gap.lost ? Plural(*gap.lost, "event", "events") : "events",
                    gap.cpu, gap.from_ts ? TimeText(gap.from_ts, content.clock.ticks) : "the beginning",
                    gap.to_ts ? TimeText(gap.to_ts, content.clock.ticks) : "the end"),
        write);
  }
  if (int64_t more = losses.gaps - static_cast<int64_t>(kGapsListed); more > 0)
    WriteLine("lost", "events in " + Plural(more, "more place", "more places"), write);
  if (content.verdict.unknown_waits > 0)
    WriteLine("open", Plural(content.verdict.unknown_waits, "wait", "waits") + " that could not be judged",
              write);
}

void AddNew(const std::vector<std::string>& from, std::vector<std::string>* to) {
  for (const std::string& one : from) {
    if (std::find(to->begin(), to->end(), one) == to->end()) to->push_back(one);
  }
}

// The probes and events of all that is lacking, each once.
RecordingAdvice AdviceFor(const ReportContent& content) {
  auto release = ParseKernelRelease(content.input.kernel_release);
  RecordingAdvice all;
  for (const NotShown& missing : content.not_shown) {
    RecordingAdvice one = AdviseRecording(missing.kind, release, content.input.machine);
    AddNew(one.probes, &all.probes);
    AddNew(one.events, &all.events);
    if (!one.needs.empty())
      all.needs += (all.needs.empty() ? "" : "\n") + missing.what + " need " + one.needs;
  }
  return all;
}

void WriteCommands(const ReportContent& content, const WriteFn& write) {
  RecordingAdvice advice = AdviceFor(content);
  if (content.losses.gaps > 0)
    write("\nto lose nothing: a larger buffer, `echo 65536 > buffer_size_kb` (KiB per cpu)\n");
  if (advice.probes.empty() && advice.events.empty()) return;
  std::string kernel = content.input.kernel_release.empty() ? "of a release nobody told (as current ones)"
                                                            : Printable(content.input.kernel_release);
  write(fmt::format("\nto record what was lacking, on kernel {}\n", kernel));
  size_t at = 0;
  while (at < advice.needs.size()) {
    size_t end = std::min(advice.needs.find('\n', at), advice.needs.size());
    write(Wrap(advice.needs.substr(at, end - at), 2, 4));
    at = end + 1;
  }
  write("\n  with tracefs\n");
  write("    mmreplay capture > mmreplay-capture && sh mmreplay-capture    # or by hand:\n");
  write("    cd /sys/kernel/tracing\n");
  for (const std::string& probe : advice.probes) write("    echo '" + probe + "' >> kprobe_events\n");
  if (!advice.probes.empty()) write("    echo 1 > events/mmreplay/enable\n");
  for (const std::string& event : advice.events) {
    std::string path = event;
    path[path.find(':')] = '/';
    write("    echo 1 > events/" + path + "/enable\n");
  }
  std::string events;
  for (const std::string& event : advice.events) events += " -e " + event;
  std::string probes = advice.probes.empty() ? "" : " -e mmreplay";
  // perf takes a group of probes by pattern.
  std::string perf_probes = advice.probes.empty() ? "" : " -e 'mmreplay:*'";
  write("\n  with trace-cmd" + std::string(advice.probes.empty() ? "\n" : " (probes made as above)\n"));
  write("    trace-cmd record -C global" + events + probes + " COMMAND\n");
  write("\n  with perf" + std::string(advice.probes.empty() ? "\n" : " (probes made as above)\n"));
  write("    perf record -a -k CLOCK_MONOTONIC" + events + perf_probes + " COMMAND\n");
}

}  // namespace

void WriteDoctor(const Database& database, const WriteFn& write) {
  ReportContent content = ReadContent(database);
  const InputFacts& input = content.input;
  std::string machine = input.machine.empty() ? "" : ", " + input.machine;
  std::string release = input.kernel_release.empty() ? "kernel not known" : "kernel " + input.kernel_release;
  write(Printable(fmt::format("{}: {}, {}{}", input.path, input.format, release, machine)) + "\n");
  WriteRules(content, write);
  WriteEvidence(database, content, write);
  WriteCommands(content, write);
}

}  // namespace mmreplay
