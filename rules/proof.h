// Why the events of a finding are in the order that is told. The view `proofs` knows what stamps, cpus and
// tasks prove; here is found what the values of the events prove beyond that.
#pragma once

#include "db/database.h"

namespace mmreplay {

// To be called when all rules have run. For pairs of evidence events whose order the view leaves open:
// a count that says which was last, a page-table lock that went from one task to the other.
void ProveFindings(Database* database);

}  // namespace mmreplay
