// A stored trace in the place of the files it was made from: what `mmreplay replay` reads.
#pragma once

#include <memory>
#include <string>

#include "db/database.h"
#include "parser/bundle.h"
#include "parser/decode.h"
#include "parser/event_source.h"
#include "parser/string_table.h"

namespace mmreplay {

class StoredTrace {
 public:
  // Throws Error for a database that mmreplay did not write, or wrote before it kept what a replay needs.
  explicit StoredTrace(const std::string& path);

  // Without the files: nothing of it can be opened.
  const Recording& recording() const { return recording_; }

  // The events in the order and the batches they were read in. The stored trace, `strings` and `decoder` must
  // outlive the source.
  std::unique_ptr<EventSource> Open(StringTable* strings, Decoder* decoder) const;

 private:
  std::unique_ptr<Database> database_;
  Recording recording_;
};

}  // namespace mmreplay
