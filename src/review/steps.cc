#include "review/steps.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "filter/survey.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using syscalls::Arch;

// On x86 these calls are also numbers of socketcall(2), whose other argument is a pointer
// (include/uapi/linux/net.h).
struct Multiplexed {
  std::string_view syscall;
  std::uint64_t number;
};
constexpr std::array kSocketcall = {
    Multiplexed{"socket", 1},    Multiplexed{"socketpair", 8},  Multiplexed{"sendto", 11},
    Multiplexed{"recvfrom", 12}, Multiplexed{"setsockopt", 14}, Multiplexed{"sendmsg", 16},
    Multiplexed{"recvmsg", 17},
};

using Requirements = std::vector<filter::Requirement>;

// The same with clean arguments: where only bits of the low half are asked for, the high half is 0.
Requirements clean(const Requirements& requirements) {
  constexpr std::uint64_t kHighHalf = 0xffffffff00000000U;
  Requirements result = requirements;
  for (const filter::Requirement& requirement : requirements) {
    if ((requirement.mask & kHighHalf) == 0) {
      result.push_back({requirement.index, kHighHalf, 0, false});
    }
  }
  return result;
}

bool passes(std::span<const filter::Program> filters, std::string_view syscall,
            const Requirements& args, Arch arch) {
  const auto nr = syscalls::number(arch, syscall);
  if (!nr) return false;
  const auto reachable = filter::allowed_with(filter::decide_all(filters, arch, *nr), args);
  return reachable.args.has_value() || !reachable.decided;
}

bool passes_socketcall(std::span<const filter::Program> filters, const Way& way) {
  const auto* entry =
      std::find_if(kSocketcall.begin(), kSocketcall.end(),
                   [&way](const Multiplexed& m) { return m.syscall == way.syscall; });
  if (entry == kSocketcall.end()) return false;
  return passes(filters, "socketcall", {{0, UINT32_MAX, entry->number, false}}, Arch::kX86);
}

}  // namespace

StepJudge::StepJudge(std::span<const filter::Program> filters, std::span<const Arch> arches)
    : filters_(filters),
      arches_(arches),
      native_(syscalls::native_of(arches.empty() ? syscalls::host_arch() : arches.front())) {}

bool StepJudge::passes(const Way& way, Arch arch) const {
  return review::passes(filters_, way.syscall, clean(way.args), arch);
}

bool StepJudge::is_open(const Step& step) const {
  return std::any_of(step.ways.begin(), step.ways.end(),
                     [this](const Way& way) { return passes(way, native_); });
}

bool StepJudge::is_open_adapted(const Step& step) const {
  return std::any_of(arches_.begin(), arches_.end(), [&](Arch arch) {
    return std::any_of(step.ways.begin(), step.ways.end(), [&](const Way& way) {
      return review::passes(filters_, way.syscall, way.args, arch) ||
             (arch == Arch::kX86 && passes_socketcall(filters_, way));
    });
  });
}

}  // namespace whittle::review
