#include "deploy/known_failures.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>

#include "base/embedded.h"
#include "base/json.h"
#include "base/text.h"

WHITTLE_EMBEDDED(known_failures_json)

namespace whittle::deploy {

namespace {

constexpr std::string_view kSchema = "whittle.known-failures/v1";
constexpr std::size_t kMostOfLine = 8192;
constexpr int kMostStarts = 64;  // places in a line where a pattern is tried

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// A pattern taken apart: each piece is what may stand before its literal, and the literal.
struct Piece {
  bool anything = false;  // a `*` before the literal
  std::string name;       // a `{name}` before the literal; empty: none
  std::vector<std::string> words;
  std::string literal;  // in lower case; may be empty at the end
};

Piece capture_piece(std::string_view inside) {
  Piece piece;
  const std::size_t colon = inside.find(':');
  piece.name = inside.substr(0, colon);
  if (colon != std::string_view::npos) piece.words = split(inside.substr(colon + 1), '|');
  return piece;
}

std::vector<Piece> pieces_of(std::string_view pattern) {
  std::vector<Piece> pieces(1);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::size_t close = pattern[i] == '{' ? pattern.find('}', i) : std::string_view::npos;
    if (pattern[i] == '*') {
      pieces.emplace_back().anything = true;
    } else if (close != std::string_view::npos) {
      pieces.push_back(capture_piece(pattern.substr(i + 1, close - i - 1)));
      i = close;
    } else {
      pieces.back().literal += lower(pattern.substr(i, 1));
    }
  }
  return pieces;
}

// Where what a capture keeps ends: before the literal that follows it.
std::optional<std::size_t> capture_end(const Piece& piece, std::string_view folded,
                                       std::size_t at) {
  const bool quoted = piece.literal.starts_with('"') || piece.literal.starts_with('`');
  std::size_t end = std::string_view::npos;
  if (piece.literal.empty()) {
    end = std::min(folded.find_first_of(" \t\"'`", at), folded.size());
  } else {
    end = folded.find(piece.literal, at);
  }
  if (end == std::string_view::npos || end == at) return std::nullopt;
  const std::string_view kept = folded.substr(at, end - at);
  if (!quoted && kept.find_first_of(" \t") != std::string_view::npos) return std::nullopt;
  const bool listed = piece.words.empty() ||
                      std::find(piece.words.begin(), piece.words.end(), kept) != piece.words.end();
  return listed ? std::optional(end) : std::nullopt;
}

bool matches_from(std::span<const Piece> pieces, std::string_view line, std::string_view folded,
                  std::size_t at, std::map<std::string, std::string>& captures) {
  for (const Piece& piece : pieces) {
    if (!piece.name.empty()) {
      const auto end = capture_end(piece, folded, at);
      if (!end) return false;
      captures[piece.name] = std::string(line.substr(at, *end - at));
      at = *end;
    } else if (piece.anything) {
      at = folded.find(piece.literal, at);
      if (at == std::string_view::npos) return false;
    } else if (!folded.substr(at).starts_with(piece.literal)) {
      return false;
    }
    at += piece.literal.size();
  }
  return true;
}

bool found_in(std::span<const Piece> pieces, std::string_view line, std::string_view folded,
              std::map<std::string, std::string>& captures) {
  std::size_t at = folded.find(pieces[0].literal);
  for (int i = 0; i < kMostStarts && at != std::string_view::npos; ++i) {
    std::map<std::string, std::string> kept;
    if (matches_from(pieces, line, folded, at, kept)) {
      captures.merge(kept);
      return true;
    }
    at = folded.find(pieces[0].literal, at + 1);
  }
  return false;
}

Result<std::vector<std::string>> strings_at(const json::View& view, std::string_view key) {
  std::vector<std::string> strings;
  TRY_ASSIGN(const auto member, view.find(key));
  if (!member) return strings;
  TRY_ASSIGN(const auto items, member->items());
  for (const json::View& item : items) {
    TRY_ASSIGN(std::string text, item.string());
    strings.push_back(std::move(text));
  }
  return strings;
}

Result<FailureSign> read_sign(const json::View& view) {
  constexpr auto kKeys = std::to_array<const char*>({"all", "calls"});
  const std::vector<std::string> keys(kKeys.begin(), kKeys.end());
  TRY(view.only(keys));
  FailureSign sign;
  TRY_ASSIGN(sign.all, strings_at(view, "all"));
  TRY_ASSIGN(sign.calls, strings_at(view, "calls"));
  const bool bad = std::any_of(sign.all.begin(), sign.all.end(), [](const std::string& pattern) {
    return pattern.empty() || pattern[0] == '*' || pattern[0] == '{';
  });
  if (sign.all.empty() || bad) return view.error("a sign needs patterns that begin with a letter");
  return sign;
}

Result<KnownFailure> read_failure(const json::View& view) {
  const std::vector<std::string> keys = {"id",    "title", "general", "when",
                                         "shows", "why",   "fix",     "sources"};
  TRY(view.only(keys));
  KnownFailure failure;
  for (const auto& [key, into] :
       {std::pair("id", &failure.id), std::pair("title", &failure.title),
        std::pair("shows", &failure.shows), std::pair("why", &failure.why)}) {
    TRY_ASSIGN(const json::View member, view.at(key));
    TRY_ASSIGN(*into, member.string());
  }
  TRY_ASSIGN(const auto general, view.find("general"));
  if (general) {
    TRY_ASSIGN(failure.general, general->boolean());
  }
  TRY_ASSIGN(failure.fix, strings_at(view, "fix"));
  TRY_ASSIGN(failure.sources, strings_at(view, "sources"));
  if (failure.fix.empty() || failure.sources.empty()) {
    return view.error("a failure needs a fix and a source");
  }
  TRY_ASSIGN(const json::View when, view.at("when"));
  TRY_ASSIGN(const auto signs, when.items());
  for (const json::View& item : signs) {
    TRY_ASSIGN(FailureSign sign, read_sign(item));
    failure.when.push_back(std::move(sign));
  }
  return failure;
}

struct FoldedLine {
  std::string_view text;
  std::string folded;
};

// Does the sign hold? Then what it shows.
std::optional<FailureMatch> match_sign(const FailureSign& sign, std::span<const FoldedLine> lines) {
  FailureMatch match;
  match.calls = sign.calls;
  for (const std::string& pattern : sign.all) {
    const std::vector<Piece> pieces = pieces_of(pattern);
    const auto line = std::find_if(lines.begin(), lines.end(), [&](const FoldedLine& one) {
      return found_in(pieces, one.text, one.folded, match.captures);
    });
    if (line == lines.end()) return std::nullopt;
    match.shown.push_back(
        {static_cast<std::size_t>(line - lines.begin()) + 1, std::string(line->text)});
  }
  return match;
}

}  // namespace

bool pattern_in(std::string_view pattern, std::string_view line,
                std::map<std::string, std::string>& captures) {
  line = line.substr(0, kMostOfLine);
  return found_in(pieces_of(pattern), line, lower(line), captures);
}

Result<std::vector<KnownFailure>> read_known_failures(std::string_view text,
                                                      std::string_view place) {
  TRY_ASSIGN(const json::Value document, json::parse(text, place));
  const json::View root(document, std::string(place));
  const std::vector<std::string> keys = {"schema", "failures"};
  TRY(root.only(keys));
  TRY_ASSIGN(const json::View schema, root.at("schema"));
  TRY_ASSIGN(const std::string name, schema.string());
  if (name != kSchema) return schema.error(format("the schema is not {}", kSchema));
  TRY_ASSIGN(const json::View failures, root.at("failures"));
  TRY_ASSIGN(const auto items, failures.items());
  std::vector<KnownFailure> known;
  std::set<std::string> ids;
  for (const json::View& item : items) {
    TRY_ASSIGN(KnownFailure failure, read_failure(item));
    if (!ids.insert(failure.id).second) {
      return item.error(format("the id \"{}\" stands twice", printable(failure.id)));
    }
    known.push_back(std::move(failure));
  }
  return known;
}

Result<std::vector<KnownFailure>> known_failures() {
  return read_known_failures(embedded_known_failures_json(), "known-failures.json");
}

const KnownFailure* failure_of(std::span<const KnownFailure> known, std::string_view id) {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [id](const KnownFailure& failure) { return failure.id == id; });
  return found == known.end() ? nullptr : &*found;
}

std::vector<FailureMatch> match_failures(std::span<const KnownFailure> known,
                                         std::span<const std::string> lines) {
  std::vector<FoldedLine> folded;
  folded.reserve(lines.size());
  for (const std::string& line : lines) {
    const auto text = std::string_view(line).substr(0, kMostOfLine);
    folded.push_back({text, lower(text)});
  }
  std::vector<FailureMatch> matches;
  for (const bool general : {false, true}) {
    for (const KnownFailure& failure : known) {
      if (failure.general != general) continue;
      for (const FailureSign& sign : failure.when) {
        auto match = match_sign(sign, folded);
        if (!match) continue;
        match->failure = &failure;
        matches.push_back(*std::move(match));
        break;
      }
    }
  }
  return matches;
}

}  // namespace whittle::deploy
