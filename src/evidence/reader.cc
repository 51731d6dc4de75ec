// Evidence out of JSON text: docs/evidence.md. The text may come from anywhere: everything in it is
// checked and bounded here, so that nothing above has to.
#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "evidence/canonical.h"
#include "evidence/evidence.h"
#include "syscalls/table.h"

namespace whittle::evidence {

namespace {

using json::View;
using syscalls::Arch;

constexpr std::string_view kSchema = "whittle.evidence/v1";
constexpr json::Limits kLimits = {64U << 20U, 16, 4'000'000};
constexpr unsigned kMostArguments = 6;
constexpr std::size_t kMostPhases = 256;

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool made_of(std::string_view text, std::string_view letters, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letters.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos ||
           kDigits.find(c) != std::string_view::npos;
  });
}

// A name of ours: lower case, digits, '_' and '-', up to 64 bytes.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && made_of(text, kLower, "_-");
}

bool is_errno(std::string_view text) {
  return text.size() <= 32 && text.starts_with('E') &&
         made_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "_");
}

bool is_run_id(std::string_view text) {
  return text.size() >= 16 && text.size() <= 64 && made_of(text, "abcdef", "-");
}

Result<std::string> word(const View& view) {
  TRY_ASSIGN(std::string text, view.string());
  if (is_word(text)) return text;
  return view.error(format("\"{}\" is not a word of a-z, 0-9, _ and -", printable(text)));
}

// One line of text for people, up to 4096 bytes.
Result<std::string> line(const View& view) {
  TRY_ASSIGN(std::string text, view.string());
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return view.error("a control character stands in the text");
  if (text.size() > 4096) return view.error("the text is longer than 4096 bytes");
  return text;
}

Result<std::string> line_or(const View& object, std::string_view key, std::string fallback) {
  TRY_ASSIGN(const std::optional<View> found, object.find(key));
  if (!found) return fallback;
  return line(*found);
}

Result<double> seconds_or_zero(const View& object, std::string_view key) {
  TRY_ASSIGN(const std::optional<View> found, object.find(key));
  if (!found) return 0.0;
  TRY_ASSIGN(const double seconds, found->number());
  if (!(seconds >= 0)) return found->error("seconds are expected here, 0 or more");
  return seconds;
}

// The elements of an array that may be missing.
Result<std::vector<View>> items_of(const View& object, std::string_view key) {
  TRY_ASSIGN(const std::optional<View> found, object.find(key));
  if (!found) return std::vector<View>();
  return found->items();
}

template <typename Read>
Result<std::vector<std::string>> texts_of(const View& object, std::string_view key, Read read) {
  TRY_ASSIGN(const std::vector<View> items, items_of(object, key));
  std::vector<std::string> texts;
  for (const View& item : items) {
    TRY_ASSIGN(std::string text, read(item));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::map<std::string, std::uint64_t>> counters(const View& object, const char* what,
                                                      bool (*good)(std::string_view)) {
  TRY_ASSIGN(const auto members, object.members());
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [name, view] : members) {
    if (!good(name)) return view.error(format("\"{}\" is not {}", printable(name), what));
    TRY_ASSIGN(counts[name], view.u64());
  }
  return counts;
}

Result<Arch> arch(const View& view) {
  TRY_ASSIGN(const std::string text, view.string());
  if (const auto found = syscalls::arch_from_name(text)) return *found;
  return view.error(format("unknown architecture \"{}\"", printable(text)),
                    "known are x86_64, x86, x32, aarch64 and arm");
}

Result<std::uint64_t> hex_number(const View& view) {
  TRY_ASSIGN(const std::string text, view.string());
  const auto number = text.starts_with("0x") ? parse_u64(text) : std::nullopt;
  if (!number) return view.error(format("\"{}\" is not a 0x number", printable(text)));
  return *number;
}

// The numbers of an array of arguments.
Result<std::vector<std::uint64_t>> numbers(const View& array,
                                           Result<std::uint64_t> (*read)(const View&)) {
  TRY_ASSIGN(const std::vector<View> items, array.items());
  std::vector<std::uint64_t> out;
  out.reserve(items.size());
  for (const View& item : items) {
    TRY_ASSIGN(const std::uint64_t number, read(item));
    out.push_back(number);
  }
  return out;
}

Result<std::uint64_t> plain_number(const View& view) { return view.u64(); }

// The numbers of `key`, checked against the "hex" beside them: a program that lost bits above 2^53
// in the one did not touch the other.
Result<std::vector<std::uint64_t>> numbers_of(const View& object, std::string_view key,
                                              std::optional<std::size_t> length = std::nullopt) {
  TRY_ASSIGN(const View view, object.at(key));
  TRY_ASSIGN(std::vector<std::uint64_t> values, numbers(view, plain_number));
  if (length && values.size() != *length) {
    return view.error(format("{} numbers are expected here, not {}", *length, values.size()));
  }
  TRY_ASSIGN(const std::optional<View> hex, object.find("hex"));
  if (!hex) return values;
  TRY_ASSIGN(const std::vector<std::uint64_t> same, numbers(*hex, hex_number));
  if (same == values) return values;
  return hex->error(format("\"hex\" and \"{}\" hold different numbers", key));
}

Result<std::vector<std::vector<std::uint64_t>>> rows(const View& array, std::size_t length,
                                                     Result<std::uint64_t> (*read)(const View&)) {
  TRY_ASSIGN(const std::vector<View> items, array.items());
  std::vector<std::vector<std::uint64_t>> out;
  out.reserve(items.size());
  for (const View& item : items) {
    TRY_ASSIGN(std::vector<std::uint64_t> row, numbers(item, read));
    if (row.size() != length) {
      return item.error(format("{} values are expected here, not {}", length, row.size()));
    }
    out.push_back(std::move(row));
  }
  return out;
}

Result<std::vector<std::vector<std::uint64_t>>> rows_of(const View& object, std::size_t length) {
  TRY_ASSIGN(const View view, object.at("values"));
  TRY_ASSIGN(std::vector<std::vector<std::uint64_t>> values, rows(view, length, plain_number));
  TRY_ASSIGN(const std::optional<View> hex, object.find("hex"));
  if (!hex) return values;
  TRY_ASSIGN(const std::vector<std::vector<std::uint64_t>> same, rows(*hex, length, hex_number));
  if (same != values) return hex->error("\"hex\" and \"values\" hold different numbers");
  return values;
}

Result<unsigned> argument_index(const View& view) {
  TRY_ASSIGN(const std::uint64_t index, view.u64(kMostArguments - 1));
  return static_cast<unsigned>(index);
}

Result<bool> closed_of(const View& object) {
  TRY_ASSIGN(const View view, object.at("closed"));
  return view.boolean();
}

Result<ArgumentValues> read_argument(const View& object) {
  ArgumentValues argument;
  TRY_ASSIGN(const View index, object.at("index"));
  TRY_ASSIGN(argument.index, argument_index(index));
  TRY_ASSIGN(const View kind_view, object.at("kind"));
  TRY_ASSIGN(const std::string kind, kind_view.string());
  const auto known = syscalls::kind_from_name(kind);
  if (!known) return kind_view.error(format("unknown kind \"{}\"", printable(kind)));
  argument.kind = *known;
  TRY_ASSIGN(argument.closed, closed_of(object));
  TRY_ASSIGN(const std::vector<std::uint64_t> values, numbers_of(object, "values"));
  argument.values = {values.begin(), values.end()};
  return argument;
}

Result<TupleValues> read_tuple(const View& object) {
  TupleValues tuple;
  TRY_ASSIGN(const View indexes, object.at("indexes"));
  TRY_ASSIGN(const std::vector<View> items, indexes.items());
  for (const View& item : items) {
    TRY_ASSIGN(const unsigned index, argument_index(item));
    if (!tuple.indexes.empty() && index <= tuple.indexes.back()) {
      return item.error("the indexes do not ascend");
    }
    tuple.indexes.push_back(index);
  }
  if (tuple.indexes.size() < 2) return indexes.error("a tuple has two indexes or more");
  TRY_ASSIGN(tuple.closed, closed_of(object));
  TRY_ASSIGN(const auto values, rows_of(object, tuple.indexes.size()));
  tuple.values = {values.begin(), values.end()};
  return tuple;
}

// The number and the name of a call must be one another's, as far as our table knows them. A name
// that it lacks is taken from a newer kernel, if its number is free here too.
Result<void> check_number(const View& object, const Observation& seen) {
  TRY_ASSIGN(const View nr, object.at("nr"));
  const bool x32_number = (seen.nr & syscalls::kX32Bit) != 0 && seen.nr != UINT32_MAX;
  const bool x86_64_audit = seen.arch == Arch::kX86_64 || seen.arch == Arch::kX32;
  if (x86_64_audit && x32_number != (seen.arch == Arch::kX32)) {
    return nr.error(format("{} is {} number of x32", seen.nr, x32_number ? "a" : "not a"),
                    "numbers of x32 carry bit 30 (0x40000000), those of x86_64 do not");
  }
  if (is_number_name(seen.name)) {
    if (seen.name == format("syscall_{}", seen.nr)) return {};
    return nr.error(format("the name {} says another number than {}", seen.name, seen.nr));
  }
  const std::string_view abi = syscalls::arch_name(seen.arch);
  const auto number = syscalls::number(seen.arch, seen.name);
  if (number && *number != seen.nr) {
    return nr.error(format("{} is number {} on {}, not {}", seen.name, *number, abi, seen.nr));
  }
  const auto name = syscalls::name(seen.arch, seen.nr);
  if (name && *name != seen.name) {
    return nr.error(format("number {} on {} is {}, not {}", seen.nr, abi, *name, seen.name));
  }
  return {};
}

Result<void> read_counts(const View& object, Observation& seen) {
  TRY_ASSIGN(const View count, object.at("count"));
  TRY_ASSIGN(seen.count, count.u64());
  TRY_ASSIGN(const std::optional<View> refused, object.find("refused"));
  if (refused) {
    TRY_ASSIGN(seen.refused, refused->u64());
    if (seen.refused > seen.count) return refused->error("more calls were refused than made");
  }
  TRY_ASSIGN(seen.first, seconds_or_zero(object, "first"));
  TRY_ASSIGN(seen.last, seconds_or_zero(object, "last"));
  TRY_ASSIGN(seen.phases, texts_of(object, "phases", line));
  if (seen.phases.size() > kMostPhases) {
    return object.error(format("more than {} phases", kMostPhases));
  }
  TRY_ASSIGN(const std::optional<View> errnos, object.find("errnos"));
  if (errnos) {
    TRY_ASSIGN(seen.errnos, counters(*errnos, "the name of an errno", is_errno));
  }
  return {};
}

Result<void> read_values(const View& object, Observation& seen) {
  TRY_ASSIGN(const std::vector<View> args, items_of(object, "args"));
  for (const View& item : args) {
    TRY_ASSIGN(ArgumentValues argument, read_argument(item));
    const auto same = [&](const ArgumentValues& a) { return a.index == argument.index; };
    if (std::any_of(seen.args.begin(), seen.args.end(), same)) {
      return item.error(format("argument {} stands twice", argument.index));
    }
    seen.args.push_back(std::move(argument));
  }
  TRY_ASSIGN(const std::vector<View> tuples, items_of(object, "tuples"));
  for (const View& item : tuples) {
    TRY_ASSIGN(TupleValues tuple, read_tuple(item));
    const auto same = [&](const TupleValues& t) { return t.indexes == tuple.indexes; };
    if (std::any_of(seen.tuples.begin(), seen.tuples.end(), same)) {
      return item.error("a tuple of these indexes stands twice");
    }
    seen.tuples.push_back(std::move(tuple));
  }
  return {};
}

using BuildIds = std::map<std::string, std::string>;

bool is_build_id(std::string_view text) {
  return text.size() <= 128 && made_of(text, "abcdef", "");
}

Result<Refusal> read_refusal(const View& object) {
  Refusal refusal;
  TRY_ASSIGN(const auto args, numbers_of(object, "args", kMostArguments));
  std::copy(args.begin(), args.end(), refusal.args.begin());
  TRY_ASSIGN(const View error, object.at("error"));
  TRY_ASSIGN(refusal.error, line(error));
  if (refusal.error != "killed" && !is_errno(refusal.error)) {
    return error.error("the name of an errno or \"killed\" is expected here");
  }
  TRY_ASSIGN(refusal.phase, line_or(object, "phase", ""));
  TRY_ASSIGN(refusal.comm, line_or(object, "comm", ""));
  TRY_ASSIGN(const View count, object.at("count"));
  TRY_ASSIGN(refusal.count, count.u64());
  return refusal;
}

Result<void> read_refusals(const View& object, Observation& seen) {
  TRY_ASSIGN(const std::vector<View> items, items_of(object, "refusals"));
  if (items.size() > kMostRefusals) {
    return object.error(format("more than {} kinds of refused calls", kMostRefusals));
  }
  for (const View& item : items) {
    TRY_ASSIGN(Refusal refusal, read_refusal(item));
    seen.refusals.push_back(std::move(refusal));
  }
  TRY_ASSIGN(const std::optional<View> closed, object.find("refusals_closed"));
  if (closed) {
    TRY_ASSIGN(seen.refusals_closed, closed->boolean());
  }
  return {};
}

Result<Frame> read_frame(const View& object, const BuildIds& build_ids) {
  Frame frame;
  TRY_ASSIGN(frame.object, line_or(object, "object", ""));
  TRY_ASSIGN(const View offset, object.at("offset"));
  TRY_ASSIGN(frame.offset, offset.u64());
  TRY_ASSIGN(frame.symbol, line_or(object, "symbol", ""));
  TRY_ASSIGN(const std::optional<View> build_id, object.find("build_id"));
  if (build_id) {
    TRY_ASSIGN(frame.build_id, build_id->string());
    if (!is_build_id(frame.build_id)) return build_id->error("a build id is hexadecimal");
  } else if (const auto known = build_ids.find(frame.object); known != build_ids.end()) {
    frame.build_id = known->second;
  }
  return frame;
}

Result<Stack> read_stack(const View& object, const BuildIds& build_ids) {
  Stack stack;
  TRY_ASSIGN(const std::vector<View> indexes, items_of(object, "indexes"));
  for (const View& item : indexes) {
    TRY_ASSIGN(const unsigned index, argument_index(item));
    stack.indexes.push_back(index);
  }
  if (!indexes.empty()) {
    TRY_ASSIGN(stack.values, numbers_of(object, "values", indexes.size()));
  }
  TRY_ASSIGN(stack.comm, line_or(object, "comm", ""));
  TRY_ASSIGN(const std::vector<View> frames, items_of(object, "frames"));
  for (const View& item : frames) {
    TRY_ASSIGN(Frame frame, read_frame(item, build_ids));
    stack.frames.push_back(std::move(frame));
  }
  return stack;
}

Result<void> read_stacks(const View& object, Observation& seen, const BuildIds& build_ids) {
  TRY_ASSIGN(const std::vector<View> items, items_of(object, "stacks"));
  if (items.size() > kMostStacks) return object.error(format("more than {} stacks", kMostStacks));
  for (const View& item : items) {
    TRY_ASSIGN(Stack stack, read_stack(item, build_ids));
    seen.stacks.push_back(std::move(stack));
  }
  return {};
}

Result<BuildIds> read_build_ids(const View& run) {
  BuildIds ids;
  TRY_ASSIGN(const std::optional<View> found, run.find("build_ids"));
  if (!found) return ids;
  TRY_ASSIGN(const auto members, found->members());
  for (const auto& [path, view] : members) {
    TRY_ASSIGN(ids[path], view.string());
    if (!is_build_id(ids[path])) return view.error("a build id is hexadecimal");
  }
  return ids;
}

Result<Observation> read_observation(const View& object, const BuildIds& build_ids) {
  Observation seen;
  TRY_ASSIGN(const View arch_view, object.at("arch"));
  TRY_ASSIGN(seen.arch, arch(arch_view));
  TRY_ASSIGN(const View name, object.at("name"));
  TRY_ASSIGN(seen.name, word(name));
  TRY_ASSIGN(const View nr, object.at("nr"));
  TRY_ASSIGN(const std::uint64_t number, nr.u64(UINT32_MAX));
  seen.nr = static_cast<std::uint32_t>(number);
  TRY(check_number(object, seen));
  TRY(read_counts(object, seen));
  TRY(read_values(object, seen));
  TRY(read_refusals(object, seen));
  TRY(read_stacks(object, seen, build_ids));
  return seen;
}

Result<void> read_observations(const View& object, Run& run) {
  TRY_ASSIGN(const View array, object.at("syscalls"));
  TRY_ASSIGN(const std::vector<View> items, array.items());
  TRY_ASSIGN(const BuildIds build_ids, read_build_ids(object));
  std::set<std::pair<Arch, std::uint32_t>> keys;
  for (const View& item : items) {
    TRY_ASSIGN(Observation seen, read_observation(item, build_ids));
    if (!keys.emplace(seen.arch, seen.nr).second) {
      return item.error(
          format("{} of {} stands twice in the run", seen.name, syscalls::arch_name(seen.arch)));
    }
    run.syscalls.push_back(std::move(seen));
  }
  return {};
}

Result<void> read_completeness(const View& object, Run& run) {
  TRY_ASSIGN(const View complete, object.at("complete"));
  TRY_ASSIGN(run.complete, complete.boolean());
  TRY_ASSIGN(const View lost, object.at("lost"));
  TRY_ASSIGN(run.lost, counters(lost, "a kind of loss", is_word));
  for (const auto& [kind, count] : run.lost) {
    if (run.complete && count != 0) {
      return complete.error(
          format("the run says that it is complete, and that it lost {} {}", count, kind));
    }
  }
  return {};
}

Result<void> read_provenance(const View& object, Run& run) {
  TRY_ASSIGN(const View id, object.at("id"));
  TRY_ASSIGN(run.id, id.string());
  if (!is_run_id(run.id)) return id.error("an id is 16 to 64 characters of 0-9, a-f and -");
  TRY_ASSIGN(const View source, object.at("source"));
  TRY_ASSIGN(run.source, word(source));
  TRY_ASSIGN(const View arch_view, object.at("arch"));
  TRY_ASSIGN(run.arch, arch(arch_view));
  TRY_ASSIGN(run.kernel, line_or(object, "kernel", ""));
  TRY_ASSIGN(run.started, line_or(object, "started", ""));
  TRY_ASSIGN(run.duration, seconds_or_zero(object, "duration"));
  TRY_ASSIGN(const View timing, object.at("timing"));
  TRY_ASSIGN(run.timing, timing.string());
  if (run.timing != "native" && run.timing != "perturbed") {
    return timing.error("\"native\" or \"perturbed\" is expected here");
  }
  TRY_ASSIGN(run.under, line_or(object, "under", "none"));
  TRY_ASSIGN(run.command,
             texts_of(object, "command", [](const View& view) { return view.string(); }));
  TRY_ASSIGN(run.container, line_or(object, "container", ""));
  TRY_ASSIGN(run.image, line_or(object, "image", ""));
  TRY_ASSIGN(run.runtime, line_or(object, "runtime", ""));
  TRY_ASSIGN(run.part, line_or(object, "part", ""));
  TRY_ASSIGN(run.notes, texts_of(object, "notes", line));
  TRY_ASSIGN(const std::optional<View> exit, object.find("exit"));
  if (exit && !exit->value().is_null()) {
    TRY_ASSIGN(const std::uint64_t status, exit->u64(255));
    run.exit = static_cast<int>(status);
  }
  return {};
}

Result<Run> read_run(const View& object) {
  Run run;
  TRY(read_provenance(object, run));
  TRY(read_completeness(object, run));
  TRY(read_observations(object, run));
  return canonical(std::move(run));
}

Result<void> check_schema(const View& root) {
  TRY_ASSIGN(const std::optional<View> schema, root.find("schema"));
  const char* const hint = "evidence is what `whittle record` and `whittle merge` write";
  if (!schema) return root.error("not an evidence file: the key \"schema\" is missing", hint);
  TRY_ASSIGN(const std::string text, schema->string());
  if (text == kSchema) return {};
  if (text.starts_with("whittle.evidence/")) {
    return schema->error(format("this whittle reads {}, not {}", kSchema, printable(text)),
                         "use the whittle that wrote the file, or a newer one");
  }
  return schema->error(format("not an evidence file: its schema is \"{}\"", printable(text)), hint);
}

}  // namespace

Result<Evidence> read(std::string_view text, std::string_view place) {
  TRY_ASSIGN(const json::Value document, json::parse(text, place, kLimits));
  const View root(document, std::string(place));
  TRY(check_schema(root));
  Evidence evidence;
  TRY_ASSIGN(const View workload, root.at("workload"));
  TRY_ASSIGN(evidence.workload, line(workload));
  TRY_ASSIGN(const View runs, root.at("runs"));
  TRY_ASSIGN(const std::vector<View> items, runs.items());
  std::set<std::string> ids;
  for (const View& item : items) {
    TRY_ASSIGN(Run run, read_run(item));
    if (!ids.insert(run.id).second) {
      return item.error(format("the run {} stands twice", run.id),
                        "`whittle merge` joins files and keeps one run of each id");
    }
    evidence.runs.push_back(std::move(run));
  }
  return merge({&evidence, 1});
}

}  // namespace whittle::evidence
