#include "parser/trace_dat_child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/error.h"
#include "parser/event_layout.h"
#include "parser/record_decoder.h"
#include "parser/trace_dat_records.h"

// tracefs.h of Debian 12 is not valid C++ (it passes 0 for an enum), and nothing of it is needed here.
#define _TRACE_FS_H  // NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
#include <sched.h>
#include <trace-cmd.h>

namespace mmreplay {
namespace {

constexpr size_t kFlushBytes = size_t{256} * 1024;

// Collects messages and writes them in large pieces.
class MessageWriter {
 public:
  explicit MessageWriter(int pipe) : pipe_(pipe) {}

  void Begin(TraceDatMessage type) {
    start_ = buffer_.size();
    Add(uint32_t{0}, static_cast<uint8_t>(type));
  }
  template <typename... Int>
  void Add(Int... values) {
    std::array<char, (sizeof(Int) + ...)> bytes;
    char* to = bytes.data();
    ((std::memcpy(to, &values, sizeof(values)), to += sizeof(values)), ...);
    buffer_.append(bytes.data(), bytes.size());
  }
  std::string* text() { return &buffer_; }
  void End() {
    auto size = static_cast<uint32_t>(buffer_.size() - start_ - 5);
    std::memcpy(buffer_.data() + start_, &size, sizeof(size));
    if (buffer_.size() >= kFlushBytes) Flush();
  }
  bool too_long() const { return buffer_.size() - start_ > kMaxTraceDatMessage; }
  void Drop() { buffer_.resize(start_); }
  void Say(TraceDatMessage type, std::string_view text) {
    Begin(type);
    buffer_.append(text);
    End();
  }
  void Flush() {
    for (size_t at = 0; at < buffer_.size();) {
      ssize_t wrote = write(pipe_, buffer_.data() + at, buffer_.size() - at);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) _exit(0);  // nobody listens any more
      at += static_cast<size_t>(wrote);
    }
    buffer_.clear();
  }

 private:
  int pipe_;
  std::string buffer_;
  size_t start_ = 0;
};

EventLayout LayoutOf(const tep_event& event) {
  EventLayout layout;
  layout.system = event.system ? event.system : "";
  layout.name = event.name ? event.name : "";
  layout.id = static_cast<uint32_t>(event.id);
  for (const tep_format_field* fields : {event.format.common_fields, event.format.fields}) {
    for (const tep_format_field* f = fields; f; f = f->next) {
      if (!f->name || !f->type || f->offset < 0 || f->size < 0) continue;
      AddField(MakeField(f->type, f->name, static_cast<uint32_t>(f->offset), static_cast<uint32_t>(f->size),
                         (f->flags & TEP_FIELD_IS_SIGNED) != 0),
               &layout);
    }
  }
  std::vector<std::string> arguments;
  for (const tep_print_arg* argument = event.print_fmt.args; argument; argument = argument->next) {
    bool plain = argument->type == TEP_PRINT_FIELD && argument->field.name;
    arguments.emplace_back(plain ? argument->field.name : "");
  }
  if (event.print_fmt.format) ApplyPrintFormat(event.print_fmt.format, arguments, &layout);
  return layout;
}

class TraceDatChild {
 public:
  TraceDatChild(const SeekableFile& file, const TraceDatHeader& header, int pipe, bool records)
      : file_(file), header_(header), writer_(pipe), records_(records) {}

  void Run() {
    try {
      // It finds its way through tables that are damaged, too.
      bool no_table = header_.cpus.empty() && header_.tables_contradict;
      if (header_.library_time || no_table) {
        ReadWithLibrary();
      } else {
        ReadPages();
      }
    } catch (const Error& error) {
      writer_.Say(TraceDatMessage::kUnreadable, error.what());
    } catch (const std::bad_alloc&) {
      writer_.Say(TraceDatMessage::kFailed, "it takes too much memory");
    }
    writer_.Flush();
  }

 private:
  // The same few tasks and places again and again; beyond that nothing is worth remembering.
  static constexpr size_t kMaxKnown = 65536;
  static constexpr size_t kLooksBeyond = 4096;

  struct Kind {
    uint32_t index = 0;
    EventLayout layout;
    std::optional<CommonFields> common;  // of the layout
    bool is_stack = false;
    bool is_function = false;
    bool is_bprint = false;
    std::optional<RecordDecoder> records;  // whose text may be made later
    const tep_event* event = nullptr;
  };

  // What the file says of events, tasks and symbols.
  tracecmd_input* OpenHead() {
    constexpr int kFlags = TRACECMD_FL_LOAD_NO_PLUGINS | TRACECMD_FL_LOAD_NO_SYSTEM_PLUGINS;
    errno = 0;  // the library tells of a failed read only so
    std::string path = "/proc/self/fd/" + std::to_string(file_.fd());
    tracecmd_input* head = tracecmd_open_head(path.c_str(), kFlags);
    if (!head && errno == ENOENT) {  // no /proc: all that it opens at a descriptor is whole files
      errno = 0;
      lseek(file_.fd(), 0, SEEK_SET);
      head = tracecmd_open_fd(file_.fd(), kFlags);
      whole_ = true;
    }
    ThrowIfUnreadable();
    if (head) {
      tep_ = tracecmd_get_tep(head);
    } else {
      writer_.Say(TraceDatMessage::kFailed, "libtracecmd cannot open it");
    }
    return head;
  }

  void ThrowIfUnreadable() {
    if (errno == EIO) throw Error(file_.name() + ": " + Reason(EIO));
  }

  void ReadPages() {
    if (!OpenHead()) return;
    TraceDatRecords records(file_, header_);
    for (TraceDatRecord record; records.Next(&record);) AddRecord(record);
    if (records.damaged() > 0) {
      writer_.Begin(TraceDatMessage::kDamaged);
      writer_.Add(records.damaged());
      writer_.text()->append("events are missing where the file is damaged, first on " +
                             records.first_damage());
      writer_.End();
    }
    writer_.Say(TraceDatMessage::kEnd, "");
  }

  void ReadWithLibrary() {
    tracecmd_input* top = OpenHead();
    if (!top) return;
    if (!whole_ && tracecmd_init_data(top) < 0) {
      ThrowIfUnreadable();
      writer_.Say(TraceDatMessage::kFailed, "libtracecmd cannot read what the cpus recorded");
      return;
    }
    buffers_ = {top};
    int instances = tracecmd_buffer_instances(top);
    for (int i = 0; i < instances; ++i) {
      if (tracecmd_input* buffer = tracecmd_buffer_instance_handle(top, i)) buffers_.push_back(buffer);
    }
    std::vector<tracecmd_input*> buffers = buffers_;
    tracecmd_iterate_events_multi(buffers.data(), static_cast<int>(buffers.size()), &TraceDatChild::OnRecord,
                                  this);
    ThrowIfUnreadable();
    writer_.Say(TraceDatMessage::kEnd, "");
  }

  static int OnRecord(tracecmd_input* buffer, tep_record* read, int, void* self) {
    auto* child = static_cast<TraceDatChild*>(self);
    TraceDatRecord record;
    record.ts = read->ts;
    record.buffer = static_cast<uint32_t>(std::find(child->buffers_.begin(), child->buffers_.end(), buffer) -
                                          child->buffers_.begin());
    record.cpu = read->cpu;
    record.lost = read->missed_events;
    if (read->data && read->size > 0)
      record.data = std::string_view(static_cast<const char*>(read->data), static_cast<size_t>(read->size));
    child->AddRecord(record);
    return 0;
  }

  void AddRecord(const TraceDatRecord& read) {
    if (read.lost != 0) {
      writer_.Begin(TraceDatMessage::kLost);
      writer_.Add(read.cpu, read.lost);
      writer_.End();
    }
    std::string_view bytes = read.data;
    if (bytes.empty()) return;
    uint16_t type = 0;
    if (bytes.size() < sizeof(type)) return;
    std::memcpy(&type, bytes.data(), sizeof(type));
    const Kind* known = KindOf(type);
    if (!known) {
      writer_.Say(TraceDatMessage::kUnknownType, std::to_string(type));
      return;
    }
    const Kind& kind = *known;
    auto pid = kind.common->Pid(bytes);
    if (!pid) {
      writer_.Say(TraceDatMessage::kRejected, "a record of " + kind.layout.name + " is cut off");
      return;
    }
    std::string_view comm = CommOf(static_cast<int>(*pid));
    bool as_record = kind.records && kind.records->Holds(bytes);
    writer_.Begin(as_record ? TraceDatMessage::kRecord : TraceDatMessage::kEvent);
    TraceDatEvent event{};
    event.ts = read.ts;
    event.kind = kind.index;
    event.buffer = read.buffer;
    event.cpu = read.cpu;
    event.pid = static_cast<int32_t>(*pid);
    event.flags = static_cast<uint8_t>(kind.common->Flags(bytes).value_or(0));
    event.preempt_count = static_cast<uint8_t>(kind.common->PreemptCount(bytes).value_or(0));
    event.comm_length = static_cast<uint8_t>(comm.size());
    writer_.text()->append(reinterpret_cast<const char*>(&event), kTraceDatEventBytes);
    writer_.text()->append(comm);
    if (as_record) {
      writer_.text()->append(bytes);
    } else if (!AppendBody(kind, read, writer_.text()) || writer_.too_long()) {
      writer_.Drop();
      writer_.Say(TraceDatMessage::kRejected, "a record of " + kind.layout.name + " does not fit its format");
      return;
    }
    writer_.End();
    if (kind.is_stack) AddFrames(kind.layout, bytes);
  }

  // By common_type. nullptr where the file has no format of it.
  const Kind* KindOf(uint16_t type) {
    // The library searches among all events of the kernel.
    if (type < kind_of_type_.size() && kind_of_type_[type]) return kind_of_type_[type];
    const tep_event* event = tep_find_event(tep_, type);
    if (!event) return nullptr;
    const Kind& kind = KindOf(*event);
    if (type >= kind_of_type_.size()) kind_of_type_.resize(type + size_t{1});
    kind_of_type_[type] = &kind;
    return &kind;
  }

  const Kind& KindOf(const tep_event& event) {
    auto [found, fresh] = kinds_.try_emplace(event.id);
    Kind& kind = found->second;
    if (!fresh) return kind;
    kind.index = static_cast<uint32_t>(kinds_.size() - 1);
    kind.layout = LayoutOf(event);
    kind.common.emplace(kind.layout);
    kind.is_stack = kind.layout.name == "kernel_stack" || kind.layout.name == "user_stack";
    kind.is_function = kind.layout.name == "function" && kind.layout.system == "ftrace";
    kind.is_bprint = kind.layout.name == "bprint" && kind.layout.system == "ftrace";
    kind.event = &event;
    writer_.Say(TraceDatMessage::kKind, kind.layout.name);
    bool plain = !kind.is_stack && !kind.is_function && !kind.is_bprint;
    if (records_ && plain) kind.records = RecordDecoder::For(kind.layout);
    if (kind.records && layouts_.Add(kind.layout) == 0) kind.records.reset();
    if (kind.records) writer_.Say(TraceDatMessage::kLayout, PackLayout(kind.layout));
    return kind;
  }

  // The library keeps the texts.
  std::string_view CommOf(int pid) {
    if (comms_.size() > kMaxKnown) comms_.clear();
    auto [known, fresh] = comms_.try_emplace(pid);
    if (fresh) {
      const char* comm = tep_data_comm_from_pid(tep_, pid);
      known->second = std::string_view(comm ? comm : "<...>").substr(0, 255);
    }
    return known->second;
  }

  bool AppendBody(const Kind& kind, const TraceDatRecord& read, std::string* to) {
    if (kind.is_function && AppendCall(kind.layout, read.data)) return true;
    if (!kind.is_bprint) return AppendArguments(kind.layout, read.data, symbol_printer_, to);
    // Its arguments are packed for a format string that lies in the kernel: free text, without any meaning
    // for us, so the library may print it. It may look at what stands behind a record that is cut off.
    std::string bytes(read.data);
    bytes.resize(bytes.size() + kLooksBeyond);
    tep_record record{};
    record.ts = read.ts;
    record.cpu = read.cpu;
    record.data = bytes.data();
    record.size = static_cast<int>(read.data.size());
    trace_seq text;
    trace_seq_init(&text);
    tep_print_event(tep_, &text, &record, "%s", TEP_PRINT_INFO);
    if (text.buffer && text.len <= text.buffer_size) to->append(text.buffer, text.len);
    trace_seq_destroy(&text);
    return true;
  }

  // copy_process <-_do_fork
  bool AppendCall(const EventLayout& layout, std::string_view bytes) {
    std::array<std::string, 2> symbols;
    for (const RecordField& field : layout.fields) {
      auto address = ReadNumber(field, bytes);
      if (!address) continue;
      if (field.name == "ip") symbols[0] = Symbol(*address, false);
      if (field.name == "parent_ip") symbols[1] = Symbol(*address, false);
    }
    if (symbols[0].empty() || symbols[1].empty()) return false;
    writer_.text()->append(symbols[0] + " <-" + symbols[1]);
    return true;
  }

  // The innermost frame first; a user stack and an old kernel's end with all ones.
  void AddFrames(const EventLayout& layout, std::string_view bytes) {
    for (const RecordField& field : layout.fields) {
      if (field.name != "caller" || field.offset > bytes.size()) continue;
      for (std::string_view rest = bytes.substr(field.offset); rest.size() >= 8; rest.remove_prefix(8)) {
        uint64_t address = 0;
        std::copy_n(rest.data(), 8, reinterpret_cast<char*>(&address));
        if (address == 0 || address == std::numeric_limits<uint64_t>::max()) break;
        std::string frame = Symbol(address, true);
        writer_.Begin(TraceDatMessage::kFrame);
        if (frame.empty()) {
          std::array<char, 20> hex{};
          frame.assign(hex.data(), static_cast<size_t>(snprintf(hex.data(), hex.size(), "0x%016llx",
                                                                static_cast<unsigned long long>(address))));
        }
        writer_.text()->append(frame);
        writer_.End();
      }
    }
  }

  // From the recording's kallsyms. They also hold per-cpu offsets near 0, which look like addresses of user
  // space, and end somewhere: only what lies inside a symbol of the kernel is one.
  const std::string& Symbol(uint64_t address, bool with_offset) {
    if (symbols_.size() > kMaxKnown) symbols_.clear();
    auto [known, fresh] = symbols_.try_emplace(address << 1 | static_cast<uint64_t>(with_offset));
    std::string& text = known->second;
    const char* name = nullptr;
    unsigned long long start = 0;
    unsigned long size = 0;
    bool kernel = address >> 63 != 0 || tep_get_long_size(tep_) == 4;
    if (!fresh || !kernel || !tep_find_function_info(tep_, address, &name, &start, &size)) return text;
    if (!name || address < start || address - start >= std::max<uint64_t>(size, 1)) return text;
    text = name;
    if (with_offset) {
      std::array<char, 48> offset{};
      int length = snprintf(offset.data(), offset.size(), "+0x%llx/0x%lx", address - start, size);
      if (length > 0) text += offset.data();
    }
    return text;
  }

  const SeekableFile& file_;
  const TraceDatHeader& header_;
  MessageWriter writer_;
  bool records_;
  RecordLayouts layouts_;  // what the other half has of them
  tep_handle* tep_ = nullptr;
  bool whole_ = false;                    // the library has the records at hand, too
  std::vector<tracecmd_input*> buffers_;  // of the library
  std::unordered_map<int, Kind> kinds_;
  std::vector<const Kind*> kind_of_type_;
  std::unordered_map<int, std::string_view> comms_;
  std::unordered_map<uint64_t, std::string> symbols_;
  SymbolPrinter symbol_printer_ = [this](uint64_t address, bool with_offset) -> std::string_view {
    return Symbol(address, with_offset);
  };
};

void Limit(decltype(RLIMIT_CPU) what, uint64_t most) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, most);
  setrlimit(what, &limit);
}

// What reading a file of that size may cost; a damaged one can make the library run for ever or allocate
// whatever a length field says.
void SetLimits(uint64_t file_size) {
  Limit(RLIMIT_CPU, 30 + file_size / 1'000'000);
  Limit(RLIMIT_FSIZE, (uint64_t{256} << 20) + file_size * 64);
  Limit(RLIMIT_CORE, 0);
#ifndef MMREPLAY_ADDRESS_SANITIZER
  Limit(RLIMIT_AS, uint64_t{4} << 30);
#endif
}

}  // namespace

void RunTraceDatChild(const SeekableFile& file, const TraceDatHeader& header, int pipe, bool records) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The library writes its complaints to standard output and error, which are not ours to fill.
  int null = open("/dev/null", O_RDWR);
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, standard);
  // Nothing else of the parent is kept open, least of all pipes of other children.
  int first = std::min(file.fd(), pipe);
  int second = std::max(file.fd(), pipe);
  if (first > 3) close_range(3, static_cast<unsigned>(first - 1), 0);
  if (second > first + 1) close_range(static_cast<unsigned>(first + 1), static_cast<unsigned>(second - 1), 0);
  close_range(static_cast<unsigned>(second + 1), ~0u, 0);
  for (int signal : {SIGPIPE, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGXCPU, SIGXFSZ})
    static_cast<void>(std::signal(signal, SIG_DFL));
  SetLimits(file.size());
  TraceDatChild(file, header, pipe, records).Run();
  _exit(0);
}

}  // namespace mmreplay
