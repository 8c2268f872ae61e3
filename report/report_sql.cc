#include "report/report_sql.h"

#include <cassert>
#include <string>

#include "report/embedded_report.h"

namespace mmreplay {

std::string_view ReportSql(std::string_view name) {
  constexpr std::string_view kMark = "-- name: ";
  std::string_view text = EmbeddedReport().front().text;
  size_t at = text.find(std::string(kMark) + std::string(name) + "\n");
  assert(at != std::string_view::npos);
  text.remove_prefix(at + kMark.size() + name.size() + 1);
  return text.substr(0, text.find(kMark));
}

}  // namespace mmreplay
