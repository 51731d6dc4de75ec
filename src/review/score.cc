#include "review/score.h"

#include <algorithm>

#include "filter/survey.h"
#include "review/exploits.h"
#include "review/steps.h"
#include "syscalls/table.h"

namespace whittle::review {

using syscalls::Arch;

namespace {

std::vector<std::string> open_ways(const StepJudge& judge, const Step& step) {
  std::vector<std::string> ways;
  for (const Way& way : step.ways) {
    if (judge.passes(way, judge.native())) ways.push_back(way_text(way));
  }
  return ways;
}

}  // namespace

Result<Score> score(std::span<const filter::Program> filters, std::span<const Arch> arches) {
  TRY_ASSIGN(const Exploits known, known_exploits());
  Score result;
  for (const Arch arch : arches) {
    const auto calls = filter::survey(filters, arch);
    const auto allowed = std::count_if(calls.begin(), calls.end(), [](const auto& call) {
      return filter::can_allow(call.decision);
    });
    result.arches.push_back({arch, static_cast<std::size_t>(allowed)});
  }
  const StepJudge judge(filters, arches);
  std::vector<bool> open;
  std::vector<bool> open_adapted;
  for (const Step& step : known.steps) {
    open.push_back(judge.is_open(step));
    open_adapted.push_back(open.back() || judge.is_open_adapted(step));
  }
  for (std::size_t i = 0; i < open.size(); ++i) {
    const auto needing =
        std::count_if(known.exploits.begin(), known.exploits.end(), [i](const Exploit& exploit) {
          return std::find(exploit.needs.begin(), exploit.needs.end(), i) != exploit.needs.end();
        });
    result.steps.push_back({known.steps[i].name, known.steps[i].what,
                            static_cast<std::size_t>(needing), open[i], open_adapted[i],
                            open_ways(judge, known.steps[i])});
  }
  result.total = known.exploits.size();
  for (const Exploit& exploit : known.exploits) {
    const auto all = [&exploit](const std::vector<bool>& steps) {
      return std::all_of(exploit.needs.begin(), exploit.needs.end(),
                         [&steps](std::size_t step) { return steps[step]; });
    };
    if (all(open)) {
      result.open.push_back(exploit.cve);
    } else if (all(open_adapted)) {
      result.open_adapted.push_back(exploit.cve);
    }
  }
  return result;
}

}  // namespace whittle::review
