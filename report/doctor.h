// What a recording could show and what it could not: the evidence each rule had, lacked or lost, and the
// commands that would record it on that kernel.
#pragma once

#include "db/database.h"
#include "report/format.h"

namespace mmreplay {

void WriteDoctor(const Database& database, const WriteFn& write);

}  // namespace mmreplay
