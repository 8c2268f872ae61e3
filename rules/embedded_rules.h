#pragma once

#include <span>

#include "db/embedded_sql.h"

namespace mmreplay {

// The .sql files of rules/, compiled in.
std::span<const EmbeddedSql> EmbeddedRules();

}  // namespace mmreplay
