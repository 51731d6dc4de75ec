// The promise of the room on random evidence: what the profile allows, the base allows, at the
// boundary values of both, judged by the documented meaning.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <random>

#include "generate/evidence_for_test.h"
#include "generate/generate.h"
#include "generate/meaning.h"
#include "profile/baseline.h"

namespace whittle::generate {
namespace {

using syscalls::Arch;

using Values = std::set<std::uint64_t>;

// Adds the values at (and, with `around`, next to) every number in the profile's rules for the
// call.
void add_boundaries(const profile::Profile& profile, std::string_view name, bool around,
                    std::array<Values, 6>& values) {
  for (const profile::Rule& rule : profile.rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end()) continue;
    for (const profile::Condition& condition : rule.args) {
      Values& of_index = values[condition.index];
      for (const std::uint64_t value : {condition.value, condition.value_two}) {
        of_index.insert({value, 0, UINT64_MAX});
        if (around) of_index.insert({value - 1, value + 1, value | (1ULL << 33U)});
      }
    }
  }
}

// Every choice of one value for each argument.
std::vector<Arguments> all_of(const std::array<Values, 6>& values) {
  std::vector<Arguments> all = {Arguments{}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<Arguments> longer;
    for (const Arguments& one : all) {
      for (const std::uint64_t value : values.at(i)) {
        longer.push_back(one);
        longer.back().at(i) = value;
      }
    }
    all = std::move(longer);
  }
  return all;
}

void expect_not_looser(const profile::Profile& base, const profile::Profile& made, Arch arch) {
  std::set<std::string> names;
  for (const profile::Rule& rule : made.rules()) names.insert(rule.names.begin(), rule.names.end());
  for (const std::string& name : names) {
    if (!syscalls::number(arch, name)) continue;
    std::array<Values, 6> values;
    values.fill({0});
    add_boundaries(base, name, true, values);
    add_boundaries(made, name, false, values);
    for (const Arguments& args : all_of(values)) {
      if (!documented_verdict(made, arch, name, args).allows()) continue;
      ASSERT_TRUE(documented_verdict(base, arch, name, args).allows())
          << name << " " << testing::PrintToString(args) << " on " << syscalls::arch_name(arch);
    }
  }
}

class RandomEvidence {
 public:
  explicit RandomEvidence(unsigned seed) : random_(seed) {}

  evidence::Evidence make() {
    std::map<std::uint32_t, evidence::Observation> observations;
    const auto entries = syscalls::entries(Arch::kX86_64);
    for (int i = 0; i < 30; ++i) {
      const auto& entry = entries[random_() % entries.size()];
      observations[entry.nr] = seen(std::string(entry.name), values(entry.name));
    }
    for (const syscalls::ArgumentSpec& spec : syscalls::argument_table()) {
      const auto nr = syscalls::number(Arch::kX86_64, spec.syscall);
      if (nr) observations[*nr] = seen(spec.syscall, values(spec.syscall));
    }
    std::vector<evidence::Observation> sorted;
    sorted.reserve(observations.size() + 1);
    for (auto& [nr, observation] : observations) sorted.push_back(std::move(observation));
    if (random_() % 3 == 0) sorted.push_back(seen_on(Arch::kX86, "read"));
    return evidence_of(std::move(sorted));
  }

 private:
  std::uint64_t pick(std::initializer_list<std::uint64_t> from) {
    return *(from.begin() + random_() % from.size());
  }

  Tuples values(std::string_view name) {
    Tuples all;
    const auto specs = syscalls::argument_specs(name);
    if (specs.empty() || random_() % 8 == 0) return all;
    for (std::uint64_t i = 0; i <= random_() % 5; ++i) {
      std::vector<std::uint64_t> one;
      for (std::size_t j = 0; j < specs[0].indexes.size(); ++j) {
        one.push_back(pick({0, 1, 2, 3, 6, 8, 10, 16, 17, 38, 39, 40, 41, 0x20000, 0x80001,
                            0x3d0f00, 0x10000011, 0x1200011, 0xffffffff}));
      }
      all.insert(std::move(one));
    }
    return all;
  }

  std::mt19937 random_;
};

TEST(Generate, NeverLooserThanTheBaseOnRandomEvidence) {
  constexpr const char* kBases[] = {"docker", "podman", "docker@20.10.0", "containerd", "none"};
  for (unsigned seed = 0; seed <= std::size(kBases); ++seed) {
    const std::string base = kBases[seed % std::size(kBases)];
    Options options;
    options.base_name = base;
    for (const Arch arch : options.arches) {
      profile::Setting setting;
      setting.arch = arch;
      options.base.emplace(
          arch, base == "none" ? no_base(arch) : profile::baseline(base, setting).value());
    }
    options.arguments = static_cast<syscalls::Level>(seed % 3);
    if (seed % 2 == 0) options.arches = {Arch::kX86_64};
    const auto outcome = generate(RandomEvidence(seed).make(), options);
    ASSERT_TRUE(outcome) << outcome.error().text() << " seed " << seed << " base " << base;
    for (const Arch arch : outcome->profile.arches()) {
      expect_not_looser(options.base.at(syscalls::native_of(arch)), outcome->profile, arch);
    }
  }
}

}  // namespace
}  // namespace whittle::generate
