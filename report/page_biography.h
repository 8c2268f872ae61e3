// The biography of one page: its lives, and in each, in the order of the trace, its events with the reference
// count, the page-table locks held meanwhile, waits, migrations in and out, findings and kernel reports.
#pragma once

#include <cstdint>

#include "db/database.h"
#include "report/format.h"

namespace mmreplay {

// False, and nothing written, where the trace says nothing of this page. For a page inside larger blocks
// the lives of these blocks are told.
bool WritePageBiography(const Database& database, int64_t pfn, const WriteFn& write);

}  // namespace mmreplay
