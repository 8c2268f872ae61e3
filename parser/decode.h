// Event name and argument text -> typed payload. The only place that knows the text of tracepoints
// and probes; everything right of it sees types.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "parser/batch.h"
#include "parser/event.h"
#include "parser/event_layout.h"
#include "parser/probe_definitions.h"
#include "parser/probe_signatures.h"
#include "parser/string_table.h"
#include "parser/tracepoint.h"

namespace mmreplay {

class Decoder {
 public:
  // `strings` must outlive the decoder.
  Decoder(StringTable* strings, std::vector<ProbeDefinition> probes, std::optional<KernelRelease> release);
  ~Decoder();

  // Opaque for what is unknown or does not read as the tracepoint of that name should: another
  // event (trace_printk, a probe) may carry the same leading token. Views in the payload borrow
  // from `args`.
  Payload Decode(StringId name, std::string_view args);

  // Gives an event its payload. False: it is unreadable, having the name of one that means something, or the
  // place of such a probe, and arguments that are none of that. An allocation that failed is what it should
  // be.
  bool Understand(std::string_view args, Event* event);
  // The issue of such an event.
  TraceIssue NotUnderstoodIssue(StringId name, std::string_view args, int64_t line) const;

  // What each hit of an entry probe at `place` tells, by the format of its records.
  void LearnFields(StringId name, std::string_view place, const EventLayout& layout);

  // What the hits of one entry probe are: records of one layout, all at one place.
  class ProbeRecords;
  // At `place` ("(folio_wait_bit+0x0)"); nullopt where the text of its hits is needed.
  std::optional<ProbeRecords> BindRecords(StringId name, std::string_view place, const EventLayout& layout);
  // The same as Decode() of the place and the fields. `record` is one that probe.Holds().
  Payload Decode(const ProbeRecords& probe, std::string_view record);

  // Whether a word of a text that could not be read names an event or a function that means something: what
  // it told is missing.
  bool Concerns(std::string_view text) const;

  // The issue of a line or record that could not be read, of the kind `kind` unless what it is about
  // (`concerning`; nullopt where that cannot be told) means something: then it is an error.
  TraceIssue RejectedIssue(std::string_view kind, int64_t line, std::optional<std::string_view> concerning,
                           std::string text) const;

  // Whether the text may be the beginning of a name that means something: one that was cut off.
  bool BeginsKnownName(std::string_view text) const;

  // The hit of a probe that means something whose beginning is damaged: a place, and a field behind it.
  bool IsPieceOfHit(std::string_view text) const;
  // Whether the text is the end of a hit of a probe that means something: its last fields, the first of them
  // or its place in part.
  bool IsTailOfHit(std::string_view text) const;

  // What is decoded was told from what cannot be before: as it is read from a database.
  void set_takes_all() { takes_all_ = true; }

  const std::vector<ProbeDefinition>& probes() const { return probes_; }

  // Text that trace-cmd or perf rendered from raw records: probes show bare addresses, a return probe
  // "(function <- return address)" the other way round than the kernel, and page= is no pointer (on x86 it
  // repeats the pfn, because vmemmap_base is not known in user space).
  void set_user_space_text() { user_space_text_ = true; }

  // Probe hits whose function was taken from the probe's name, for want of symbols and definitions.
  int64_t probes_bound_by_name() const { return probes_bound_by_name_; }

  // Probe hits at more places than are remembered: they are opaque, whatever they mean.
  int64_t places_left_out() const { return places_left_out_; }

 private:
  struct Binding;

  // Of lock:*, what follows the address.
  struct LockName {
    bool raw = false;  // there are keys, as in a binary recording
    LockClass lock_class{};
  };
  // What was made of texts that come again and again.
  struct Known {
    RecentlyMade<PageFlags> page_flags;
    RecentlyMade<LockName> lock_names;
    std::array<std::pair<StringId, const Binding*>, 64> bindings{};
  };

  // Definitions of an event's name; in all groups.
  const std::vector<const ProbeDefinition*>& DefinitionsOf(std::string_view event) const;
  Tracepoint TracepointOf(StringId name);
  bool IsProbe(StringId name);
  bool ShouldMean(StringId name, std::string_view args);
  bool LacksNameOrPlace(StringId name, std::string_view args);
  const std::vector<std::string>& NamesNear(std::string_view text);
  bool IsHitAt(StringId id, const std::string& name, std::string_view args) const;
  bool HasDamagedName(StringId name, std::string_view args);
  bool IsFirstField(StringId name, std::string_view key) const;
  bool LacksPlace(StringId name, std::string_view args) const;
  bool IsDamagedPlace(const Binding& binding, std::string_view place, std::string_view symbol,
                      bool has_offset, bool hit, std::string_view event) const;
  Payload DecodeProbe(StringId name, std::string_view args);
  Payload DecodePageRef(PageRefOp op, std::string_view args);
  Payload DecodeLock(LockStep step, std::string_view args);
  const Binding* BindingOf(StringId name, std::string_view args, std::string_view* fields);
  const Binding* Bind(StringId name, std::string_view place);

  StringTable* strings_;
  std::vector<ProbeDefinition> probes_;
  std::unordered_map<std::string_view, std::vector<const ProbeDefinition*>> probes_of_event_;
  // Of these, those on functions that mean something.
  std::unordered_map<std::string_view, std::vector<const ProbeDefinition*>> probes_that_count_;
  std::unordered_set<std::string_view> first_fields_;  // of these
  // And these by their last field.
  std::unordered_map<std::string_view, std::vector<const ProbeDefinition*>> probes_by_last_field_;
  std::optional<KernelRelease> release_;
  bool user_space_text_ = false;
  int64_t probes_bound_by_name_ = 0;
  size_t places_ = 0;
  int64_t places_left_out_ = 0;
  Known known_;
  std::vector<std::optional<Tracepoint>> tracepoints_;                       // by StringId
  std::vector<std::optional<bool>> is_probe_;                                // likewise
  std::vector<std::string> learned_probes_;                                  // that no definition tells of
  std::map<std::string, std::vector<std::string>, std::less<>> near_names_;  // see NamesNear
  std::vector<std::optional<bool>> is_near_;                                 // by StringId: there are some
  bool near_is_stale_ = false;
  bool takes_all_ = false;
  bool whole_waking_ = false;  // a sched_waking told all that it may: one that tells less is cut
  // By StringId of the name, and place.
  std::unordered_map<uint32_t, std::map<std::string, std::unique_ptr<Binding>, std::less<>>> bindings_;
};

// Whether a text is what a probe's hit or a page_ref event prints, behind one word or nothing: an event that
// lost its name, or the colon behind it.
bool LooksLikeNamelessEvent(std::string_view text);
// Whether it is no tracepoint's that means something, and may be one's with a few letters damaged.
bool MayBeDamagedTracepoint(std::string_view name);

class Decoder::ProbeRecords {
 public:
  // Whether the record has the layout, and values that may stand in it: of others the text tells what is
  // wrong.
  bool Holds(std::string_view record) const;

 private:
  friend class Decoder;
  struct Value {
    ProbeRole role;
    uint32_t offset;
    uint32_t size;
    bool is_signed;  // and printed so
  };

  ProbeRecords(const Binding* binding, const EventLayout& layout) : binding_(binding), shape_(layout) {}

  const Binding* binding_;  // of the decoder
  RecordShape shape_;
  std::vector<Value> values_;
};

// The value of `key=value` in a text of such pairs; values end at a blank, without a trailing comma.
// Keys match whole words only.
std::optional<std::string_view> FindField(std::string_view args, std::string_view key);

// "locked|uptodate|lru", "0x8003c", "none"; empty means unknown, not zero (on x86 6.1 the `trace`
// file prints the first %s of an event empty while options/hash-ptr is 0).
PageFlags ParsePageFlags(std::string_view text);

// The two tasks of a sched_switch. Comms may hold anything, arrows and keys too:
//   prev_comm=a prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=b next_pid=8 next_prio=120
//   prev_comm=a prev_pid=7 prev_prio=120 prev_state=256 next_comm=b next_pid=8 next_prio=120   (raw fields)
//   a:7 [120] S ==> b:8 [120]                                                (trace-cmd's own rendering)
struct SwitchSides {
  std::string_view prev;
  std::string_view next;
};
std::optional<SwitchSides> SplitSwitch(std::string_view args);

}  // namespace mmreplay
