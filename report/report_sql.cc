#include "report/report_sql.h"

#include <cassert>

#include "db/named_sql.h"
#include "report/embedded_report.h"

namespace mmreplay {

std::string_view ReportSql(std::string_view name) {
  for (const EmbeddedSql& file : EmbeddedReport()) {
    for (const NamedSql& statement : SplitNamedSql(file.text)) {
      if (statement.name == name) return statement.sql;
    }
  }
  assert(false);
  return {};
}

}  // namespace mmreplay
