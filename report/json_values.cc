#include "report/json_values.h"

#include <utility>

namespace mmreplay {
namespace {

Json ToJson(const std::optional<KernelReport>& report) {
  if (!report) return nullptr;
  return {{"kind", report->kind},
          {"comm", OrNull(report->comm)},
          {"flags", OrNull(report->flags)},
          {"reason", OrNull(report->reason)},
          {"pfn", OrNull(report->pfn)},
          {"path", report->path},
          {"line", report->line}};
}

Json ToJson(const std::vector<OrderProof>& proofs) {
  Json array = Json::array();
  for (const OrderProof& proof : proofs)
    array.push_back(
        {{"first", proof.first}, {"second", proof.second}, {"kind", proof.kind}, {"detail", proof.detail}});
  return array;
}

Json ToJson(const DiagramLine& line) {
  const EventLine& event = line.event;
  return {{"event", event.event},
          {"path", event.path},
          {"line", event.line},
          {"ts", OrNull(event.ts)},
          {"cpu", OrNull(event.cpu)},
          {"pid", OrNull(event.pid)},
          {"comm", event.comm},
          {"side", line.side == DiagramSide::kWaiter ? "waiter" : "others"},
          {"text", line.text},
          {"lock", line.lock_begins ? Json("taken")
                   : line.lock_ends ? Json("dropped")
                   : line.locked    ? Json("held")
                                    : Json(nullptr)},
          {"fatal", line.fatal},
          {"count", OrNull(line.count)},
          {"original", event.Original()}};
}

Json ToJson(const std::optional<RaceDiagram>& diagram) {
  if (!diagram) return nullptr;
  Json lines = Json::array();
  for (const DiagramLine& line : diagram->lines) lines.push_back(ToJson(line));
  return {{"finding", diagram->finding},
          {"waiter", diagram->waiter},
          {"releaser", OrNull(diagram->releaser)},
          {"pfn", OrNull(diagram->pfn)},
          {"page_order", OrNull(diagram->page_order)},
          {"why", diagram->why},
          {"order", OrNull(diagram->order)},
          {"proofs", ToJson(diagram->proofs)},
          {"lines", std::move(lines)},
          {"events_left_out", diagram->left_out},
          {"kernel_report", ToJson(diagram->kernel)}};
}

Json ToJson(const WaitOfFinding& wait) {
  Json releaser = nullptr;
  if (wait.freed) releaser = {{"comm", wait.releaser_comm}, {"pid", OrNull(wait.releaser_pid)}};
  return {{"function", wait.function},
          {"begin_ts", OrNull(wait.begin_ts)},
          {"end_ts", OrNull(wait.end_ts)},
          {"protection", wait.protection},
          {"outcome", wait.outcome},
          {"releaser", std::move(releaser)},
          {"freed_ts", OrNull(wait.freed_ts)},
          {"order", wait.order},
          {"order_distance", OrNull(wait.distance)}};
}

}  // namespace

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', true, Json::error_handler_t::replace);
}

const char* VerdictName(const Verdict& verdict) {
  switch (verdict.ExitCode()) {
    case 0:
      return "no finding";
    case 1:
      return "found";
    case 2:
      return "nothing read";
    default:
      return "cannot tell";
  }
}

Json ToJson(const GradeCounts& grades) {
  return {{"confirmed", grades.confirmed}, {"probable", grades.probable}, {"latent", grades.latent}};
}

Json ToJson(const FindingGroup& group) {
  return {{"fingerprint", group.fingerprint},
          {"rule", group.rule},
          {"severity", group.severity},
          {"summary", group.summary},
          {"why", group.why},
          {"reference", group.reference},
          {"grades", ToJson(group.grades)},
          {"pages", group.pages},
          {"tasks", group.tasks},
          {"functions", OrNull(group.functions)},
          {"contract", OrNull(group.contract)},
          {"strongest", ToJson(group.strongest)}};
}

Json ToJson(const Finding& finding, const std::vector<OrderProof>& proofs) {
  Json evidence = Json::array();
  for (const Evidence& event : finding.evidence)
    evidence.push_back({{"event", event.event}, {"role", event.role}});
  return {{"id", finding.id},
          {"grade", finding.grade},
          {"rule", finding.rule},
          {"severity", finding.severity},
          {"fingerprint", finding.fingerprint},
          {"comm", finding.comm},
          {"pid", OrNull(finding.pid)},
          {"pfn", OrNull(finding.pfn)},
          {"subject", finding.subject},
          {"subject_id", finding.subject_id},
          {"summary", finding.summary},
          {"wait", finding.wait ? ToJson(*finding.wait) : Json(nullptr)},
          {"evidence", std::move(evidence)},
          {"proofs", ToJson(proofs)},
          {"kernel_report", ToJson(finding.kernel)}};
}

Json ToJson(const NearMiss& miss) {
  return {{"comm", miss.comm},
          {"pid", OrNull(miss.pid)},
          {"pfn", OrNull(miss.pfn)},
          {"function", miss.function},
          {"begin_ts", OrNull(miss.begin_ts)},
          {"end_ts", OrNull(miss.end_ts)},
          {"outcome", miss.outcome},
          {"step", miss.step},
          {"reason", miss.reason},
          {"event", OrNull(miss.event)},
          {"line", OrNull(miss.line)}};
}

Json ToJson(const InputFacts& input, const std::vector<SourceFile>& sources) {
  Json files = Json::array();
  for (const SourceFile& file : sources)
    files.push_back({{"role", file.role}, {"path", file.path}, {"lines", OrNull(file.lines)}});
  return {{"path", input.path},
          {"format", input.format},
          {"kernel_release", OrNull(input.kernel_release)},
          {"machine", OrNull(input.machine)},
          {"lines",
           {{"total", input.lines},
            {"events", input.events},
            {"comments", input.comments},
            {"continuations", input.continuations},
            {"markers", input.markers},
            {"rejected", input.rejected}}},
          {"sources", std::move(files)}};
}

Json Counts(const std::vector<CountedName>& counts) {
  Json object = Json::object();
  for (const CountedName& count : counts) object[count.name] = count.count;
  return object;
}

Json ToJson(const Verdict& verdict) {
  return {{"total", verdict.waits}, {"unknown", verdict.unknown_waits}, {"in_gaps", verdict.waits_in_gaps}};
}

Json ToJson(const TraceClock& clock) {
  return {{"name", OrNull(clock.name)}, {"unit", clock.ticks ? "ticks" : "ns"}, {"error", clock.error}};
}

Json ToJson(const AlsoSeen& seen) {
  return {{"rule", seen.rule}, {"summary", seen.summary}, {"findings", seen.findings}};
}

Json ToJson(const WaitClass& waits) {
  return {
      {"verdict", waits.verdict}, {"function", waits.function},       {"caller", OrNull(waits.caller)},
      {"reason", waits.reason},   {"outcome", OrNull(waits.outcome)}, {"contract", OrNull(waits.contract)},
      {"count", waits.count}};
}

Json ToJson(const RuleAnswer& rule) {
  return {{"rule", rule.rule},
          {"applicable", rule.applicable},
          {"missing", OrNull(rule.missing)},
          {"findings", rule.findings}};
}

Json ToJson(const NotShown& missing) {
  return {{"what", missing.what}, {"consequence", missing.consequence}, {"record", missing.record}};
}

Json ToJson(const Fidelity& fidelity) {
  return {{"anchors", fidelity.anchors},
          {"matched", fidelity.matched},
          {"first_mismatch_event", OrNull(fidelity.first_mismatch)},
          {"first_mismatch_line", OrNull(fidelity.first_mismatch_line)}};
}

Json ToJson(const LostEvents& gap) {
  return {{"cpu", gap.cpu},
          {"from_ts", OrNull(gap.from_ts)},
          {"to_ts", OrNull(gap.to_ts)},
          {"lost", OrNull(gap.lost)}};
}

Json ToJson(const Issue& issue) {
  return {{"severity", issue.severity},
          {"kind", issue.kind},
          {"count", issue.count},
          {"text", issue.text},
          {"first_line", OrNull(issue.first_line)}};
}

}  // namespace mmreplay
