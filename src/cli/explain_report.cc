#include "cli/explain_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

namespace {

using review::Answer;
using review::Explanation;
using review::Exposure;

constexpr std::size_t kColumns = 100;
constexpr std::size_t kMostValues = 6;  // in the list; the detail has all
constexpr std::size_t kMostExploits = 4;

// The same call on several ABIs.
using Call = std::vector<const Explanation*>;

std::string wrapped(const std::string& text, std::string_view indent) {
  std::string out(indent);
  std::size_t column = indent.size();
  bool first = true;
  for (const std::string& word : split(text, ' ')) {
    if (!first && column + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent);
      column = indent.size();
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    first = false;
  }
  return out + "\n";
}

std::string some(const std::vector<std::string>& texts, std::size_t most) {
  if (texts.size() <= most) return join(texts, "; ");
  return format("{}; and {} more", join(std::span(texts).first(most), "; "), texts.size() - most);
}

// "x86_64, aarch64"
std::string arches_of(const Call& call) {
  std::vector<std::string> names;
  for (const Explanation* one : call) names.emplace_back(syscalls::arch_name(one->arch));
  return join(names, ", ");
}

// One text for each ABI, ABIs of one text together: "allow", "x86_64: allow. aarch64: errno EPERM".
template <typename Text>
std::string by_arch(const Call& call, const Text& text) {
  std::vector<std::pair<std::string, Call>> groups;
  for (const Explanation* one : call) {
    const std::string said = text(*one);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&said](const auto& other) { return other.first == said; });
    if (group == groups.end()) group = groups.insert(group, {said, {}});
    group->second.push_back(one);
  }
  if (groups.size() == 1) return groups.front().first;
  std::vector<std::string> parts;
  for (const auto& [said, arches] : groups) {
    if (!said.empty()) parts.push_back(arches_of(arches) + ": " + said);
  }
  return join(parts, ". ");
}

// In the symbols of the call where that can be said: "allow with (AF_INET, SOCK_STREAM, 0), else
// errno EPERM".
std::string verdict_words(const review::Verdict& verdict) {
  if (verdict.values.empty()) return verdict.text;
  std::vector<std::string> texts;
  for (const std::string& values : verdict.values) texts.push_back("(" + values + ")");
  return format("allow with {}, else {}", join(texts, "; "), verdict.otherwise);
}

std::string verdict_text(const Explanation& one) {
  std::string words = verdict_words(one.verdict);
  if (one.missing) return words + ", although the evidence needs it";
  if (one.missing_values.empty()) return words;
  return format("{}, although the evidence has {}", words, some(one.missing_values, kMostValues));
}

std::string base_text(const Explanation& one) {
  return one.base ? verdict_words(*one.base) : std::string("no base for this architecture");
}

std::string unexplained(const Explained& explained, const Explanation& one) {
  if (explained.evidence.empty()) {
    return "no evidence was given, and whittle does not put it into every profile";
  }
  return one.seen && one.seen->needed > 0
             ? "the evidence needs it"
             : "nothing in the evidence needs it: added by hand, or by an option of generate";
}

// Why the call is in the profile, as far as that is known.
std::string known_why(const Call& call) {
  std::vector<std::string> texts;
  const auto add = [&texts](std::string text) {
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
      texts.push_back(std::move(text));
    }
  };
  for (const Explanation* one : call) {
    for (const generate::Reason& reason : one->reasons) add(reason.text);
    for (const generate::LeftOut& entry : one->left_out) {
      add(format("left out{}: {}{}", entry.value.empty() ? "" : " (" + entry.value + ")", entry.why,
                 entry.fix.empty() ? "" : ", admitted by " + entry.fix));
    }
  }
  return join(texts, "; ");
}

bool is_open(const Call& call) {
  return std::any_of(call.begin(), call.end(), [](const Explanation* one) {
    return one->verdict.answer != Answer::kRefused;
  });
}

// The same, or that it is not known; empty for what is refused without anybody's wish.
std::string why_text(const Explained& explained, const Call& call) {
  const std::string why = known_why(call);
  return why.empty() && is_open(call) ? unexplained(explained, *call.front()) : why;
}

std::string errnos_text(const evidence::Observation& total) {
  std::vector<std::string> texts;
  for (const auto& [name, count] : total.errnos) texts.push_back(format("{} {}", name, count));
  return join(texts, ", ");
}

// "every one failed: ENOENT 12", "3 of 5 refused while recording"; empty when there is nothing.
std::string results_text(const review::Seen& seen) {
  std::vector<std::string> texts;
  if (seen.total.refused > 0) {
    texts.push_back(format("{} of {} refused by the filter it was recorded under",
                           seen.total.refused, seen.total.count));
  }
  if (seen.only_failed) texts.push_back("every call failed: " + errnos_text(seen.total));
  return join(texts, "; ");
}

std::vector<std::string> all_values(const Explanation& one) {
  std::vector<std::string> texts;
  for (const auto& values : one.seen->total.args) {
    for (std::string& text : seen_values(one.syscall, values)) texts.push_back(std::move(text));
  }
  for (const auto& values : one.seen->total.tuples) {
    for (std::string& text : seen_values(one.syscall, values)) {
      texts.push_back("(" + std::move(text) + ")");
    }
  }
  return texts;
}

// Who made it, from where, with what.
std::string seen_text(const Explanation& one) {
  if (!one.seen) return {};
  std::vector<std::string> texts;
  if (!one.seen->threads.empty()) texts.push_back("by " + join(one.seen->threads, ", "));
  if (!one.seen->stacks.empty()) {
    const std::string origin = origin_text(one.seen->stacks.front());
    if (!origin.empty()) texts.push_back("first from " + origin);
  }
  const auto values = all_values(one);
  if (!values.empty()) texts.push_back("with " + some(values, kMostValues));
  const std::string results = results_text(*one.seen);
  if (!results.empty()) texts.push_back(results);
  return printable(join(texts, ", "), 4096);
}

// By step: how many exploits it opens, and how many of these nothing else stops.
std::vector<std::string> exploits_texts(const std::vector<Exposure>& exposes, std::size_t most) {
  std::map<std::string, std::vector<const Exposure*>> steps;
  for (const Exposure& one : exposes) {
    if (one.kind == Exposure::Kind::kExploit) steps[one.step].push_back(&one);
  }
  std::vector<std::string> texts;
  for (const auto& [step, exploits] : steps) {
    std::vector<std::string> open;
    for (const Exposure* one : exploits) {
      if (one->open) open.push_back(one->cve);
    }
    const std::string needing = plural(exploits.size(), "known exploit");
    texts.push_back(format("step {} of {} ({}), {}", step, needing, exploits.front()->text,
                           open.empty() ? "all stopped elsewhere" : "open: " + some(open, most)));
  }
  return texts;
}

std::string exposes_text(const Call& call) {
  std::set<std::string> said;
  std::vector<std::string> texts;
  for (const Explanation* one : call) {
    for (const Exposure& exposure : one->exposes) {
      const bool notable =
          exposure.kind == Exposure::Kind::kNotable || exposure.kind == Exposure::Kind::kDanger;
      if (notable && said.insert(exposure.text).second) texts.push_back(exposure.text);
    }
    for (std::string& text : exploits_texts(one->exposes, kMostExploits)) {
      if (said.insert(text).second) texts.push_back(std::move(text));
    }
  }
  return join(texts, "; ");
}

std::string paragraph(const Explained& explained, const Call& call) {
  const Explanation& first = *call.front();
  std::string text = first.purpose == nullptr ? std::string("a number without a name")
                                              : std::string(first.purpose->text);
  text += ".";
  const auto add = [&text](std::string_view label, const std::string& what) {
    if (!what.empty()) text += format(" {}: {}.", label, what);
  };
  add("Profile", by_arch(call, verdict_text));
  // Without evidence that would be the same words at nearly every call.
  add("Why", explained.evidence.empty() ? known_why(call) : why_text(explained, call));
  add("Seen", by_arch(call, seen_text));
  add("Exposes", exposes_text(call));
  add("Base", by_arch(call, base_text));
  return "  " + bold(printable(first.syscall)) + dim(" (" + arches_of(call) + ")") + "\n" +
         wrapped(text, "    ");
}

std::map<std::string_view, Call> by_name(const Explained& explained) {
  std::map<std::string_view, Call> calls;
  for (const Explanation& one : explained.calls) calls[one.syscall].push_back(&one);
  return calls;
}

std::string heading(const Explained& explained, std::size_t open, std::size_t refused) {
  std::string text = explained.profile.empty()
                         ? format("what generate makes of {}", printable(explained.evidence, 4096))
                         : printable(explained.profile, 4096);
  text = bold(text) + format(": {} allowed", plural(open, "call"));
  if (refused > 0) text += format(", {} more refused by name or in the evidence", refused);
  return text + format("; base: {}\n", explained.base);
}

// --- the detail of a call ---

std::string frames_text(const evidence::Stack& stack) {
  std::string text;
  for (const evidence::Frame& frame : stack.frames) {
    text += format("      {}+{:#x}{}{}\n", object_text(frame), frame.offset,
                   frame.symbol.empty() ? "" : " ", printable(frame.symbol, 300));
  }
  return text;
}

std::string stack_text(const Explanation& one, const evidence::Stack& stack) {
  std::string what = "first call";
  if (stack.indexes.size() == 1) {
    what =
        "first with " +
        seen_values(one.syscall,
                    evidence::ArgumentValues{
                        stack.indexes[0], syscalls::ArgumentKind::kEnum, true, {stack.values[0]}})
            .front();
  } else if (!stack.indexes.empty()) {
    what = "first with (" +
           seen_values(one.syscall, evidence::TupleValues{stack.indexes, true, {stack.values}})
               .front() +
           ")";
  }
  return format("    {}{}:\n", what, stack.comm.empty() ? "" : ", thread " + printable(stack.comm));
}

// Stacks of the same frames are printed once, under all that they are of.
std::string stacks_text(const Explanation& one) {
  const auto& stacks = one.seen->stacks;
  std::vector<bool> done(stacks.size());
  std::string text;
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    if (done[i]) continue;
    for (std::size_t j = i; j < stacks.size(); ++j) {
      if (stacks[j].frames != stacks[i].frames) continue;
      text += stack_text(one, stacks[j]);
      done[j] = true;
    }
    text += frames_text(stacks[i]);
  }
  return text;
}

std::string values_lines(const Explanation& one) {
  std::string text;
  const auto add = [&text](const std::string& which, bool closed,
                           const std::vector<std::string>& values) {
    text += format("    {}: {}{}\n", which, join(values, "; "),
                   closed ? "" : " (and others that were not kept)");
  };
  for (const auto& values : one.seen->total.args) {
    add(format("arg{}", values.index), values.closed, seen_values(one.syscall, values));
  }
  for (const auto& values : one.seen->total.tuples) {
    std::vector<std::string> names;
    for (const unsigned index : values.indexes) names.push_back(format("arg{}", index));
    add(join(names, ", "), values.closed, seen_values(one.syscall, values));
  }
  return text;
}

std::string seen_lines(const Explanation& one) {
  const review::Seen& seen = *one.seen;
  std::string text = format("  seen {} (needed {}) from {:.3f} s on in run {}, last at {:.3f} s\n",
                            plural(seen.total.count, "time"), seen.needed, seen.first,
                            seen.first_run.substr(0, 12), seen.total.last);
  const auto line = [&text](std::string_view label, const std::string& what) {
    if (!what.empty()) text += format("    {}: {}\n", label, printable(what, 4096));
  };
  line("phases", join(seen.total.phases, ", "));
  line("threads", join(seen.threads, ", "));
  line("programs", join(seen.programs, ", "));
  line("errors", errnos_text(seen.total));
  line("results", results_text(seen));
  text += values_lines(one);
  for (const evidence::Refusal& refusal : seen.refusals) {
    text += format("    refused {}: {} to {}{}\n", plural(refusal.count, "time"), refusal.error,
                   printable(refusal.comm.empty() ? "?" : refusal.comm),
                   refusal.phase.empty() ? "" : " in " + printable(refusal.phase));
  }
  return text + stacks_text(one);
}

std::string exposes_lines(const Explanation& one) {
  std::string text;
  for (const Exposure& exposure : one.exposes) {
    if (exposure.kind != Exposure::Kind::kExploit) text += wrapped(exposure.text, "    ");
  }
  for (const std::string& exploits : exploits_texts(one.exposes, SIZE_MAX)) {
    text += wrapped(exploits, "    ");
  }
  return text.empty() ? text : "  exposes\n" + text;
}

std::string call_detail(const Explained& explained, const Explanation& one) {
  std::string text =
      bold(printable(one.syscall)) + format(" {} on {}\n", one.nr, syscalls::arch_name(one.arch));
  if (one.purpose != nullptr) text += format("  {}\n", one.purpose->text);
  text += wrapped("profile: " + verdict_text(one), "  ");
  const std::string why = why_text(explained, {&one});
  if (!why.empty()) text += wrapped("why: " + why, "  ");
  if (one.seen) text += seen_lines(one);
  text += exposes_lines(one);
  return text + wrapped(format("base {}: {}", explained.base, base_text(one)), "  ");
}

}  // namespace

std::string explain_list(const Explained& explained) {
  const auto calls = by_name(explained);
  std::string text;
  std::size_t open = 0;
  for (const syscalls::Group& group : syscalls::groups()) {
    std::string paragraphs;
    for (const auto& [name, call] : calls) {
      const auto* purpose = call.front()->purpose;
      if (purpose == nullptr || purpose->group != group.name || !is_open(call)) continue;
      paragraphs += paragraph(explained, call);
      ++open;
    }
    if (paragraphs.empty()) continue;
    text += format("\n{}: {}\n{}", bold(group.title), group.subsystem, paragraphs);
  }
  std::string refused;
  for (const auto& [name, call] : calls) {
    if (is_open(call)) {
      if (call.front()->purpose != nullptr) continue;
      ++open;
    }
    refused += paragraph(explained, call);
  }
  if (!refused.empty()) text += format("\n{}\n{}", bold("Refused, or without a name"), refused);
  return heading(explained, open, calls.size() - open) + text;
}

std::string explain_detail(const Explained& explained) {
  std::string text;
  for (const Explanation& one : explained.calls) text += call_detail(explained, one);
  return text;
}

}  // namespace whittle::cli
