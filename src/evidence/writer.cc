// Evidence as JSON text: docs/evidence.md.
#include "base/text.h"
#include "evidence/canonical.h"
#include "evidence/evidence.h"

namespace whittle::evidence {

namespace {

json::Value hex(std::uint64_t value) { return format("{:#x}", value); }

json::Value strings(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

json::Value counters(const std::map<std::string, std::uint64_t>& counts) {
  json::Value object = json::Object();
  for (const auto& [name, count] : counts) object.set(name, count);
  return object;
}

json::Value argument_to_json(const ArgumentValues& argument) {
  json::Array values;
  json::Array hexes;
  for (const std::uint64_t value : argument.values) {
    values.emplace_back(value);
    hexes.push_back(hex(value));
  }
  json::Value object;
  object.set("index", argument.index);
  object.set("kind", syscalls::kind_name(argument.kind));
  object.set("closed", argument.closed);
  object.set("values", std::move(values));
  object.set("hex", std::move(hexes));
  return object;
}

json::Value tuple_to_json(const TupleValues& tuple) {
  json::Array values;
  json::Array hexes;
  for (const std::vector<std::uint64_t>& value : tuple.values) {
    values.emplace_back(json::Array(value.begin(), value.end()));
    json::Array row;
    for (const std::uint64_t v : value) row.push_back(hex(v));
    hexes.emplace_back(std::move(row));
  }
  json::Value object;
  object.set("indexes", json::Array(tuple.indexes.begin(), tuple.indexes.end()));
  object.set("closed", tuple.closed);
  object.set("values", std::move(values));
  object.set("hex", std::move(hexes));
  return object;
}

// The build id of each object of a run. Of two objects with one path the first; frames of the other
// say their own.
using BuildIds = std::map<std::string, std::string>;

BuildIds build_ids_of(const Run& run) {
  BuildIds ids;
  for (const Observation& seen : run.syscalls) {
    for (const Stack& stack : seen.stacks) {
      for (const Frame& frame : stack.frames) {
        if (!frame.build_id.empty()) ids.emplace(frame.object, frame.build_id);
      }
    }
  }
  return ids;
}

json::Value frame_to_json(const Frame& frame, const BuildIds& build_ids) {
  json::Value object;
  object.set("object", frame.object);
  const auto known = build_ids.find(frame.object);
  if (known != build_ids.end() && known->second != frame.build_id) {
    object.set("build_id", frame.build_id);
  }
  object.set("offset", frame.offset);
  object.set("symbol", frame.symbol);
  return object;
}

json::Value stack_to_json(const Stack& stack, const BuildIds& build_ids) {
  json::Array hexes;
  for (const std::uint64_t value : stack.values) hexes.push_back(hex(value));
  json::Array frames;
  for (const Frame& frame : stack.frames) frames.push_back(frame_to_json(frame, build_ids));
  json::Value object;
  object.set("indexes", json::Array(stack.indexes.begin(), stack.indexes.end()));
  object.set("values", json::Array(stack.values.begin(), stack.values.end()));
  object.set("hex", std::move(hexes));
  object.set("comm", stack.comm);
  object.set("frames", std::move(frames));
  return object;
}

json::Value refusal_to_json(const Refusal& refusal) {
  json::Array hexes;
  for (const std::uint64_t value : refusal.args) hexes.push_back(hex(value));
  json::Value object;
  object.set("args", json::Array(refusal.args.begin(), refusal.args.end()));
  object.set("hex", std::move(hexes));
  object.set("error", refusal.error);
  object.set("phase", refusal.phase);
  object.set("comm", refusal.comm);
  object.set("count", refusal.count);
  return object;
}

json::Value observation_to_json(const Observation& seen, const BuildIds& build_ids) {
  json::Array args;
  for (const ArgumentValues& argument : seen.args) args.push_back(argument_to_json(argument));
  json::Array tuples;
  for (const TupleValues& tuple : seen.tuples) tuples.push_back(tuple_to_json(tuple));
  json::Value object;
  object.set("arch", syscalls::arch_name(seen.arch));
  object.set("name", seen.name);
  object.set("nr", seen.nr);
  object.set("count", seen.count);
  if (seen.refused != 0) object.set("refused", seen.refused);
  object.set("first", seen.first);
  object.set("last", seen.last);
  object.set("phases", strings(seen.phases));
  object.set("errnos", counters(seen.errnos));
  object.set("args", std::move(args));
  object.set("tuples", std::move(tuples));
  if (!seen.refusals.empty()) {
    json::Array refusals;
    for (const Refusal& refusal : seen.refusals) refusals.push_back(refusal_to_json(refusal));
    object.set("refusals", std::move(refusals));
    object.set("refusals_closed", seen.refusals_closed);
  }
  if (!seen.stacks.empty()) {
    json::Array stacks;
    for (const Stack& stack : seen.stacks) stacks.push_back(stack_to_json(stack, build_ids));
    object.set("stacks", std::move(stacks));
  }
  return object;
}

json::Value observations_to_json(const std::vector<Observation>& all, const BuildIds& build_ids) {
  json::Array array;
  for (const Observation& seen : all) array.push_back(observation_to_json(seen, build_ids));
  return array;
}

}  // namespace

json::Value run_to_json(const Run& run) {
  json::Value object;
  object.set("id", run.id);
  object.set("source", run.source);
  object.set("arch", syscalls::arch_name(run.arch));
  object.set("kernel", run.kernel);
  object.set("started", run.started);
  object.set("duration", run.duration);
  object.set("complete", run.complete);
  object.set("lost", counters(run.lost));
  object.set("timing", run.timing);
  object.set("under", run.under);
  object.set("command", strings(run.command));
  if (!run.container.empty()) object.set("container", run.container);
  if (!run.image.empty()) object.set("image", run.image);
  if (!run.runtime.empty()) object.set("runtime", run.runtime);
  if (!run.part.empty()) object.set("part", run.part);
  object.set("exit", run.exit ? json::Value(*run.exit) : json::Value());
  object.set("notes", strings(run.notes));
  const BuildIds build_ids = build_ids_of(run);
  if (!build_ids.empty()) {
    json::Value object_ids = json::Object();
    for (const auto& [path, id] : build_ids) object_ids.set(path, id);
    object.set("build_ids", std::move(object_ids));
  }
  object.set("syscalls", observations_to_json(run.syscalls, build_ids));
  return object;
}

std::string write(const Evidence& evidence) {
  const Evidence sorted = merge({&evidence, 1});
  json::Array runs;
  for (const Run& run : sorted.runs) runs.push_back(run_to_json(run));
  json::Value document;
  document.set("schema", "whittle.evidence/v1");
  document.set("workload", sorted.workload);
  document.set("runs", std::move(runs));
  document.set("syscalls", observations_to_json(sorted.syscalls(), {}));
  return json::dump(document) + "\n";
}

}  // namespace whittle::evidence
