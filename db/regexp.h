#pragma once

#include "db/database.h"

namespace mmreplay {

// Makes `text REGEXP pattern` mean an RE2 match anywhere in the text (UTF-8). A pattern is compiled once
// per statement; one that does not compile is an SQL error. NULL gives NULL.
void AddRegexp(Database* database);

}  // namespace mmreplay
