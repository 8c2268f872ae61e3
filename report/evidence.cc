#include "report/evidence.h"

#include <fmt/format.h>

#include "parser/decode.h"
#include "parser/numbers.h"
#include "report/format.h"
#include "report/report_sql.h"

namespace mmreplay {
namespace {

std::string DescribeReference(const EventLine& event) {
  std::string_view name = event.name;
  std::string_view val = FindField(event.args, "val").value_or("");
  bool done = FindField(event.args, "ret") == "1";
  if (name == "page_ref_set") return "reference count set to " + Printable(val);
  if (name == "page_ref_mod_unless" && !done) return "tries to take a reference: the count is 0";
  if (name == "page_ref_freeze")
    return done ? "freezes the count" : "cannot freeze the count: other references";
  if (name == "page_ref_unfreeze") return "unfreezes the count";
  if (name == "page_ref_mod_and_test" && done) return "drops the last reference";
  bool down = val.starts_with('-');
  if (down) val.remove_prefix(1);
  if (val == "1") return down ? "drops a reference" : "takes a reference";
  return fmt::format("{} {} references", down ? "drops" : "takes", Printable(val));
}

}  // namespace

TraceClock ReadClock(const Database& database) {
  Statement query(database, ReportSql("clock"));
  if (!query.Step()) return {};
  return {std::string(query.Text(0)), query.Int(1) != 0, query.Int(2)};
}

std::string EventLine::Original() const {
  std::string text = comm + "-" + (pid ? std::to_string(*pid) : "?");
  if (tgid) text += fmt::format(" ({})", *tgid);
  if (cpu) text += fmt::format(" [{:03}]", *cpu);
  if (!context.empty()) text += " " + context;
  if (ts) text += " " + TimeText(ts, ticks) + ":";
  return text + " " + name + ": " + args;
}

EventLines::Texts::Texts(const Database& database, std::string_view sql) : query_(database, ReportSql(sql)) {}

const std::string& EventLines::Texts::Read(int64_t id) {
  if (known_.size() > kMostKept) known_.clear();
  auto [known, fresh] = known_.try_emplace(id);
  if (fresh) {
    query_.Bind(1, id);
    if (query_.Step()) known->second = query_.Text(0);
    query_.Reset();
  }
  return known->second;
}

EventLines::EventLines(const Database& database, bool ticks)
    : query_(database, ReportSql("event line")),
      strings_(database, "string"),
      kinds_(database, "name of kind"),
      sources_(database, "path of source"),
      ticks_(ticks) {}

std::optional<EventLine> EventLines::Read(int64_t event) {
  query_.Bind(1, event);
  std::optional<EventLine> line;
  if (query_.Step()) {
    line = EventLine{.event = event,
                     .path = sources_.Read(query_.Int(9)),
                     .line = query_.Int(6),
                     .ts = query_.OptionalInt(0),
                     .ticks = ticks_,
                     .cpu = query_.OptionalInt(1),
                     .pid = query_.OptionalInt(2),
                     .comm = strings_.Read(query_.Int(3)),
                     .name = kinds_.Read(query_.Int(4)),
                     .args = std::string(query_.Text(5)),
                     .context = strings_.Read(query_.Int(7)),
                     .tgid = query_.OptionalInt(8),
                     .count = query_.OptionalInt(10)};
  }
  query_.Reset();
  return line;
}

std::string ProbedFunction(std::string_view name, std::string_view args) {
  if (!args.starts_with('(')) return {};
  std::string_view place = args.substr(1, args.find(')') - 1);
  if (size_t arrow = place.find(" <- "); arrow != std::string_view::npos) place.remove_prefix(arrow + 4);
  // trace-cmd and perf print addresses: then the probe's own name is all that tells.
  bool bare_address = place.find('+') == std::string_view::npos && ParsePointer(place);
  return std::string(bare_address ? name : place.substr(0, place.find_first_of("+ ")));
}

std::string Describe(const EventLine& event) {
  if (std::string function = ProbedFunction(event.name, event.args); !function.empty()) {
    bool returned = event.args.substr(0, event.args.find(')')).find(" <- ") != std::string::npos;
    return Printable(function) + (returned ? "() returns" : "()");
  }
  if (event.name.starts_with("page_ref_")) return DescribeReference(event);
  std::string order = Printable(FindField(event.args, "order").value_or(""));
  if (event.name == "mm_page_free") return "PAGE FREED";
  if (event.name == "mm_page_alloc") return "page allocated, order " + (order.empty() ? "?" : order);
  if (event.name == "set_migration_pmd") return "pmd -> migration entry";
  if (event.name == "set_migration_pte") return "pte -> migration entry";
  if (event.name == "remove_migration_pmd") return "migration entry -> pmd";
  if (event.name == "remove_migration_pte") return "migration entry -> pte";
  return Printable(event.name);
}

OrderProofs::OrderProofs(const Database& database) : query_(database, ReportSql("proofs")) {}

std::vector<OrderProof> OrderProofs::Read(int64_t finding) {
  query_.Bind(1, finding);
  std::vector<OrderProof> proofs;
  while (query_.Step())
    proofs.push_back(
        {query_.Int(0), query_.Int(1), std::string(query_.Text(2)), std::string(query_.Text(3))});
  query_.Reset();
  return proofs;
}

std::optional<KernelReport> ReadKernelReport(const Database& database, int64_t id) {
  Statement query(database, ReportSql("kernel report"));
  query.Bind(1, id);
  if (!query.Step()) return std::nullopt;
  return KernelReport{.kind = std::string(query.Text(0)),
                      .comm = std::string(query.Text(1)),
                      .flags = std::string(query.Text(2)),
                      .reason = std::string(query.Text(3)),
                      .pfn = query.OptionalInt(4),
                      .path = std::string(query.Text(5)),
                      .line = query.Int(6)};
}

std::string KernelReportText(const KernelReport& report) {
  std::string text = report.kind == "bad_page_state"   ? "BUG: Bad page state"
                     : report.kind == "vm_bug_on_page" ? "VM_BUG_ON_PAGE"
                                                       : Printable(report.kind);
  if (!report.comm.empty()) text += " in process " + Printable(report.comm);
  if (report.pfn) text += fmt::format(" pfn:{:05x}", *report.pfn);
  std::string detail = Printable(report.flags);
  if (!report.reason.empty()) detail += (detail.empty() ? "" : "; ") + Printable(report.reason);
  return detail.empty() ? text : text + " (" + detail + ")";
}

}  // namespace mmreplay
