#include "cli/judgement.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/output.h"
#include "parser/error.h"
#include "report/content.h"
#include "report/report.h"

namespace mmreplay {

namespace po = boost::program_options;

void AddJudgementOptions(po::options_description* options) {
  options->add_options()                                                                   //
      ("format", po::value<std::string>()->value_name("text|json"), "form of the report")  //
      ("near-misses", "waits that matched all but one step of the rule, too")              //
      ("rules", po::value<std::string>()->value_name("DIR"),
       "rules of your own, beside or instead of ours")  //
      ("fail-on", po::value<std::string>()->value_name("error|warning|info"),
       "exit with 1 for findings of this severity and above (default: warning)")  //
      ("require", po::value<std::vector<std::string>>()->value_name("RULE"),
       "exit with 3 where this rule cannot be judged; may be given several times");
}

Judgement::Judgement(const Arguments& given)
    : format_(ReportFormatOf(given.Text("format").value_or("text"))), near_misses_(given.Has("near-misses")) {
  if (auto name = given.Text("fail-on")) {
    auto severity = SeverityOf(*name);
    if (!severity) throw Error("--fail-on: " + *name + ": is none of error, warning, info");
    policy_.fail_on = *severity;
  }
  policy_.required = given.List("require");
  rules_ = LoadRules(given.Text("rules"));
}

int Judgement::Pronounce(TraceStore* store, int64_t events) const {
  JudgeTrace(rules_, &store->database());
  store->Publish();
  int exit_code = ExitCodeFor(store->database(), policy_);

  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
  BufferedOutput out;
  WriteReport(store->database(), {.format = format_, .style = OutputStyle(), .near_misses = near_misses_},
              out.writer());
  out.Flush();
  // For people only: a report of the same bytes is the same bytes.
  auto rate = static_cast<int64_t>(static_cast<double>(events) / seconds.count());
  fmt::print(stderr, "mmreplay: {} events in {:.2f} s, {} events/s\n", CountText(events), seconds.count(),
             CountText(rate));
  return exit_code;
}

}  // namespace mmreplay
