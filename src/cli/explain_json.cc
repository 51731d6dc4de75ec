#include "base/text.h"
#include "cli/explain_report.h"
#include "syscalls/arguments.h"

namespace whittle::cli {

namespace {

using review::Explanation;
using review::Exposure;

json::Value strings(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

template <typename Numbers>
json::Value numbers(const Numbers& values) {
  json::Array list;
  for (const auto value : values) list.emplace_back(value);
  return list;
}

template <typename Numbers>
json::Value hex(const Numbers& values) {
  json::Array list;
  for (const std::uint64_t value : values) list.emplace_back(format("{:#x}", value));
  return list;
}

json::Value verdict_json(const review::Verdict& verdict) {
  json::Value object;
  object.set("verdict", review::answer_name(verdict.answer));
  object.set("text", verdict.text);
  object.set("conditions", strings(verdict.conditions));
  object.set("values", strings(verdict.values));
  return object;
}

json::Value reasons_json(const std::vector<generate::Reason>& reasons) {
  json::Array list;
  for (const generate::Reason& reason : reasons) {
    json::Value object;
    object.set("because", generate::because_name(reason.because));
    object.set("text", reason.text);
    list.push_back(std::move(object));
  }
  return list;
}

json::Value left_out_json(const std::vector<generate::LeftOut>& entries) {
  json::Array list;
  for (const generate::LeftOut& entry : entries) {
    json::Value object;
    object.set("value", entry.value);
    object.set("why", entry.why);
    object.set("fix", entry.fix);
    list.push_back(std::move(object));
  }
  return list;
}

json::Value args_json(const std::string& syscall,
                      const std::vector<evidence::ArgumentValues>& args) {
  json::Array list;
  for (const evidence::ArgumentValues& one : args) {
    json::Value object;
    object.set("index", one.index);
    object.set("kind", syscalls::kind_name(one.kind));
    object.set("closed", one.closed);
    object.set("values", numbers(one.values));
    object.set("hex", hex(one.values));
    object.set("symbols", strings(seen_values(syscall, one)));
    list.push_back(std::move(object));
  }
  return list;
}

json::Value tuples_json(const std::string& syscall,
                        const std::vector<evidence::TupleValues>& tuples) {
  json::Array list;
  for (const evidence::TupleValues& one : tuples) {
    json::Array values;
    json::Array in_hex;
    for (const auto& tuple : one.values) {
      values.push_back(numbers(tuple));
      in_hex.push_back(hex(tuple));
    }
    json::Value object;
    object.set("indexes", numbers(one.indexes));
    object.set("closed", one.closed);
    object.set("values", std::move(values));
    object.set("hex", std::move(in_hex));
    object.set("symbols", strings(seen_values(syscall, one)));
    list.push_back(std::move(object));
  }
  return list;
}

json::Value stacks_json(const std::vector<evidence::Stack>& stacks) {
  json::Array list;
  for (const evidence::Stack& stack : stacks) {
    json::Array frames;
    for (const evidence::Frame& frame : stack.frames) {
      json::Value object;
      object.set("object", frame.object);
      if (!frame.build_id.empty()) object.set("build_id", frame.build_id);
      object.set("offset", frame.offset);
      object.set("symbol", frame.symbol);
      frames.push_back(std::move(object));
    }
    json::Value object;
    object.set("indexes", numbers(stack.indexes));
    object.set("values", numbers(stack.values));
    object.set("hex", hex(stack.values));
    object.set("comm", stack.comm);
    object.set("origin", origin_text(stack));
    object.set("frames", std::move(frames));
    list.push_back(std::move(object));
  }
  return list;
}

json::Value refusals_json(const std::vector<evidence::Refusal>& refusals) {
  json::Array list;
  for (const evidence::Refusal& refusal : refusals) {
    json::Value object;
    object.set("args", numbers(refusal.args));
    object.set("hex", hex(refusal.args));
    object.set("error", refusal.error);
    object.set("phase", refusal.phase);
    object.set("comm", refusal.comm);
    object.set("count", refusal.count);
    list.push_back(std::move(object));
  }
  return list;
}

json::Value seen_json(const Explanation& one) {
  if (!one.seen) return nullptr;
  const review::Seen& seen = *one.seen;
  json::Value errnos{json::Object{}};
  for (const auto& [name, count] : seen.total.errnos) errnos.set(name, count);
  json::Value object;
  object.set("count", seen.total.count);
  object.set("needed", seen.needed);
  object.set("refused", seen.total.refused);
  object.set("only_failed", seen.only_failed);
  object.set("run", seen.first_run);
  object.set("first", seen.first);
  object.set("last", seen.total.last);
  object.set("phases", strings(seen.total.phases));
  object.set("threads", strings(seen.threads));
  object.set("programs", strings(seen.programs));
  object.set("errnos", std::move(errnos));
  object.set("args", args_json(one.syscall, seen.total.args));
  object.set("tuples", tuples_json(one.syscall, seen.total.tuples));
  object.set("stacks", stacks_json(seen.stacks));
  object.set("refusals", refusals_json(seen.refusals));
  return object;
}

json::Value exposure_json(const Exposure& exposure) {
  constexpr std::string_view kKinds[] = {"subsystem", "notable", "danger", "exploit"};
  json::Value object;
  object.set("kind", kKinds[static_cast<std::size_t>(exposure.kind)]);
  object.set("text", exposure.text);
  if (exposure.kind == Exposure::Kind::kDanger) {
    object.set("severity", review::severity_name(exposure.severity));
  }
  if (exposure.kind == Exposure::Kind::kExploit) {
    object.set("cve", exposure.cve);
    object.set("step", exposure.step);
    object.set("open", exposure.open);
  }
  return object;
}

json::Value call_json(const Explanation& one, const std::string& base_name) {
  json::Value object;
  object.set("arch", syscalls::arch_name(one.arch));
  object.set("syscall", one.syscall);
  object.set("nr", one.nr);
  object.set("purpose", one.purpose == nullptr ? json::Value() : json::Value(one.purpose->text));
  object.set("group", one.purpose == nullptr ? json::Value() : json::Value(one.purpose->group));
  object.set("verdict", review::answer_name(one.verdict.answer));
  object.set("text", one.verdict.text);
  object.set("conditions", strings(one.verdict.conditions));
  object.set("values", strings(one.verdict.values));
  object.set("reasons", reasons_json(one.reasons));
  object.set("left_out", left_out_json(one.left_out));
  object.set("missing", one.missing);
  object.set("missing_values", strings(one.missing_values));
  object.set("evidence", seen_json(one));
  json::Array exposes;
  for (const Exposure& exposure : one.exposes) exposes.push_back(exposure_json(exposure));
  object.set("exposes", std::move(exposes));
  if (one.base) {
    json::Value base = verdict_json(*one.base);
    base.set("id", base_name);
    object.set("base", std::move(base));
  } else {
    object.set("base", nullptr);
  }
  return object;
}

}  // namespace

json::Value explain_json(const Explained& explained) {
  json::Value value;
  if (!explained.profile.empty()) value.set("profile", explained.profile);
  if (!explained.evidence.empty()) value.set("evidence", explained.evidence);
  value.set("base", explained.base);
  json::Array calls;
  for (const Explanation& one : explained.calls) {
    calls.push_back(call_json(one, explained.base));
  }
  value.set("calls", std::move(calls));
  return value;
}

}  // namespace whittle::cli
