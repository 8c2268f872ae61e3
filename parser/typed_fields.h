// Events by kind, with typed fields: what makes `SELECT prev_comm, next_pid FROM sched_switch` work for
// events known to us or not.
//
// A kind is an event name and a shape: a tracepoint, a probe's entry and a probe's return of one name
// are three kinds. Its fields are the keys of its key=value arguments, in order of first appearance.
// A field is an integer if its radix is known (declared by the event's format or by our own table, or
// printed with 0x) or if all its values are decimal; one other value makes it text for all rows.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parser/batch.h"
#include "parser/probe_definitions.h"
#include "parser/string_table.h"

namespace mmreplay {

// One event of a formats file: the fields its print fmt prints as hex without 0x.
struct EventFormat {
  std::string name;
  std::set<std::string> hex_fields;
};

// Room for the formats of a recording: the 2,500 events of a kernel take some 300 KiB of it, and anything may
// be written into a file.
class FormatRoom {
 public:
  // False where it does not fit: then nothing does any more.
  bool Take(const EventFormat& format) { return TakeBytes(sizeof(EventFormat) + format.name.size()); }
  bool TakeField(std::string_view field) { return TakeBytes(kNode + field.size()); }
  bool full() const { return full_; }

 private:
  static constexpr size_t kNode = 80;  // of a std::set of texts
  bool TakeBytes(size_t bytes) {
    full_ = full_ || bytes > left_;
    if (!full_) left_ -= bytes;
    return !full_;
  }

  size_t left_ = size_t{16} << 20;  // bytes
  bool full_ = false;
};

// name: mm_page_free
// ...
// print fmt: "page=%p pfn=0x%lx order=%d", ...
// Events without such a field are left out, and what does not fit.
std::vector<EventFormat> ParseEventFormats(std::string_view text, FormatRoom* room);

struct KindField {
  std::string name;           // as printed
  size_t occurrence = 0;      // of several fields of that name
  bool hex = false;           // declared
  bool text = false;          // a value that is no integer was seen
  bool has_integers = false;  // rows from before hold integers
};

struct EventKind {
  StringId name;
  EventShape shape;
  std::string system;  // sched, kmem, the group of a probe; empty where not known
  std::vector<KindField> fields;
  int64_t rows = 0;
  bool typed = true;  // false beyond the limit
};

class TypedFields {
 public:
  // At most this many kinds and fields of a kind are typed; the rest is in the arguments only.
  static constexpr size_t kMaxKinds = 1000;
  static constexpr size_t kMaxFields = 200;
  // Nor more fields than this of all kinds: each is a column of a view. A kernel's own events have some
  // 10,000.
  static constexpr size_t kMaxFieldsInAll = 32'768;
  // Nor more fields than this in one batch, nor longer names.
  static constexpr size_t kMaxFieldsOfBatch = size_t{256} * 1024;
  static constexpr size_t kMaxKey = 256;

  // `strings` must outlive it. Probe definitions tell the groups of probes.
  TypedFields(const StringTable* strings, std::vector<EventFormat> formats,
              const std::vector<ProbeDefinition>& probes);

  // Gives the event its kind, and appends its field values to the batch.
  void Assign(Event* event, Batch* batch);
  // Its kind only: kinds() then have no fields.
  void AssignKind(Event* event, const Batch& batch);

  // Index is the kind of the events.
  const std::vector<EventKind>& kinds() const { return kinds_; }
  int64_t untyped_kinds() const { return untyped_kinds_; }
  int64_t untyped_fields() const { return untyped_fields_; }

 private:
  uint32_t KindOf(const Event& event, const Batch& batch);
  std::string SystemOf(std::string_view name, EventShape shape) const;

  const StringTable* strings_;
  std::map<std::string, EventFormat, std::less<>> formats_;
  std::map<std::string, std::string, std::less<>> probe_groups_;  // by event
  std::vector<EventKind> kinds_;
  std::vector<std::array<uint32_t, 3>> by_name_;  // by StringId and shape: kind plus one; 0: none yet
  std::array<EventId, kMaxFields> used_by_{};     // event that used the field last
  int64_t typed_kinds_ = 0;
  size_t typed_fields_ = 0;  // of all kinds
  int64_t untyped_kinds_ = 0;
  int64_t untyped_fields_ = 0;
};

// The system of a tracepoint (sched, kmem) we know; empty for any other. tracefs lines carry none.
std::string_view KnownSystem(std::string_view event);

// Walks the key=value pairs of an event's arguments. A value in double quotes comes without them; a
// number ends at the next blank; anything else goes on to the next key, so that comms may hold blanks.
// A trailing comma or "==>" is no part of a value. Words without '=' are passed over.
class FieldScanner {
 public:
  explicit FieldScanner(std::string_view args) : rest_(args) {}
  bool Next(std::string_view* key, std::string_view* value);

 private:
  std::string_view rest_;
};

// The text of the `occurrence`th field of that key, from 0, for values that turn out to be text.
std::optional<std::string_view> FieldText(std::string_view name, std::string_view args, std::string_view key,
                                          size_t occurrence);

}  // namespace mmreplay
