#include "parser/typed_fields.h"

#include <algorithm>
#include <array>
#include <limits>

#include "parser/decode.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

bool IsKeyStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Length of a key followed by '=' at the start of the text, 0 if there is none.
size_t KeyLength(std::string_view text) {
  if (text.empty() || !IsKeyStart(text[0])) return 0;
  size_t end = 1;
  while (end < text.size() && IsKeyChar(text[end])) ++end;
  return end < text.size() && text[end] == '=' ? end : 0;
}

bool LooksLikeNumber(std::string_view word) {
  if (!word.empty() && word.back() == ',') word.remove_suffix(1);
  if (word.starts_with('-')) word.remove_prefix(1);
  return !word.empty() && word[0] >= '0' && word[0] <= '9';
}

// Tracepoints whose print fmt prints fields as %lx or %p, without 0x, as of kernel 6.1 and before
// (include/trace/events/).
struct HexFields {
  std::string_view event;
  std::array<std::string_view, 3> fields;
};
constexpr std::array kKnownHex = {
    HexFields{"page_ref_set", {"mapping"}},
    HexFields{"page_ref_mod", {"mapping"}},
    HexFields{"page_ref_mod_and_test", {"mapping"}},
    HexFields{"page_ref_mod_and_return", {"mapping"}},
    HexFields{"page_ref_mod_unless", {"mapping"}},
    HexFields{"page_ref_freeze", {"mapping"}},
    HexFields{"page_ref_unfreeze", {"mapping"}},
    HexFields{"mm_page_alloc", {"page"}},
    HexFields{"mm_page_free", {"page"}},
    HexFields{"mm_page_free_batched", {"page"}},
    HexFields{"mm_page_alloc_zone_locked", {"page"}},
    HexFields{"mm_page_pcpu_drain", {"page"}},
    HexFields{"mm_page_alloc_extfrag", {"page"}},
    HexFields{"set_migration_pmd", {"addr", "pmd"}},
    HexFields{"remove_migration_pmd", {"addr", "pmd"}},
    HexFields{"set_migration_pte", {"addr", "pte"}},
    HexFields{"remove_migration_pte", {"addr", "pte"}},
    HexFields{"mm_khugepaged_scan_pmd", {"mm"}},
    HexFields{"mm_collapse_huge_page", {"mm"}},
    HexFields{"mm_collapse_huge_page_swapin", {"mm"}},
    HexFields{"mm_khugepaged_scan_file", {"mm"}},
    HexFields{"mm_lru_insertion", {"folio", "page"}},
    HexFields{"mm_lru_activate", {"folio", "page"}},
    HexFields{"mmap_lock_start_locking", {"mm"}},
    HexFields{"mmap_lock_acquire_returned", {"mm"}},
    HexFields{"mmap_lock_released", {"mm"}},
    HexFields{"sched_skip_vma_numa", {"numa_scan_offset", "vm_start", "vm_end"}},
    HexFields{"kmalloc", {"ptr"}},
    HexFields{"kfree", {"ptr"}},
    HexFields{"kmem_cache_alloc", {"ptr"}},
    HexFields{"kmem_cache_free", {"ptr"}},
    // not key=value, see LockFields
    HexFields{"lock_acquire", {"lock"}},
    HexFields{"lock_contended", {"lock"}},
    HexFields{"lock_acquired", {"lock"}},
    HexFields{"lock_release", {"lock"}},
    HexFields{"contention_begin", {"lock"}},
    HexFields{"contention_end", {"lock"}},
};

bool IsKnownHex(std::string_view event, std::string_view field) {
  return std::any_of(kKnownHex.begin(), kKnownHex.end(), [&](const HexFields& known) {
    return known.event == event &&
           std::find(known.fields.begin(), known.fields.end(), field) != known.fields.end();
  });
}

// lock:* print positions, not keys:
//   lock_acquire: ffff8880034965b8 try read ptlock_ptr(page)
//   contention_begin: ffff88800311f778 (flags=SPIN|MUTEX)
template <typename PerField>
void LockFields(std::string_view args, PerField&& per_field) {
  size_t blank = args.find(' ');
  per_field("lock", args.substr(0, blank));
  if (blank == kNotFound) return;
  std::string_view rest = TrimBlanks(args.substr(blank));
  if (rest.starts_with('(') && rest.ends_with(')')) {
    rest = rest.substr(1, rest.size() - 2);
    size_t equals = rest.find('=');
    if (equals != kNotFound) per_field(rest.substr(0, equals), rest.substr(equals + 1));
    return;
  }
  size_t class_start = 0;
  for (std::string_view word : {"try ", "read "}) {
    if (rest.substr(class_start).starts_with(word)) class_start += word.size();
  }
  per_field("mode", TrimBlanks(rest.substr(0, class_start)));
  per_field("name", rest.substr(class_start));
}

bool PrintsPositions(std::string_view event) {
  return event.starts_with("lock_") ? event == "lock_acquire" || event == "lock_contended" ||
                                          event == "lock_acquired" || event == "lock_release"
                                    : event == "contention_begin" || event == "contention_end";
}

// sched_switch: prev_comm=a b=1 prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=c next_pid=8
// next_prio=120 sched_waking: comm=a pid=1 pid=101 prio=120 target_cpu=001 A comm may hold anything, "pid=1"
// too: it ends at the last " pid=". Takes it off the front of `args`.
bool TakeComm(std::string_view key, std::string_view next_key, std::string_view* args,
              std::string_view* comm) {
  size_t head = key.size() + 1;
  if (!args->starts_with(key) || args->size() <= key.size() || (*args)[key.size()] != '=') return false;
  size_t end = args->rfind(next_key);
  if (end == kNotFound || end < head) return false;
  *comm = args->substr(head, end - head);
  args->remove_prefix(end);
  return true;
}

template <typename PerField>
void EachPlainField(std::string_view args, PerField&& per_field) {
  FieldScanner scanner(args);
  std::string_view key;
  std::string_view value;
  while (scanner.Next(&key, &value)) per_field(key, value);
}

template <typename PerField>
void SchedFields(std::string_view args, PerField&& per_field) {
  std::string_view comm;
  if (auto sides = SplitSwitch(args)) {
    auto [prev, next] = *sides;
    if (TakeComm("prev_comm", " prev_pid=", &prev, &comm)) per_field("prev_comm", comm);
    EachPlainField(prev, per_field);
    if (TakeComm("next_comm", " next_pid=", &next, &comm)) per_field("next_comm", comm);
    EachPlainField(next, per_field);
    return;
  }
  if (TakeComm("comm", " pid=", &args, &comm)) per_field("comm", comm);
  EachPlainField(args, per_field);
}

template <typename PerField>
void EachField(std::string_view event, std::string_view args, PerField&& per_field) {
  // Raw fields of a binary recording have their keys: "name=ptlock_ptr(page)
  // lockdep_addr=0xffff888030410180".
  bool raw = args.find("lockdep_addr=") != kNotFound || args.starts_with("lock_addr=");
  if (PrintsPositions(event) && !raw) {
    LockFields(args, per_field);
    return;
  }
  if (event == "sched_switch" || event.starts_with("sched_wak")) {
    SchedFields(args, per_field);
    return;
  }
  EachPlainField(args, per_field);
}

FieldValue Integer(uint64_t bits) {
  return {.type = FieldValue::Type::kInteger, .number = static_cast<int64_t>(bits), .text = {}};
}

// The value, and in `field` what it says about the field.
FieldValue ValueOf(std::string_view text, KindField* field) {
  FieldValue as_text{.type = FieldValue::Type::kText, .number = 0, .text = text};
  // Empty is what 6.1 prints for a string it will not show (options/hash-ptr 0): unknown.
  if (text.empty() || text == "(fault)") return {};
  if (field->hex) {
    if (text == "(null)" || text == "(nil)") return Integer(0);
    auto value = ParsePointer(text);
    return value ? Integer(*value) : as_text;  // "(____ptrval____)"
  }
  if (field->text) return as_text;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    if (auto value = ParseHexDigits(text.substr(2))) {
      field->has_integers = true;
      return Integer(*value);
    }
  } else if (text[0] == '-') {
    if (auto value = ParseSigned(text)) {
      field->has_integers = true;
      return {.type = FieldValue::Type::kInteger, .number = *value, .text = {}};
    }
  } else if (auto value = ParseDecimal(text)) {
    field->has_integers = true;
    return Integer(*value);
  }
  bool only_too_long =
      text.find_first_not_of("0123456789") == kNotFound ||
      (text.starts_with("0x") && text.find_first_not_of("0123456789abcdefABCDEF", 2) == kNotFound);
  if (!only_too_long) field->text = true;
  return as_text;
}

// What the views of the database are made of is typed whatever came before it.
bool IsNeeded(std::string_view name, EventShape shape) {
  return shape == EventShape::kEvent && name.starts_with("page_ref_");
}

}  // namespace

// tracefs lines carry no system; these are where the kernel has them (include/trace/events/).
std::string_view KnownSystem(std::string_view event) {
  struct Prefix {
    std::string_view prefix;
    std::string_view system;
  };
  static constexpr std::array kPrefixes = {
      Prefix{"page_ref_", "page_ref"},
      Prefix{"sched_", "sched"},
      Prefix{"mm_page_", "kmem"},
      Prefix{"mm_migrate_pages", "migrate"},
      Prefix{"set_migration_pte", "migrate"},
      Prefix{"remove_migration_pte", "migrate"},
      Prefix{"mm_numa_migrate", "migrate"},
      Prefix{"set_migration_pmd", "thp"},
      Prefix{"remove_migration_pmd", "thp"},
      Prefix{"mm_khugepaged_", "huge_memory"},
      Prefix{"mm_collapse_", "huge_memory"},
      Prefix{"mm_compaction_", "compaction"},
      Prefix{"mm_vmscan_", "vmscan"},
      Prefix{"mm_lru_", "pagemap"},
      Prefix{"mm_filemap_", "filemap"},
      Prefix{"lock_acquire", "lock"},
      Prefix{"lock_contended", "lock"},
      Prefix{"lock_release", "lock"},
      Prefix{"contention_", "lock"},
      Prefix{"mmap_lock_", "mmap_lock"},
      Prefix{"page_fault_", "exceptions"},
      Prefix{"tlb_flush", "tlb"},
      Prefix{"tracing_mark_write", "ftrace"},
      Prefix{"kernel_stack", "ftrace"},
      Prefix{"user_stack", "ftrace"},
      Prefix{"function", "ftrace"},
  };
  for (const Prefix& known : kPrefixes) {
    if (event.starts_with(known.prefix)) return known.system;
  }
  return {};
}

bool FieldScanner::Next(std::string_view* key, std::string_view* value) {
  size_t key_length = 0;
  for (;;) {
    size_t start = rest_.find_first_not_of(' ');
    if (start == kNotFound) return false;
    rest_.remove_prefix(start);
    key_length = KeyLength(rest_);
    if (key_length > 0) break;
    size_t blank = rest_.find(' ');
    if (blank == kNotFound) return false;
    rest_.remove_prefix(blank);
  }
  *key = rest_.substr(0, key_length);
  rest_.remove_prefix(key_length + 1);

  if (rest_.starts_with('"')) {
    // A string may hold quotes itself: the closing one stands before the next key, or at the end.
    size_t fallback = kNotFound;
    for (size_t close = rest_.find('"', 1); close != kNotFound; close = rest_.find('"', close + 1)) {
      std::string_view after = rest_.substr(close + 1);
      bool closes = after.empty() || (after[0] == ' ' && KeyLength(after.substr(1)) > 0);
      if (!closes && after[0] == ' ' && fallback == kNotFound) fallback = close;
      if (!closes) continue;
      fallback = close;
      break;
    }
    if (fallback != kNotFound) {
      *value = rest_.substr(1, fallback - 1);
      rest_.remove_prefix(fallback + 1);
      return true;
    }
  }
  if (rest_.starts_with(' ')) {
    // "flags= count=1" is empty; "mapping=          (null) mt=1" is %p of 4.x padding its "(null)".
    size_t text = rest_.find_first_not_of(' ');
    if (text != kNotFound && rest_[text] == '(') {
      rest_.remove_prefix(text);
    } else {
      *value = {};
      return true;
    }
  }
  size_t end = rest_.find(' ');
  if (end != kNotFound && !LooksLikeNumber(rest_.substr(0, end))) {
    while (end != kNotFound && KeyLength(rest_.substr(end + 1)) == 0) end = rest_.find(' ', end + 1);
  }
  std::string_view found = rest_.substr(0, end);
  rest_.remove_prefix(found.size());
  while (!found.empty() && found.back() == ' ') found.remove_suffix(1);
  for (std::string_view tail : {" ==>", ","}) {
    if (found.ends_with(tail)) found.remove_suffix(tail.size());
  }
  *value = found;
  return true;
}

std::optional<std::string_view> FieldText(std::string_view name, std::string_view args, std::string_view key,
                                          size_t occurrence) {
  std::optional<std::string_view> text;
  size_t seen = 0;
  EachField(name, args, [&](std::string_view k, std::string_view v) {
    if (k == key && seen++ == occurrence) text = v;
  });
  return text;
}

std::vector<EventFormat> ParseEventFormats(std::string_view text, FormatRoom* room) {
  std::vector<EventFormat> formats;
  std::string_view name;
  bool is_new = false;  // nothing of that event is kept yet
  auto keep = [&](std::string_view field) {
    if (is_new) {
      EventFormat format{.name = std::string(name), .hex_fields = {}};
      if (!room->Take(format)) return;
      formats.push_back(std::move(format));
      is_new = false;
    }
    std::set<std::string>& fields = formats.back().hex_fields;
    std::string kept(field);
    if (!fields.contains(kept) && room->TakeField(kept)) fields.insert(std::move(kept));
  };
  ForEachLine(text, [&](std::string_view line) {
    if (line.starts_with("name: ")) {
      name = TrimBlanks(line.substr(6));
      is_new = true;
    }
    if (!name.data() || room->full() || !line.starts_with("print fmt: \"")) return;
    // key=%lx, key=%016llx, key=%p: hex without 0x. "0x%lx" tells by itself.
    std::string_view fmt = line.substr(12);
    fmt = fmt.substr(0, fmt.find('"'));
    for (size_t percent = fmt.find('%'); percent != kNotFound; percent = fmt.find('%', percent + 1)) {
      size_t conversion = fmt.find_first_not_of("%#0- +123456789.*lhzjt", percent + 1);
      if (conversion == kNotFound || percent == 0 || fmt[percent - 1] != '=') continue;
      bool pointer =
          fmt[conversion] == 'p' && (conversion + 1 == fmt.size() || !IsKeyStart(fmt[conversion + 1]));
      if (fmt[conversion] != 'x' && fmt[conversion] != 'X' && !pointer) continue;
      size_t key_end = percent - 1;
      size_t key = key_end;
      while (key > 0 && IsKeyChar(fmt[key - 1])) --key;
      if (key < key_end) keep(fmt.substr(key, key_end - key));
    }
  });
  return formats;
}

TypedFields::TypedFields(const StringTable* strings, std::vector<EventFormat> formats,
                         const std::vector<ProbeDefinition>& probes)
    : strings_(strings) {
  for (const ProbeDefinition& probe : probes) probe_groups_.emplace(probe.event, probe.group);
  for (EventFormat& format : formats) {
    std::string name = format.name;
    formats_.emplace(std::move(name), std::move(format));
  }
}

std::string TypedFields::SystemOf(std::string_view name, EventShape shape) const {
  if (shape == EventShape::kEvent) return std::string(KnownSystem(name));
  auto group = probe_groups_.find(name);
  return group == probe_groups_.end() ? std::string() : group->second;
}

uint32_t TypedFields::KindOf(const Event& event, const Batch& batch) {
  EventShape shape = EventShape::kEvent;
  if (std::holds_alternative<FunctionReturn>(event.payload)) {
    shape = EventShape::kReturn;
  } else if (std::holds_alternative<FunctionEntry>(event.payload)) {
    shape = EventShape::kProbe;
  } else if (std::string_view args = batch.Args(event); event.layout == 0 && args.starts_with('(')) {
    size_t close = args.find(')');
    bool is_return = args.substr(0, close).find(" <- ") != kNotFound;
    shape = is_return ? EventShape::kReturn : EventShape::kProbe;
  }
  auto name = static_cast<size_t>(event.name);
  if (name >= by_name_.size()) by_name_.resize(strings_->size());
  uint32_t& known = by_name_[name][static_cast<size_t>(shape)];
  if (known == 0) {
    known = static_cast<uint32_t>(kinds_.size()) + 1;
    EventKind kind{.name = event.name, .shape = shape, .system = {}, .fields = {}};
    kind.system = SystemOf(strings_->Text(event.name), shape);
    kinds_.push_back(std::move(kind));
    bool typed =
        typed_kinds_ < static_cast<int64_t>(kMaxKinds) || IsNeeded(strings_->Text(event.name), shape);
    kinds_.back().typed = typed;
    ++(typed ? typed_kinds_ : untyped_kinds_);
  }
  return known - 1;
}

void TypedFields::AssignKind(Event* event, const Batch& batch) {
  event->kind = KindOf(*event, batch);
  ++kinds_[event->kind].rows;
}

void TypedFields::Assign(Event* event, Batch* batch) {
  AssignKind(event, *batch);
  EventKind& kind = kinds_[event->kind];
  event->first_field = static_cast<uint32_t>(batch->fields.size());
  if (!kind.typed) return;
  if (batch->fields.size() > kMaxFieldsOfBatch) {
    ++untyped_fields_;
    return;
  }

  std::string_view name = strings_->Text(event->name);
  std::string_view args = batch->Args(*event);
  if (kind.shape != EventShape::kEvent) {
    size_t close = args.find(')');
    args = close == kNotFound ? std::string_view() : args.substr(close + 1);
  }
  size_t next = 0;  // fields come in the same order event after event
  size_t base = event->first_field;
  batch->fields.resize(base + kind.fields.size());
  EachField(name, args, [&](std::string_view key, std::string_view value) {
    size_t index = next;
    if (index >= kind.fields.size() || kind.fields[index].name != key || used_by_[index] == event->id) {
      size_t occurrence = 0;
      index = kind.fields.size();
      for (size_t i = 0; i < kind.fields.size(); ++i) {
        if (kind.fields[i].name != key) continue;
        if (used_by_[i] == event->id) {  // the key is repeated
          ++occurrence;
          continue;
        }
        index = i;
        break;
      }
      if (index == kind.fields.size()) {
        bool room = index < kMaxFields && (typed_fields_ < kMaxFieldsInAll || IsNeeded(name, kind.shape));
        if (!room || key.size() > kMaxKey) {
          ++untyped_fields_;
          return;
        }
        auto format = formats_.find(name);
        bool hex = (format != formats_.end() && format->second.hex_fields.contains(std::string(key))) ||
                   (kind.shape == EventShape::kEvent && IsKnownHex(name, key));
        ++typed_fields_;
        kind.fields.push_back({.name = std::string(key), .occurrence = occurrence, .hex = hex});
        batch->fields.emplace_back();
      }
    }
    used_by_[index] = event->id;
    batch->fields[base + index] = ValueOf(value, &kind.fields[index]);
    next = index + 1;
  });
  event->field_count = static_cast<uint16_t>(batch->fields.size() - base);
}

}  // namespace mmreplay
