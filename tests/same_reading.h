// A binary recording read twice: with the text of all arguments, and with records in their place wherever
// that may be (EventSource::set_layouts). Both must come to the same.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "parser/event_source.h"

namespace mmreplay {

using OpenSource = std::function<std::unique_ptr<EventSource>(StringTable* strings, Decoder* decoder)>;

// What differs first; empty: nothing. `open` opens the recording anew each time; what it and the sources
// throw of type Error must be the same, too. `records`, if not null: so many events came as records.
std::string DifferenceOfReadings(const OpenSource& open, const std::vector<ProbeDefinition>& probes,
                                 int64_t* records = nullptr);

}  // namespace mmreplay
