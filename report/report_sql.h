#pragma once

#include <string_view>

namespace mmreplay {

// The statement of that name in report/*.sql. A name that is not there is a bug.
std::string_view ReportSql(std::string_view name);

}  // namespace mmreplay
