// The views that are made for each recording: one per kind of event, with typed fields, and page_refs.
#pragma once

#include <vector>

#include "db/database.h"
#include "parser/string_table.h"
#include "parser/typed_fields.h"

namespace mmreplay {

// Typed fields kept in the event's own row; the rest goes to event_more.
inline constexpr size_t kFieldsInRow = 16;

// Fills the table `kind`, turns fields that hold texts into text for all their rows, and creates the
// views. To be called once all events are stored, before indexes are built.
void CreateKindViews(Database* database, const std::vector<EventKind>& kinds, const StringTable& strings);

// Throws Error where a view of a kind, or page_refs, is not as it was made.
void RequireKindViews(const Database& database);

// Fills the table `kind` only.
void StoreKinds(Database* database, const std::vector<EventKind>& kinds, const StringTable& strings);

}  // namespace mmreplay
