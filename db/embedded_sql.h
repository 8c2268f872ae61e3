// The .sql files of db/ and rules/, compiled in (cmake/EmbedSql.cmake is not needed at run time).
#pragma once

#include <span>
#include <string_view>

namespace mmreplay {

struct EmbeddedSql {
  std::string_view name;  // "schema.sql"
  std::string_view text;
};

// Files of db/. Throws nothing; an unknown name is a bug and yields an empty text.
std::string_view DatabaseSql(std::string_view name);

}  // namespace mmreplay
