// mmreplay page: the biography of one page of a stored trace.

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/database.h"
#include "parser/error.h"
#include "parser/numbers.h"
#include "report/page_biography.h"

namespace mmreplay {
namespace {

std::optional<int64_t> InRange(std::optional<uint64_t> value) {
  if (!value || *value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return static_cast<int64_t>(*value);
}

std::optional<int64_t> ReadPfn(std::string_view text) {
  if (text.starts_with("0x")) return InRange(ParseHexDigits(text.substr(2)));
  if (text.starts_with("pfn:")) return InRange(ParseHexDigits(text.substr(4)));
  return InRange(ParseDecimal(text));
}

int RunPage(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(PageCommand(), arguments);
  if (!parsed) return 0;
  const Arguments& given = *parsed;
  auto path = given.Text("database");
  auto text = given.Text("pfn");
  if (!path || !text) throw Error("page: needs a database and a page frame number; see mmreplay page --help");

  auto database = OpenTraceDatabase(*path, Database::Mode::kReadOnly);
  BufferedOutput out;
  auto pfn = ReadPfn(*text);
  if (pfn && WritePageBiography(*database, *pfn, out.writer())) {
    out.Flush();
    return 0;
  }
  std::string error = *text + (pfn ? ": nothing in " + *path + " is about this page"
                                   : ": is no page frame number; give 0x39200, pfn:39200 or decimal");
  // Bare digits are decimal; who copied them off a console meant hex.
  auto hex = InRange(ParseHexDigits(*text));
  if (hex && WritePageBiography(*database, *hex, [](std::string_view) {}))
    error += "; did you mean 0x" + *text + "?";
  throw Error(error);
}

}  // namespace

Command PageCommand() {
  return {
      .name = "page",
      .summary = "tell the biography of one page of a stored trace",
      .usage = {"DB PFN"},
      .about =
          {"Tells the biography of one page of a stored trace: each of its lives with its events, reference "
           "counts, page-table locks, waits, migrations, findings and kernel reports, in the order of the "
           "trace.",
           "PFN is 0x39200, pfn:39200 (hex, as the console prints it) or decimal."},
      .options = {},
      .operands = {{"database", "DB"}, {"pfn", "PFN"}},
      .exit_codes = kPlainExitCodes,
      .examples = {{"mmreplay page race.db 0x39200", "tells what happened to the page of a finding"},
                   {"mmreplay page race.db pfn:39200",
                    "takes the number as `BUG: Bad page state` prints it"}},
      .run = RunPage,
  };
}

}  // namespace mmreplay
