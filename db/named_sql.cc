#include "db/named_sql.h"

namespace mmreplay {

std::vector<NamedSql> SplitNamedSql(std::string_view text) {
  constexpr std::string_view kMark = "-- name: ";
  constexpr auto kNotFound = std::string_view::npos;
  std::vector<NamedSql> statements;
  size_t at = text.find(kMark);
  while (at != kNotFound) {
    size_t name_start = at + kMark.size();
    size_t line_end = text.find('\n', name_start);
    if (line_end == kNotFound) break;
    size_t next = text.find(kMark, line_end);
    NamedSql one;
    one.name = text.substr(name_start, line_end - name_start);
    one.sql = text.substr(line_end + 1, next == kNotFound ? next : next - line_end - 1);
    if (one.sql.starts_with("-- ")) one.about = one.sql.substr(3, one.sql.find('\n') - 3);
    statements.push_back(one);
    at = next;
  }
  return statements;
}

}  // namespace mmreplay
