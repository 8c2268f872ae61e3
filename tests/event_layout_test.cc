#include "parser/event_layout.h"

#include <catch2/catch.hpp>
#include <cstring>

namespace mmreplay {
namespace {

// Format files of kernel 6.1 (formats.txt of the recordings), and of its kprobe events.
constexpr std::string_view kCommon =
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

EventLayout Layout(const std::string& name, const std::string& fields, const std::string& print) {
  auto layout = ParseEventLayout("sys", "name: " + name + "\nID: 7\nformat:\n" + std::string(kCommon) +
                                            fields + "\nprint fmt: " + print + "\n");
  REQUIRE(layout);
  return *layout;
}

// A record grows field by field, as the compiler lays it out.
class RecordBytes {
 public:
  RecordBytes() { Add(uint64_t{0x45} << 32 | 7); }
  template <typename Int>
  RecordBytes& Add(Int value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  RecordBytes& Text(std::string_view text, size_t size) {
    bytes_.append(text).append(size - text.size(), '\0');
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string ArgumentText(const EventLayout& layout, const std::string& record,
                         const SymbolPrinter& symbols = {}) {
  std::string text = "before ";
  if (!AppendArguments(layout, record, symbols, &text)) {
    CHECK(text == "before ");
    return "(refused)";
  }
  return text.substr(7);
}

}  // namespace

TEST_CASE("radix and sign of raw fields are the format's", "[event_layout]") {
  EventLayout layout =
      Layout("mm_page_alloc",
             "\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n"
             "\tfield:unsigned int order;\toffset:16;\tsize:4;\tsigned:0;\n"
             "\tfield:unsigned long gfp_flags;\toffset:24;\tsize:8;\tsigned:0;\n"
             "\tfield:int migratetype;\toffset:32;\tsize:4;\tsigned:1;\n",
             "\"page=%p pfn=0x%lx order=%d migratetype=%d gfp_flags=%s\", REC->pfn != -1UL ? "
             "({ a, b }) : ((void *)0), REC->pfn, REC->order, REC->migratetype, (REC->gfp_flags) ? "
             "__print_flags(REC->gfp_flags, \"|\", {1, \"x, %d\"}) : \"none\"");
  CHECK(layout.name == "mm_page_alloc");
  CHECK(layout.id == 7);
  RecordBytes record;
  record.Add(uint64_t{0x32112}).Add(uint32_t{9}).Add(uint32_t{0}).Add(uint64_t{0x400dc0}).Add(int32_t{-3});
  CHECK(ArgumentText(layout, record.bytes()) == "pfn=0x32112 order=9 gfp_flags=0x400dc0 migratetype=-3");
  CHECK(CommonFields(layout).Pid(record.bytes()) == 0x45u);
  // A record that ends before its last field is damage, at every length.
  for (size_t size = 0; size < record.bytes().size(); ++size)
    CHECK(ArgumentText(layout, record.bytes().substr(0, size)) == "(refused)");
}

TEST_CASE("the argument of a conversion tells the field, whatever the key", "[event_layout]") {
  EventLayout layout = Layout("mm_migrate_pages",
                              "\tfield:unsigned long succeeded;\toffset:8;\tsize:8;\tsigned:0;\n"
                              "\tfield:unsigned long failed;\toffset:16;\tsize:8;\tsigned:0;\n"
                              "\tfield:int reason;\toffset:24;\tsize:4;\tsigned:1;\n",
                              "\"nr_succeeded=%lu nr_failed=%lu reason=%s\", REC->succeeded, REC->failed, "
                              "__print_symbolic(REC->reason, {5, \"numa_misplaced\"})");
  RecordBytes record;
  record.Add(uint64_t{512}).Add(uint64_t{1}).Add(int32_t{5});
  CHECK(ArgumentText(layout, record.bytes()) == "succeeded=512 failed=1 reason=5");
}

TEST_CASE("strings and arrays, fixed and elsewhere in the record", "[event_layout]") {
  EventLayout lock = Layout("lock_acquire",
                            "\tfield:unsigned int flags;\toffset:8;\tsize:4;\tsigned:0;\n"
                            "\tfield:__data_loc char[] name;\toffset:12;\tsize:4;\tsigned:1;\n"
                            "\tfield:void * lockdep_addr;\toffset:16;\tsize:8;\tsigned:0;\n",
                            "\"%p %s%s%s\", REC->lockdep_addr, (REC->flags & 1) ? \"try \" : \"\", \"\", "
                            "__get_str(name)");
  RecordBytes record;
  record.Add(uint32_t{2})
      .Add(uint32_t{16} << 16 | 24)
      .Add(uint64_t{0xffff888030410180})
      .Text("ptlock_ptr(page)", 17);
  CHECK(ArgumentText(lock, record.bytes()) ==
        "flags=2 name=ptlock_ptr(page) lockdep_addr=0xffff888030410180");
  // Data said to lie outside the record are damage, not memory of ours.
  std::string outside = record.bytes();
  uint32_t location = uint32_t{16} << 16 | 30;
  std::memcpy(outside.data() + 12, &location, 4);
  CHECK(ArgumentText(lock, outside) == "(refused)");

  EventLayout wake = Layout("sched_waking",
                            "\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
                            "\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;\n",
                            "\"comm=%s pid=%d\", REC->comm, REC->pid");
  CHECK(ArgumentText(wake, RecordBytes().Text("thp mover", 16).Add(int32_t{69}).bytes()) ==
        "comm=thp mover pid=69");

  // Kprobe arguments: a string in quotes, an array, a relative location.
  EventLayout probe = Layout("open",
                             "\tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;\n"
                             "\tfield:__rel_loc char[] file;\toffset:16;\tsize:4;\tsigned:1;\n"
                             "\tfield:u32 a[2];\toffset:20;\tsize:8;\tsigned:0;\n",
                             "\"(%lx) file=\\\"%s\\\" a={0x%x,0x%x}\", REC->__probe_ip, __get_rel_str(file), "
                             "REC->a[0], REC->a[1]");
  RecordBytes opened;
  opened.Add(uint64_t{0xffffffff81154d40}).Add(uint32_t{6} << 16 | 8).Add(uint32_t{1}).Add(uint32_t{0x20});
  opened.Text("a b/c", 6);
  CHECK(ArgumentText(probe, opened.bytes()) == "(ffffffff81154d40) file=\"a b/c\" a={0x1,0x20}");
}

TEST_CASE("probes stand where tracefs prints them", "[event_layout]") {
  SymbolPrinter symbols = [](uint64_t address, bool with_offset) -> std::string_view {
    if (address == 0xffffffff811574b0) return with_offset ? "folio_wait_bit+0x0/0x20" : "folio_wait_bit";
    return {};
  };
  EventLayout entry = Layout("folio_wait_bit",
                             "\tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;\n"
                             "\tfield:u64 folio;\toffset:16;\tsize:8;\tsigned:0;\n"
                             "\tfield:s32 bit;\toffset:24;\tsize:4;\tsigned:1;\n",
                             "\"(%lx) folio=0x%Lx bit=%d\", REC->__probe_ip, REC->folio, REC->bit");
  CHECK(entry.is_probe());
  RecordBytes call;
  call.Add(uint64_t{0xffffffff811574b0}).Add(uint64_t{0xffff88805e840000}).Add(int32_t{0});
  CHECK(ArgumentText(entry, call.bytes(), symbols) ==
        "(folio_wait_bit+0x0/0x20) folio=0xffff88805e840000 bit=0");
  CHECK(ArgumentText(entry, call.bytes()) == "(ffffffff811574b0) folio=0xffff88805e840000 bit=0");

  // The format says (func <- ret_ip); tracefs prints (ret_ip <- func).
  EventLayout exit = Layout("folio_wait_bit_ret",
                            "\tfield:unsigned long __probe_func;\toffset:8;\tsize:8;\tsigned:0;\n"
                            "\tfield:unsigned long __probe_ret_ip;\toffset:16;\tsize:8;\tsigned:0;\n",
                            "\"(%lx <- %lx)\", REC->__probe_func, REC->__probe_ret_ip");
  RecordBytes back;
  back.Add(uint64_t{0xffffffff811574b0}).Add(uint64_t{0xffffffff811de0ad});
  CHECK(ArgumentText(exit, back.bytes(), symbols) == "(ffffffff811de0ad <- folio_wait_bit)");
}

TEST_CASE("a format without an id or fields is none", "[event_layout]") {
  CHECK_FALSE(ParseEventLayout("s", ""));
  CHECK_FALSE(ParseEventLayout("s", "name: x\nformat:\n" + std::string(kCommon)));
  CHECK_FALSE(ParseEventLayout("s", "name: x\nID: 1\nformat:\n"));
  CHECK_FALSE(ParseEventLayout("s", "name: x\nID: 99999999999\nformat:\n" + std::string(kCommon)));
  // An unfinished one must not be read past its end.
  for (const char* text :
       {"\"", "\"%", "\"a=%l", "\"a=\\", "\"a=%d\", REC->", "\"a=%d\", ((((", "\"a=%*d\", REC->a"})
    CHECK(ParseEventLayout("s", "name: x\nID: 1\n" + std::string(kCommon) + "print fmt: " + text));
}

TEST_CASE("flag columns of raw records", "[event_layout]") {
  CHECK(ContextColumns(0, 0) == ".....");
  CHECK(ContextColumns(0x01, 0x02) == "d..2.");
  CHECK(ContextColumns(0x25, 0x13) == "dN.31");
  CHECK(ContextColumns(0x18, 0) == "..H..");
  CHECK(ContextColumns(0x80 | 0x40, 0) == "b.z..");
  CHECK(FlagsAreInterrupt(0x10));
  CHECK_FALSE(FlagsAreInterrupt(0x25));
}

}  // namespace mmreplay
