#include "cli/captured_default.h"

#include <linux/bpf_common.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "syscalls/arch.h"

namespace whittle::cli {

namespace {

using json::View;

constexpr std::string_view kSchema = "whittle.captured-default/v1";
constexpr std::size_t kMostFilters = 64;

profile::Setting setting_of(const CapturedDefault& captured) {
  profile::Setting setting;
  setting.arch = captured.arch;
  setting.caps = std::set<std::string>(captured.caps.begin(), captured.caps.end());
  setting.kernel = profile::kernel_version(captured.kernel).value_or(setting.kernel);
  return setting;
}

// A known default against the captured filter.
class Recogniser {
 public:
  explicit Recogniser(const CapturedDefault& captured)
      : captured_(captured),
        setting_(setting_of(captured)),
        flavour_(captured.oci_runtime == "crun" ? filter::Flavour::kCrun : filter::Flavour::kRunc) {
    for (const syscalls::Arch arch : syscalls::kAllArches) {
      if (syscalls::native_of(arch) == captured.arch) arches_.push_back(arch);
    }
  }

  Result<filter::Comparison> compare(const profile::Profile& known) const {
    TRY_ASSIGN(const filter::Compiled compiled, filter::compile(known, flavour_));
    return filter::compare(compiled.program, captured_.filters.front(), arches_);
  }
  const profile::Setting& setting() const { return setting_; }

 private:
  const CapturedDefault& captured_;
  profile::Setting setting_;
  filter::Flavour flavour_;
  std::vector<syscalls::Arch> arches_;
};

Result<filter::Program> read_program(const View& view) {
  TRY_ASSIGN(const auto items, view.items());
  if (items.size() > BPF_MAXINSNS) return view.error("more instructions than the kernel takes");
  filter::Program program;
  for (const View& item : items) {
    TRY_ASSIGN(const auto fields, item.items());
    if (fields.size() != 4) return item.error("an instruction is [code, jt, jf, k]");
    TRY_ASSIGN(const std::uint64_t code, fields[0].u64(UINT16_MAX));
    TRY_ASSIGN(const std::uint64_t jt, fields[1].u64(UINT8_MAX));
    TRY_ASSIGN(const std::uint64_t jf, fields[2].u64(UINT8_MAX));
    TRY_ASSIGN(const std::uint64_t k, fields[3].u64(UINT32_MAX));
    program.push_back({static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(jt),
                       static_cast<std::uint8_t>(jf), static_cast<std::uint32_t>(k)});
  }
  if (auto checked = filter::check(program); !checked) return view.error(checked.error().message);
  return program;
}

Result<std::string> string_at(const View& root, std::string_view key) {
  TRY_ASSIGN(const View view, root.at(key));
  return view.string();
}

}  // namespace

bool is_captured_default(std::string_view text) {
  return text.substr(0, 200).find(kSchema) != std::string_view::npos;
}

Result<CapturedDefault> read_captured_default(std::string_view text, std::string_view place) {
  TRY_ASSIGN(const json::Value document, json::parse(text, place));
  const View root(document, std::string(place));
  TRY_ASSIGN(const View schema, root.at("schema"));
  TRY_ASSIGN(const std::string schema_name, schema.string());
  if (schema_name != kSchema) return schema.error("another schema than " + std::string(kSchema));
  CapturedDefault read;
  TRY_ASSIGN(read.runtime, string_at(root, "runtime"));
  TRY_ASSIGN(const auto version, root.find("version"));
  if (version && !version->value().is_null()) {
    TRY_ASSIGN(read.version, version->string());
  }
  TRY_ASSIGN(read.oci_runtime, string_at(root, "oci_runtime"));
  TRY_ASSIGN(read.captured, string_at(root, "captured"));
  TRY_ASSIGN(read.kernel, string_at(root, "kernel"));
  TRY_ASSIGN(const View arch, root.at("arch"));
  TRY_ASSIGN(const std::string word, arch.string());
  const auto known = syscalls::arch_from_name(word);
  if (!known || syscalls::native_of(*known) != *known)
    return arch.error("no architecture of a host");
  read.arch = *known;
  TRY_ASSIGN(const View caps, root.at("caps"));
  TRY_ASSIGN(const auto names, caps.items());
  for (const View& name : names) {
    TRY_ASSIGN(std::string cap, name.string());
    read.caps.push_back(std::move(cap));
  }
  TRY_ASSIGN(const View filters, root.at("filters"));
  TRY_ASSIGN(const auto programs, filters.items());
  if (programs.size() > kMostFilters) return filters.error("too many filters");
  for (const View& view : programs) {
    TRY_ASSIGN(filter::Program program, read_program(view));
    read.filters.push_back(std::move(program));
  }
  return read;
}

json::Value to_json(const CapturedDefault& captured) {
  json::Array filters;
  for (const filter::Program& program : captured.filters) {
    json::Array instructions;
    for (const sock_filter& each : program) {
      instructions.emplace_back(json::Array{static_cast<unsigned>(each.code),
                                            static_cast<unsigned>(each.jt),
                                            static_cast<unsigned>(each.jf), each.k});
    }
    filters.emplace_back(std::move(instructions));
  }
  json::Value value;
  value.set("schema", kSchema).set("runtime", captured.runtime);
  value.set("version", captured.version.empty() ? json::Value() : json::Value(captured.version));
  value.set("oci_runtime", captured.oci_runtime).set("captured", captured.captured);
  value.set("kernel", captured.kernel).set("arch", syscalls::arch_name(captured.arch));
  value.set("caps", json::Array(captured.caps.begin(), captured.caps.end()));
  value.set("filters", std::move(filters));
  return value;
}

Result<Recognised> recognise(const CapturedDefault& captured) {
  if (captured.filters.size() != 1) {
    return environment_error(
        captured.filters.empty()
            ? "the container runs without a seccomp filter"
            : format("the container runs under {} filters, not its runtime's alone",
                     captured.filters.size()),
        captured.runtime, "is seccomp switched off for it, or is whittle itself in a container?");
  }
  const Recogniser recogniser(captured);
  Recognised result;
  const std::string own_id = captured.runtime + "@" + captured.version;
  const auto own = profile::resolve_baseline(own_id, recogniser.setting());
  if (!captured.version.empty() && own) {
    TRY_ASSIGN(filter::Comparison difference, recogniser.compare(own->profile));
    if (difference.equivalent()) {
      result.equals = own->id;
      result.since = own->since;
      result.own = true;
      return result;
    }
    result.nearest = own->id;
    result.difference = std::move(difference);
  }
  auto changes = profile::baseline_changes(captured.runtime);
  std::reverse(changes.begin(), changes.end());
  for (const profile::BaselineChange& change : changes) {
    TRY_ASSIGN(const profile::Profile known, profile::baseline(change.id, recogniser.setting()));
    TRY_ASSIGN(filter::Comparison difference, recogniser.compare(known));
    if (difference.equivalent()) {
      result.equals = change.last;
      result.since = change.id;
      return result;
    }
    // Its own version is what it is to be compared with, even when another one is nearer.
    if (!own &&
        (result.nearest.empty() || difference.changes.size() < result.difference.changes.size())) {
      result.nearest = change.id;
      result.difference = std::move(difference);
    }
  }
  return result;
}

}  // namespace whittle::cli
