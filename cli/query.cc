// mmreplay query: SQL over a trace database, for people and programs.
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "db/embedded_sql.h"
#include "db/fleet_store.h"
#include "db/named_sql.h"
#include "db/read_only.h"
#include "db/regexp.h"
#include "parser/error.h"
#include "parser/numbers.h"
#include "report/rows.h"

namespace mmreplay {
namespace {

// Width of the terminal; nullopt when standard output is none.
std::optional<size_t> TerminalWidth() {
  if (!isatty(STDOUT_FILENO)) return std::nullopt;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  if (const char* columns = std::getenv("COLUMNS")) {
    if (auto width = ParseDecimal(columns); width && *width > 0) return *width;
  }
  return 80;
}

std::string List() {
  std::string list;
  for (const NamedSql& query : SplitNamedSql(DatabaseSql("queries.sql"))) {
    list += "@" + std::string(query.name) + std::string(14 - std::min<size_t>(13, query.name.size()), ' ') +
            std::string(query.about) + "\n";
  }
  return list;
}

SqlSource SourceOf(const std::string& text) {
  if (!text.starts_with('@')) return {"query", 1, text};
  for (const NamedSql& query : SplitNamedSql(DatabaseSql("queries.sql"))) {
    if (query.name == text.substr(1)) return {text, 1, std::string(query.sql)};
  }
  throw Error(text + ": no query of that name; `mmreplay query --list` shows them");
}

// SQL that begins with a comment is no option: "-- why\nSELECT ...".
std::vector<std::string> WithSql(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    if (argument.starts_with("-- ") || argument.starts_with("--\n")) argument.insert(0, " ");
  }
  return arguments;
}

uint64_t TimeLimit(const Arguments& given) {
  constexpr uint64_t kDefaultSeconds = 60;
  constexpr uint64_t kMostSeconds = 10'000'000;
  auto text = given.Text("time-limit");
  if (!text) return kDefaultSeconds;
  auto seconds = ParseDecimal(*text);
  if (!seconds || *seconds > kMostSeconds)
    throw Error("--time-limit: " + *text + ": takes a number from 0 to " + std::to_string(kMostSeconds));
  return *seconds;
}

int RunQuery(const std::vector<std::string>& arguments) {
  auto parsed = ParseArguments(QueryCommand(), WithSql(arguments));
  if (!parsed) return 0;
  const Arguments& given = *parsed;
  if (given.Has("list")) {
    WriteOutput(List());
    return 0;
  }
  auto path = given.Text("database");
  auto sql = given.Text("sql");
  if (!path || !sql) throw Error("query: needs a database and a query; see mmreplay query --help");
  std::string format = given.Text("format").value_or("table");
  if (format != "table" && format != "csv" && format != "json")
    throw Error("--format: " + format + ": a query writes table, csv or json");

  auto database =
      IsFleetDatabase(*path) ? OpenFleetDatabase(*path) : OpenTraceDatabase(*path, Database::Mode::kReadOnly);
  AddRegexp(database.get());
  SqlSource source = SourceOf(*sql);
  ReadOnlyStatement statement(*database, source, {.cpu = std::chrono::seconds(TimeLimit(given))});
  BufferedOutput out;
  WriteFn write = out.writer();
  if (format == "table") {
    WriteTable(&statement, TerminalWidth(), write);
  } else if (format == "csv") {
    WriteCsv(&statement, write);
  } else {
    WriteJson(&statement, write);
  }
  out.Flush();
  return 0;
}

}  // namespace

Command QueryCommand() {
  return {
      .name = "query",
      .summary = "ask a stored trace in SQL",
      .usage = {"DB SQL|@NAME [OPTIONS]", "--list"},
      .about =
          {"Runs one SELECT on a database that `mmreplay analyze -o DB` wrote, or a named query. Nothing can "
           "be changed by it. `text REGEXP pattern` matches with RE2.",
           "Views: traces sources events stacks page_refs page_lifetimes ptl_holds migrations page_waits "
           "anomalies gaps console_reports trace_issues findings finding_events proofs rule_results "
           "event_kinds, and one per kind of event with typed fields (sched_switch, mm_page_free, ...).",
           "With --format json an error is a JSON object on standard output too."},
      .options = {{"format", "table|csv|json", "form of the rows (default: table)"},
                  {"time-limit", "SECONDS", "of the processor, for the query (default: 60; 0: none)"},
                  {"list", "", "the named queries, and what each shows"}},
      .operands = {{"database", "DB"}, {"sql", "QUERY"}},
      .exit_codes = kPlainExitCodes,
      .examples =
          {{"mmreplay query race.db @waits", "shows each wait on a page, the worst first"},
           {"mmreplay query race.db \"SELECT prev_comm, count(*) FROM sched_switch WHERE prev_state REGEXP "
            "'^D' GROUP BY 1\"",
            "counts how often tasks went to sleep uninterruptibly"}},
      .run = RunQuery,
  };
}

}  // namespace mmreplay
