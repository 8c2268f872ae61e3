#include "parser/probe_definitions.h"

#include <catch2/catch.hpp>
#include <set>

#include "parser/probe_signatures.h"

namespace mmreplay {

TEST_CASE("definitions as tracefs prints them", "[probes]") {
  auto probe = ParseProbeDefinition(
      "p:mmr/thp_mig migrate_misplaced_transhuge_page mm=%di page=%r9 ref=+28(%r9):s32 node=$stack1");
  REQUIRE(probe);
  CHECK(probe->event == "thp_mig");
  CHECK(probe->function == "migrate_misplaced_transhuge_page");
  CHECK_FALSE(probe->is_return);
  REQUIRE(probe->arguments.size() == 4);
  CHECK(probe->arguments[1].index == 6);
  CHECK(probe->arguments[2].index == 6);
  CHECK(probe->arguments[2].offsets == std::vector<int64_t>{28});
  CHECK(probe->arguments[3].index == 7);

  probe = ParseProbeDefinition("r10:numa/folio_wait_bit_ret folio_wait_bit");
  REQUIRE(probe);
  CHECK(probe->is_return);
  probe = ParseProbeDefinition("p:numa/x migration_entry_wait_on_locked entry=%x0 ptep=%x1 ptl=$arg3");
  REQUIRE(probe);
  CHECK(probe->arguments[0].index == 1);
  CHECK(probe->arguments[2].index == 3);
  // The kernel names what has no name.
  probe = ParseProbeDefinition("p:kprobes/y folio_unlock %di +0(+8(%si)):x64");
  REQUIRE(probe);
  CHECK(probe->arguments[0].field == "arg1");
  CHECK(probe->arguments[1].offsets == std::vector<int64_t>{8, 0});
  probe = ParseProbeDefinition("f:fprobes/z folio_wait_bit%return ret=$retval");
  REQUIRE(probe);
  CHECK(probe->is_return);
  CHECK(probe->arguments[0].base == FetchArgument::Base::kReturn);
  probe = ParseProbeDefinition("p:m xfs:xfs_buf_get+0x10");
  REQUIRE(probe);
  CHECK(probe->function == "xfs_buf_get");
  CHECK(probe->offset == 16);

  CHECK_FALSE(ParseProbeDefinition("p:uprobes/b /bin/bash:0x4245c0"));
  CHECK_FALSE(ParseProbeDefinition("p:x/unlock cycles:u: "));
  CHECK_FALSE(ParseProbeDefinition("  folio_wait_bit     185   0"));
  CHECK_FALSE(ParseProbeDefinition(""));
  CHECK_FALSE(ParseProbeDefinition("p:"));
}

TEST_CASE("of more probes than are kept the rest is left out", "[probes]") {
  std::string text;
  for (size_t i = 0; i < kMostProbes; ++i) text += "p:g/e" + std::to_string(i) + " f\n";
  bool left_out = false;
  CHECK(ParseProbeDefinitions(text, &left_out).size() == kMostProbes);
  CHECK_FALSE(left_out);
  CHECK(ParseProbeDefinitions(text + "# no probe\n", &left_out).size() == kMostProbes);
  CHECK_FALSE(left_out);
  CHECK(ParseProbeDefinitions(text + "p:g/more f\n", &left_out).size() == kMostProbes);
  CHECK(left_out);
  std::string arguments;
  for (int i = 0; i < 128; ++i) arguments += " a" + std::to_string(i) + "=%di";
  text.clear();
  for (int i = 0; i < 5'000; ++i) text += "p:g/e" + std::to_string(i) + " f" + arguments + "\n";
  left_out = false;
  CHECK(ParseProbeDefinitions(text, &left_out).size() < 2'000);
  CHECK(left_out);
  CHECK(ParseProbeDefinition("p:g/e f" + arguments));
  CHECK_FALSE(ParseProbeDefinition("p:g/e f" + arguments + " more=%di"));
}

TEST_CASE("probe files are told from others by content", "[probes]") {
  CHECK(LooksLikeProbeDefinitions("p:numa/a b\nr10:numa/a_ret b\n"));
  CHECK(LooksLikeProbeDefinitions("p:numa/a b\n  a   3   0\n"));  // with kprobe_profile behind it
  CHECK_FALSE(LooksLikeProbeDefinitions("# tracer: nop\n"));
  CHECK_FALSE(LooksLikeProbeDefinitions(""));
}

TEST_CASE("signatures name each function once", "[probes]") {
  std::set<std::string_view> seen;
  for (std::string_view symbol : KnownFunctionSymbols()) {
    CHECK(seen.insert(symbol).second);
    CHECK(FunctionOfSymbol(symbol) != KernelFunction::kOther);
  }
  CHECK(FunctionOfSymbol("vfs_read") == KernelFunction::kOther);
}

TEST_CASE("kernel releases", "[probes]") {
  auto release = ParseKernelRelease("6.1.0-56-arm64");
  REQUIRE(release);
  CHECK(release->AtLeast(6, 1));
  CHECK_FALSE(release->AtLeast(6, 5));
  CHECK(release->AtLeast(4, 18));
  CHECK_FALSE(ParseKernelRelease("4.10.17")->AtLeast(4, 18));
  CHECK_FALSE(ParseKernelRelease("(none)"));
  CHECK_FALSE(ParseKernelRelease(""));
}

TEST_CASE("a fetch of too few bits of a value means nothing", "[probes]") {
  auto roles = [](const std::string& line) {
    auto probe = ParseProbeDefinition(line);
    REQUIRE(probe);
    std::string text;
    for (const BoundField& field : BindProbe(probe->function, probe->is_return, &*probe, KernelRelease{6, 1}))
      text += field.name + "=" + std::to_string(static_cast<int>(field.role)) + " ";
    return text;
  };
  auto is = [](const char* name, ProbeRole role) {
    return std::string(name) + "=" + std::to_string(static_cast<int>(role)) + " ";
  };
  CHECK(roles("p:u folio_unlock f=%di flags=+0(%di):x64 ref=+52(%di):s32") ==
        is("f", ProbeRole::kPage) + is("flags", ProbeRole::kPageFlags) + is("ref", ProbeRole::kPageCount));
  CHECK(roles("p:u folio_unlock f=%di waiters=+0(%di):b1@7/64 ref=+52(%di):u8") == is("f", ProbeRole::kPage));
  CHECK(roles("p:u folio_unlock f=%di:x16 flags=+0(%di):string low=+0(%di):x8[4] bits=+0(%di):x8") ==
        is("bits", ProbeRole::kPageFlags));
}

TEST_CASE("arguments by the names of parameters", "[probes]") {
  auto probe = ParseProbeDefinition(
      "f:w folio_wait_bit folio=folio bit_nr=bit_nr:s32 flags=folio->flags ref=folio->_refcount.counter "
      "mapping=folio->mapping other=nothing");
  REQUIRE(probe);
  std::vector<BoundField> bound = BindProbe(probe->function, false, &*probe, std::nullopt);
  REQUIRE(bound.size() == 4);
  CHECK(bound[0].role == ProbeRole::kPage);
  CHECK(bound[1].role == ProbeRole::kBit);
  CHECK(bound[2].role == ProbeRole::kPageFlags);
  CHECK(bound[3].role == ProbeRole::kPageCount);
}

TEST_CASE("a definition's text reads as the same definition", "[probes]") {
  for (const char* line :
       {"p:numa/folio_wait_bit folio_wait_bit folio=%x0 bit=%x1:s32",
        "r10:numa/folio_wait_bit_ret folio_wait_bit ret=$retval:s32",
        "p:mmr/wait wait_on_page_bit+16 page=%di flags=+0(%di):x64 deep=+8(-16($arg2)) name=$comm",
        "f:mmr/wait folio_wait_bit folio=folio flags=folio->flags:x64 ref=folio->_refcount.counter",
        "p:mmr/unlock folio_unlock folio=%di waiters=+0(%di):b1@7/64 text=+0(%si):string"}) {
    auto probe = ParseProbeDefinition(line);
    REQUIRE(probe);
    std::string text = ProbeDefinitionText(*probe);
    CAPTURE(text);
    auto again = ParseProbeDefinition(text);
    REQUIRE(again);
    CHECK(again->group == probe->group);
    CHECK(again->event == probe->event);
    CHECK(again->function == probe->function);
    CHECK(again->offset == probe->offset);
    CHECK(again->is_return == probe->is_return);
    REQUIRE(again->arguments.size() == probe->arguments.size());
    for (size_t i = 0; i < probe->arguments.size(); ++i) {
      CHECK(again->arguments[i].field == probe->arguments[i].field);
      CHECK(again->arguments[i].base == probe->arguments[i].base);
      CHECK(again->arguments[i].index == probe->arguments[i].index);
      CHECK(again->arguments[i].offsets == probe->arguments[i].offsets);
      CHECK(again->arguments[i].name == probe->arguments[i].name);
      CHECK(again->arguments[i].type == probe->arguments[i].type);
    }
  }
}

}  // namespace mmreplay
