// Files that hold several statements, each under a line "-- name: NAME".
#pragma once

#include <string_view>
#include <vector>

namespace mmreplay {

struct NamedSql {
  std::string_view name;
  std::string_view about;  // the comment line below the name, empty if there is none
  std::string_view sql;
};

// In the order of the file. Borrows from `text`.
std::vector<NamedSql> SplitNamedSql(std::string_view text);

}  // namespace mmreplay
