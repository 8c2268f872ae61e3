#pragma once

#include <span>

#include "db/embedded_sql.h"

namespace mmreplay {

// report/report.sql, compiled in.
std::span<const EmbeddedSql> EmbeddedReport();

}  // namespace mmreplay
