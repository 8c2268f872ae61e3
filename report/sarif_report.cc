#include "report/sarif_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "parser/uri.h"
#include "report/json_values.h"
#include "report/version.h"

namespace mmreplay {
namespace {

// A relative path stays relative, with this base: where it lies the analysis does not store.
constexpr const char* kBase = "WORKDIR";

// No "." and empty segments: "./per_cpu//cpu0/trace" -> "per_cpu/cpu0/trace".
std::string WithoutDots(std::string_view path) {
  std::string clean = path.starts_with('/') ? "/" : "";
  while (!path.empty()) {
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    if (!clean.empty() && clean.back() != '/') clean += '/';
    clean += part;
  }
  return clean;
}

bool ClimbsUp(std::string_view path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") ||
         path.find("/../") != std::string_view::npos;
}

// Braces would be placeholders for arguments, [x](y) a link.
std::string MessageText(std::string_view text) {
  std::string shown = Printable(text);
  std::string escaped;
  for (size_t i = 0; i < shown.size(); ++i) {
    char c = shown[i];
    bool link = c == '[' && shown.find("](", i) != std::string::npos;
    if (link) escaped += '\\';
    if (c == '{' || c == '}') escaped += c;
    escaped += c;
  }
  return escaped;
}

Json Message(std::string_view text) {
  return {{"text", MessageText(text)}};
}

// Markup as the words it is.
std::string MarkdownText(std::string_view text) {
  constexpr std::string_view kMarkup = "\\`*_[]<>#|~&";
  std::string escaped;
  for (char c : MessageText(text)) {
    if (kMarkup.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

const char* LevelOf(std::string_view severity) {
  return severity == "error" ? "error" : severity == "warning" ? "warning" : "note";
}

// A page that survived for want of bad luck is a warning, whatever the rule says of one that did not.
const char* LevelOf(const Finding& finding) {
  if (finding.severity == "error" && finding.grade == "latent") return "warning";
  return LevelOf(finding.severity);
}

// 0 to 100, for viewers that sort by it.
double RankOf(const Finding& finding) {
  double grade = finding.grade == "confirmed" ? 90 : finding.grade == "probable" ? 60 : 30;
  return finding.severity == "info" ? grade / 10 : grade;
}

// The files of the recording as `artifacts`, and places in them.
class Artifacts {
 public:
  explicit Artifacts(const ReportContent& content) : content_(content) {
    for (const SourceFile& source : content.sources) Add(source);
  }

  const Json& json() const { return json_; }

  // Null for a path that is no source of the recording.
  Json Location(const std::string& path) const {
    auto found = by_path_.find(path);
    if (found == by_path_.end()) return nullptr;
    Json location = json_[found->second]["location"];
    location["index"] = found->second;
    return location;
  }

  // Records of binary traces are counted, but they are no lines.
  Json Place(const std::string& path, std::optional<int64_t> line, std::string_view snippet) const {
    Json artifact = Location(path);
    if (artifact.is_null()) return nullptr;
    Json place = {{"artifactLocation", std::move(artifact)}};
    if (!line || *line < 1) return place;
    if (IsBinary(path)) {
      place["properties"] = {{"record", *line}};
      return place;
    }
    place["region"] = {{"startLine", *line}};
    if (!snippet.empty()) place["region"]["snippet"] = {{"text", snippet}};
    return place;
  }

  // Of the trace, or its first file.
  std::string TracePath() const {
    for (const SourceFile& source : content_.sources) {
      if (source.role == "trace") return source.path;
    }
    return {};
  }

 private:
  bool IsBinary(const std::string& path) const {
    bool binary = content_.input.format.find(".dat") != std::string::npos ||
                  content_.input.format.find("perf.data") != std::string::npos;
    return binary && std::any_of(content_.sources.begin(), content_.sources.end(),
                                 [&](const SourceFile& s) { return s.path == path && s.role == "trace"; });
  }

  // "race.tar.xz:race/trace.txt", the member of an archive that was given: the archive's path.
  std::optional<std::string> ArchiveOf(const std::string& path) const {
    const std::string& inputs = content_.input.path;
    for (size_t colon = path.find(':'); colon != std::string::npos; colon = path.find(':', colon + 1)) {
      std::string archive = path.substr(0, colon);
      // Several inputs are stored in one text, separated by blanks.
      if ((" " + inputs + " ").find(" " + archive + " ") != std::string::npos) return archive;
    }
    return std::nullopt;
  }

  size_t AddFile(const std::string& path) {
    std::string clean = WithoutDots(path);
    Json location;
    if (path.starts_with('/')) {
      location = {{"uri", "file://" + PercentEncoded(clean)}};
    } else {
      location = {{"uri", PercentEncoded(clean)}};
      if (!ClimbsUp(clean)) location["uriBaseId"] = kBase;
    }
    Json artifact = {{"location", std::move(location)}};
    if (path == "-") {
      artifact["location"] = {{"uri", "-"}};
      artifact["description"] = Message("standard input");
      artifact["roles"] = {"standardStream"};
    }
    json_.push_back(std::move(artifact));
    return json_.size() - 1;
  }

  void Add(const SourceFile& source) {
    size_t index = 0;
    if (auto archive = ArchiveOf(source.path)) {
      auto known = by_path_.find(*archive);
      size_t parent = known != by_path_.end() ? known->second : by_path_[*archive] = AddFile(*archive);
      std::string member = WithoutDots(std::string_view(source.path).substr(archive->size() + 1));
      while (member.starts_with('/')) member.erase(0, 1);
      index = json_.size();
      json_.push_back({{"location", {{"uri", PercentEncoded(member)}}}, {"parentIndex", parent}});
    } else if (auto known = by_path_.find(source.path); known != by_path_.end()) {
      return;
    } else {
      index = AddFile(source.path);
    }
    by_path_[source.path] = index;
    Json& artifact = json_[index];
    if (source.role == "trace") artifact["roles"].push_back("analysisTarget");
    artifact["properties"] = {{"role", source.role}};
    if (source.lines) artifact["properties"]["lines"] = *source.lines;
  }

  const ReportContent& content_;
  Json json_ = Json::array();
  std::map<std::string, size_t> by_path_;
};

// The first address in a rule's reference.
std::optional<std::string> UriIn(std::string_view text) {
  size_t start = text.find("https://");
  if (start == std::string_view::npos) return std::nullopt;
  std::string uri(text.substr(start, text.find_first_of(" \t", start) - start));
  while (std::string_view(".,;)").find(uri.back()) != std::string_view::npos) uri.pop_back();
  constexpr std::string_view kInUris = "-._~:/?#[]@!$&'()*+,;=%";
  bool valid = std::all_of(uri.begin(), uri.end(), [&](char c) {
    return IsAlphanumeric(c) || kInUris.find(c) != std::string_view::npos;
  });
  return valid ? std::optional(uri) : std::nullopt;
}

constexpr const char* kGrades =
    "A finding is confirmed where the trace proves it, probable where all but the order or the moment is "
    "proven, latent where nothing kept the page alive and it survived this time.";

// "a page was freed twice" -> "A page was freed twice."
std::string Sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text + (text.ends_with('.') ? "" : ".");
}

Json ToRule(const RuleAnswer& rule) {
  std::string summary = Sentence(rule.summary);
  std::string more =
      std::string(kGrades) + " `mmreplay rules explain " + rule.rule + "` tells what it needs.";
  std::string text = MessageText(summary + " " + rule.why) + "\n\n" +
                     MessageText("Reference: " + rule.reference) + "\n\n" + MessageText(more);
  std::string markdown = "**" + MarkdownText(summary) + "**\n\n" + MarkdownText(rule.why) +
                         "\n\n*Reference:* " + MarkdownText(rule.reference) + "\n\n" + MarkdownText(kGrades) +
                         "\n\n    mmreplay rules explain " + Printable(rule.rule);
  Json json = {{"id", rule.rule},
               {"shortDescription", Message(summary)},
               {"fullDescription", Message(summary + " " + rule.why)},
               {"defaultConfiguration", {{"level", LevelOf(rule.severity)}}},
               {"help", {{"text", text}, {"markdown", markdown}}},
               {"properties", {{"severity", rule.severity}, {"reference", rule.reference}}}};
  if (auto uri = UriIn(rule.reference)) json["helpUri"] = *uri;
  return json;
}

Json Notification(const char* level, std::string_view kind, std::string_view text) {
  return {{"descriptor", {{"id", kind}}}, {"level", level}, {"message", Message(text)}};
}

// Facts about the recording that no finding tells.
Json ExecutionNotifications(const ReportContent& content, const Artifacts& artifacts) {
  Json notifications = Json::array();
  for (const LostEvents& gap : content.losses.first) {
    bool ticks = content.clock.ticks;
    Json one = Notification("warning", "events lost",
                            fmt::format("{} of cpu {} lost from {} to {}.",
                                        gap.lost ? Plural(*gap.lost, "event", "events") : "Events", gap.cpu,
                                        gap.from_ts ? TimeText(gap.from_ts, ticks) : "the beginning",
                                        gap.to_ts ? TimeText(gap.to_ts, ticks) : "the end"));
    one["properties"] = ToJson(gap);
    notifications.push_back(std::move(one));
  }
  if (int64_t more = content.losses.gaps - static_cast<int64_t>(content.losses.first.size()); more > 0) {
    notifications.push_back(
        Notification("warning", "events lost",
                     fmt::format("Events were lost in {} more (mmreplay query DB \"SELECT * FROM "
                                 "gaps\").",
                                 Plural(more, "place", "places"))));
  }
  for (const Issue& issue : content.issues) {
    Json one = Notification(LevelOf(issue.severity), issue.kind, issue.text);
    Json place = issue.first_line ? artifacts.Place(artifacts.TracePath(), issue.first_line, "") : Json();
    if (!place.is_null()) {
      one["locations"] = Json::array();
      one["locations"].push_back({{"physicalLocation", std::move(place)}});
    }
    one["properties"] = {{"count", issue.count}};
    notifications.push_back(std::move(one));
  }
  return notifications;
}

// What was not recorded: rules that could not be judged, evidence that is missing.
Json ConfigurationNotifications(const ReportContent& content) {
  Json notifications = Json::array();
  for (size_t i = 0; i < content.rules.size(); ++i) {
    const RuleAnswer& rule = content.rules[i];
    if (rule.applicable) continue;
    bool main_rule = rule.rule == "wait_on_freed_page";
    Json one = Notification(main_rule ? "warning" : "note", "rule not applicable",
                            rule.rule + " is not applicable: record " + rule.missing + ".");
    one["associatedRule"] = {{"id", rule.rule}, {"index", i}};
    notifications.push_back(std::move(one));
  }
  for (const NotShown& missing : content.not_shown) {
    notifications.push_back(Notification(
        "note", "not recorded",
        fmt::format("{}: {}. To see it: {}", missing.what, missing.consequence, missing.record)));
  }
  return notifications;
}

const char* ExitCodeText(int exit_code) {
  constexpr const char* kTexts[] = {"no finding", "a finding", "nothing could be read", "cannot tell"};
  return kTexts[exit_code];
}

Json Invocation(const ReportContent& content, const Artifacts& artifacts) {
  int exit_code = content.verdict.ExitCode();
  Json execution = ExecutionNotifications(content, artifacts);
  if (exit_code == 2)
    execution.push_back(Notification("error", "nothing read", "No event in the input could be read."));
  if (exit_code == 3) {
    execution.push_back(Notification(
        "warning", "cannot tell",
        fmt::format("No finding, but the recording cannot tell: of {} on pages it leaves {} open, and "
                    "events were lost during {}.{}",
                    Plural(content.verdict.waits, "wait", "waits"), CountText(content.verdict.unknown_waits),
                    CountText(content.verdict.waits_in_gaps),
                    content.verdict.incomplete ? " A part of the input could not be read." : "")));
  }
  return {{"executionSuccessful", exit_code != 2},
          {"exitCode", exit_code},
          {"exitCodeDescription", ExitCodeText(exit_code)},
          {"toolExecutionNotifications", std::move(execution)},
          {"toolConfigurationNotifications", ConfigurationNotifications(content)}};
}

Json Driver(const ReportContent& content) {
  Json rules = Json::array();
  for (const RuleAnswer& rule : content.rules) rules.push_back(ToRule(rule));
  // What notifications refer to.
  std::vector<std::string> kinds = {"events lost", "rule not applicable", "not recorded", "nothing read",
                                    "cannot tell"};
  for (const Issue& issue : content.issues) {
    if (std::find(kinds.begin(), kinds.end(), issue.kind) == kinds.end()) kinds.push_back(issue.kind);
  }
  Json notifications = Json::array();
  for (const std::string& kind : kinds) notifications.push_back({{"id", kind}});
  return {
      {"name", "mmreplay"},
      {"version", kProgramVersion},
      {"semanticVersion", kProgramVersion},
      {"shortDescription", Message("Replays Linux memory-management traces and finds waits on freed pages.")},
      {"rules", std::move(rules)},
      {"notifications", std::move(notifications)}};
}

// One decisive event of a finding.
struct Step {
  EventLine event;
  std::string text;
  std::vector<const char*> kinds;  // of SARIF's own words
  bool essential = false;
  std::optional<int64_t> count = {};  // the page's references from here on
};

// The evidence of a finding; of a cause's strongest one the whole race.
std::vector<Step> StepsOf(const Finding& finding, const std::optional<RaceDiagram>& diagram,
                          EventLines* events) {
  std::vector<Step> steps;
  if (diagram && diagram->finding == finding.id) {
    for (const DiagramLine& line : diagram->lines) {
      Step step{
          .event = line.event, .text = line.text, .kinds = {}, .essential = line.fatal, .count = line.count};
      if (line.lock_begins) step.kinds = {"acquire", "lock"};
      if (line.lock_ends) step.kinds = {"release", "lock"};
      if (line.fatal) step.kinds.push_back("danger");
      for (const Evidence& evidence : finding.evidence) step.essential |= evidence.event == line.event.event;
      steps.push_back(std::move(step));
    }
    return steps;
  }
  for (const Evidence& evidence : finding.evidence) {
    auto event = events->Read(evidence.event);
    if (!event) continue;
    Step step{.event = std::move(*event), .text = evidence.role, .kinds = {}, .essential = true};
    std::replace(step.text.begin(), step.text.end(), '_', ' ');
    step.text += ": " + Describe(step.event);
    step.count = step.event.count;
    steps.push_back(std::move(step));
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.event.event < b.event.event; });
  return steps;
}

class Results {
 public:
  Results(const Database& database, const ReportContent& content, const Artifacts& artifacts)
      : artifacts_(artifacts), events_(database, content.clock.ticks), proofs_(database) {
    for (size_t i = 0; i < content.rules.size(); ++i) rule_index_[content.rules[i].rule] = i;
    for (const FindingGroup& group : content.groups) {
      if (group.strongest) diagrams_[group.fingerprint] = &group.strongest;
    }
  }

  Json ToResult(const Finding& finding) {
    static const std::optional<RaceDiagram> kNone;
    auto diagram = diagrams_.find(finding.fingerprint);
    std::vector<Step> steps =
        StepsOf(finding, diagram == diagrams_.end() ? kNone : *diagram->second, &events_);
    Json result = {{"ruleId", finding.rule},
                   {"kind", "fail"},
                   {"level", LevelOf(finding)},
                   {"rank", RankOf(finding)},
                   {"message", Message(MessageOf(finding))},
                   {"locations", Json::array()}};
    if (auto rule = rule_index_.find(finding.rule); rule != rule_index_.end())
      result["ruleIndex"] = rule->second;
    if (const Step* step = MainStep(finding, steps))
      result["locations"].push_back(ToLocation(*step, finding));
    result["partialFingerprints"] = {{"mmreplay/group/v1", Printable(finding.fingerprint)},
                                     {"mmreplay/finding/v1", Identity(finding)}};
    if (Json flows = ThreadFlows(steps); !flows.empty()) {
      result["codeFlows"] = Json::array();
      result["codeFlows"].push_back({{"threadFlows", std::move(flows)}});
    }
    if (finding.kernel) AddKernelReport(*finding.kernel, &result);
    Json properties = ToJson(finding, proofs_.Read(finding.id));
    for (const char* told : {"rule", "summary", "kernel_report"}) properties.erase(told);
    result["properties"] = std::move(properties);
    return result;
  }

 private:
  static std::string MessageOf(const Finding& finding) {
    std::string text = fmt::format("{}: task {}", finding.summary, TaskText(finding.comm, finding.pid));
    if (finding.pfn) text += ", page " + PfnText(finding.pfn);
    if (finding.wait && finding.wait->freed)
      text += ", released by " + TaskText(finding.wait->releaser_comm, finding.wait->releaser_pid);
    text += " (" + finding.grade + ").";
    if (finding.kernel) text += " The kernel reported: " + KernelReportText(*finding.kernel) + ".";
    return text;
  }

  // The same in each analysis of the same trace: rule and evidence.
  static std::string Identity(const Finding& finding) {
    std::string identity = finding.rule;
    for (const Evidence& evidence : finding.evidence)
      identity += fmt::format("/{}={}", Printable(evidence.role), evidence.event);
    return identity + fmt::format("/{}={}", Printable(finding.subject), finding.subject_id);
  }

  // Where a viewer opens the trace: the wait, or else the last event of the evidence.
  static const Step* MainStep(const Finding& finding, const std::vector<Step>& steps) {
    std::optional<int64_t> main;
    for (const Evidence& evidence : finding.evidence) {
      if (evidence.role == "wait") main = evidence.event;
    }
    if (!main && !finding.evidence.empty()) main = finding.evidence.back().event;
    for (const Step& step : steps) {
      if (main == step.event.event) return &step;
    }
    return steps.empty() ? nullptr : &steps.back();
  }

  Json ToLocation(const Step& step, const Finding& finding) const {
    Json location = Json::object();
    Json place = artifacts_.Place(step.event.path, step.event.line, step.event.Original());
    if (!place.is_null()) location["physicalLocation"] = std::move(place);
    std::string function = ProbedFunction(step.event.name, step.event.args);
    if (function.empty() && finding.wait) function = finding.wait->function;
    if (!function.empty()) {
      location["logicalLocations"] = Json::array();
      location["logicalLocations"].push_back({{"name", Printable(function)}, {"kind", "function"}});
    }
    location["message"] = Message(step.text);
    return location;
  }

  Json ToThreadFlowLocation(const Step& step, size_t order) const {
    Json location = {{"location", {{"message", Message(step.text)}}}};
    Json place = artifacts_.Place(step.event.path, step.event.line, step.event.Original());
    if (!place.is_null()) location["location"]["physicalLocation"] = std::move(place);
    if (!step.kinds.empty()) location["kinds"] = step.kinds;
    if (step.count) location["state"] = {{"page reference count", {{"text", std::to_string(*step.count)}}}};
    location["executionOrder"] = order;
    location["importance"] = step.essential ? "essential" : "important";
    Json properties = {{"event", step.event.event}};
    if (step.event.ts) properties["ts"] = *step.event.ts;
    if (step.event.cpu) properties["cpu"] = *step.event.cpu;
    location["properties"] = std::move(properties);
    return location;
  }

  // One per task, in the order in which they come in.
  Json ThreadFlows(const std::vector<Step>& steps) const {
    std::vector<std::string> tasks;
    Json flows = Json::array();
    for (size_t i = 0; i < steps.size(); ++i) {
      const EventLine& event = steps[i].event;
      std::string task = TaskText(event.comm, event.pid);
      auto known = std::find(tasks.begin(), tasks.end(), task);
      auto index = static_cast<size_t>(known - tasks.begin());
      if (known == tasks.end()) {
        tasks.push_back(task);
        flows.push_back({{"id", task}, {"message", Message("task " + task)}, {"locations", Json::array()}});
      }
      flows[index]["locations"].push_back(ToThreadFlowLocation(steps[i], i + 1));
    }
    return flows;
  }

  void AddKernelReport(const KernelReport& report, Json* result) const {
    Json location = {{"message", Message("the kernel's own report: " + KernelReportText(report))}};
    Json place = artifacts_.Place(report.path, report.line, "");
    if (!place.is_null()) location["physicalLocation"] = std::move(place);
    (*result)["relatedLocations"] = Json::array();
    (*result)["relatedLocations"].push_back(std::move(location));
  }

  const Artifacts& artifacts_;
  EventLines events_;
  OrderProofs proofs_;
  std::map<std::string, size_t> rule_index_;
  std::map<std::string, const std::optional<RaceDiagram>*> diagrams_;
};

Json RunProperties(const ReportContent& content) {
  return {{"verdict", VerdictName(content.verdict)}, {"grades", ToJson(content.grades)},
          {"waits", ToJson(content.verdict)},        {"clock", ToJson(content.clock)},
          {"fidelity", ToJson(content.fidelity)},    {"anomalies", Counts(content.anomalies)},
          {"migrations", Counts(content.migrations)}};
}

}  // namespace

void WriteSarifReport(const Database& database, const ReportContent& content, bool near_misses,
                      const WriteFn& write) {
  Artifacts artifacts(content);
  Json run = {{"tool", {{"driver", Driver(content)}}}, {"invocations", Json::array()}};
  run["invocations"].push_back(Invocation(content, artifacts));
  run["originalUriBaseIds"] = {
      {kBase, {{"description", Message("The folder the recording was analysed in.")}}}};
  run["artifacts"] = artifacts.json();
  run["columnKind"] = "unicodeCodePoints";
  std::string head = Dump(run, 1);
  head.resize(head.size() - 2);  // the results go before "\n}"
  write(
      "{\n\"$schema\": \"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
      "sarif-schema-2.1.0.json\",\n\"version\": \"2.1.0\",\n\"runs\": [\n");
  write(head + ",\n \"results\": [");
  Results results(database, content, artifacts);
  bool first = true;
  ForEachFinding(database, [&](const Finding& finding) {
    write((first ? "\n  " : ",\n  ") + Dump(results.ToResult(finding), -1));
    first = false;
    return true;
  });
  write(first ? "]" : "\n ]");
  std::string facts = Dump(RunProperties(content), 1);
  facts.resize(facts.size() - 2);
  write(",\n \"properties\": " + facts);
  if (near_misses) {
    write(",\n \"near_misses\": [");
    first = true;
    ForEachNearMiss(database, [&](const NearMiss& miss) {
      write((first ? "\n  " : ",\n  ") + Dump(ToJson(miss), -1));
      first = false;
      return true;
    });
    write(first ? "]" : "\n ]");
  }
  write("\n}\n}\n]\n}\n");
}

}  // namespace mmreplay
