// Rows of a query for people and programs.
#pragma once

#include <optional>

#include "db/read_only.h"
#include "report/format.h"

namespace mmreplay {

// Columns padded, numbers to the right. `width`: of the terminal; wider rows have their longest texts
// cut with "...". Without it nothing is cut. Widths follow the first 1,000 rows.
void WriteTable(ReadOnlyStatement* query, std::optional<size_t> width, const WriteFn& write);

// RFC 4180 with a header line; NULL is empty. A text that a spreadsheet would take for a formula begins with
// '; numbers, and texts that are numbers, stay. Bytes that are not printable, ends of lines and tabs aside,
// as \x1b.
void WriteCsv(ReadOnlyStatement* query, const WriteFn& write);

// An array of objects, one line each. Bytes that are not UTF-8 become U+FFFD.
void WriteJson(ReadOnlyStatement* query, const WriteFn& write);

}  // namespace mmreplay
