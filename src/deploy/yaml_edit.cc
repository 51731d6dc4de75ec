#include "deploy/yaml_edit.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/yaml_layout.h"
#include "deploy/edit_proof.h"

namespace whittle::deploy {

namespace {

using Node = yaml::LayoutNode;

constexpr std::size_t kStep = 2;  // of indentation

// The bytes from `offset` on, `length` of them, become `text`.
struct Splice {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string text;
};

using Lines = std::vector<std::string>;

void add_block(std::string_view key, std::size_t indent, const SeccompChoice& choice,
               Lines& lines) {
  const std::string blanks(indent, ' ');
  if (key == kType) {
    lines.push_back(blanks + "type: " + written(type_of(choice), false));
  } else if (key == kPath) {
    lines.push_back(blanks + "localhostProfile: " + written(choice.localhost, false));
  } else if (key == kProfile) {
    lines.push_back(blanks + "seccompProfile:");
    add_block(kType, indent + kStep, choice, lines);
    if (!choice.localhost.empty()) add_block(kPath, indent + kStep, choice, lines);
  } else {
    lines.push_back(blanks + "securityContext:");
    add_block(kProfile, indent + kStep, choice, lines);
  }
}

// A key of a map, with its value.
struct Entry {
  const Node* key = nullptr;
  const Node* value = nullptr;
  std::size_t index = 0;
};

std::optional<Entry> entry_of(const Node& map, std::string_view key) {
  if (!map.is_map()) return std::nullopt;
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i].kind == Node::Kind::kScalar && map.keys[i].text == key) {
      return Entry{&map.keys[i], &map.values[i], i};
    }
  }
  return std::nullopt;
}

class Editor {
 public:
  Editor(const Manifest& manifest, const SeccompChoice& choice)
      : text_(manifest.text), file_(manifest.file), choice_(choice) {}

  // `key`: the node that `target` is the value of; nullptr for an element of a list.
  Result<void> edit(const Node* key, const Node& target) {
    const auto context = entry_of(target, kContext);
    if (!context) return insert(key, target, kContext);
    if (context->value->kind == Node::Kind::kAlias)
      return {};  // the proof says whether that will do
    if (context->value->kind == Node::Kind::kNull) return replace_null(*context, kContext);
    const auto profile = entry_of(*context->value, kProfile);
    if (!profile) return insert(context->key, *context->value, kProfile);
    if (profile->value->kind == Node::Kind::kAlias) return {};
    if (profile->value->kind == Node::Kind::kNull) return replace_null(*profile, kProfile);
    return edit_profile(*profile);
  }

  Result<std::string> apply() {
    std::sort(splices_.begin(), splices_.end(),
              [](const Splice& a, const Splice& b) { return a.offset < b.offset; });
    std::string edited;
    std::size_t at = 0;
    for (const Splice& splice : splices_) {
      if (splice.offset < at) return input_error("two changes of one place", file_);
      edited.append(text_, at, splice.offset - at);
      edited += splice.text;
      at = splice.offset + splice.length;
    }
    return edited + text_.substr(at);
  }

  tl::unexpected<Error> refuse(const Node& node, std::string_view why) const {
    return input_error(format("this can't be edited in place: {}", why),
                       format("{}:{}", file_, node.line),
                       "write it by hand: " + choice_text(choice_));
  }

 private:
  std::size_t line_end(std::size_t offset) const {
    return std::min(text_.find('\n', offset), text_.size());
  }
  std::size_t line_begin(std::size_t offset) const {
    const std::size_t before = offset == 0 ? std::string::npos : text_.rfind('\n', offset - 1);
    return before == std::string::npos ? 0 : before + 1;
  }

  // Whether nothing but blanks and a comment stands from here to the end of the line.
  bool rest_is_blank(std::size_t offset) const {
    const std::string_view rest = std::string_view(text_).substr(offset, line_end(offset) - offset);
    const std::size_t at = rest.find_first_not_of(" \t\r");
    return at == std::string_view::npos || (rest[at] == '#' && (at > 0 || offset == 0));
  }

  // Where a scalar ends that stands on one line.
  std::optional<std::size_t> scalar_end(const Node& node) const {
    if (node.kind != Node::Kind::kScalar || node.decorated || node.offset >= text_.size()) {
      return std::nullopt;
    }
    const char quote = text_[node.offset];
    if (quote != '"' && quote != '\'') {
      if (node.text.empty() || text_.compare(node.offset, node.text.size(), node.text) != 0) {
        return std::nullopt;
      }
      return node.offset + node.text.size();
    }
    for (std::size_t i = node.offset + 1; i < line_end(node.offset); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != quote) return i + 1;
        ++i;
      }
    }
    return std::nullopt;
  }

  // Behind the colon of a key of a block map.
  std::optional<std::size_t> colon_end(const Node& key) const {
    const auto end = scalar_end(key);
    if (!end) return std::nullopt;
    const std::size_t colon = text_.find_first_not_of(" \t", *end);
    if (colon == std::string::npos || text_[colon] != ':') return std::nullopt;
    return colon + 1;
  }

  void insert_lines(std::size_t offset_on_line_before, const Lines& lines) {
    const std::size_t end = line_end(offset_on_line_before);
    const bool returns = end > 0 && text_[end - 1] == '\r';
    const std::string newline = returns ? "\r\n" : "\n";
    std::string added;
    if (end == text_.size()) {  // the last line has no end
      for (const std::string& line : lines) added += newline + line;
      splices_.push_back({end, 0, std::move(added)});
      return;
    }
    for (const std::string& line : lines) added += line + newline;
    splices_.push_back({end + 1, 0, std::move(added)});
  }

  Lines block(std::string_view member, std::size_t indent) const {
    Lines lines;
    add_block(member, indent, choice_, lines);
    return lines;
  }

  // Puts a new member into a map.
  Result<void> insert(const Node* key, const Node& map, std::string_view member) {
    if (map.kind == Node::Kind::kFlowMap) return insert_flow(map, member);
    if (map.kind != Node::Kind::kBlockMap) return refuse(map, "a mapping is expected here");
    // As the first member, when the map begins on a line of its own.
    if (key != nullptr && key->line < map.line) {
      const auto colon = colon_end(*key);
      if (colon && rest_is_blank(*colon)) {
        insert_lines(*colon, block(member, map.column));
        return {};
      }
    }
    // Else behind the first one that stands on one line.
    for (std::size_t i = 0; i < map.keys.size(); ++i) {
      if (map.keys[i].line != map.values[i].line) continue;
      const auto end = scalar_end(map.values[i]);
      if (!end || !rest_is_blank(*end)) continue;
      insert_lines(*end, block(member, map.column));
      return {};
    }
    return refuse(map, "there is no line in this mapping that another one could follow");
  }

  Result<void> insert_flow(const Node& map, std::string_view member) {
    if (map.decorated || map.offset >= text_.size() || text_[map.offset] != '{') {
      return refuse(map, "the mapping has an anchor or a tag");
    }
    const bool quoted = is_json_like(map);
    const std::string added =
        key_text(member, quoted) + (member == kType   ? written(type_of(choice_), quoted)
                                    : member == kPath ? written(choice_.localhost, quoted)
                                                      : flow_value(member, choice_, quoted));
    if (map.keys.empty()) {
      splices_.push_back({map.offset + 1, 0, added});
      return {};
    }
    const Node& first = map.keys.front();
    if (first.line == map.line) {
      splices_.push_back({first.offset, 0, added + ", "});
      return {};
    }
    const std::size_t begin = line_begin(first.offset);
    const std::string blanks = text_.substr(begin, first.offset - begin);
    if (!trim(blanks).empty()) return refuse(map, "its first key is not the first on its line");
    const bool returns = begin > 1 && text_[begin - 2] == '\r';
    splices_.push_back({first.offset, 0, added + (returns ? ",\r\n" : ",\n") + blanks});
    return {};
  }

  bool is_json_like(const Node& map) const {
    if (map.keys.empty()) return trim(text_).starts_with('{');
    return map.keys.front().offset < text_.size() && text_[map.keys.front().offset] == '"';
  }

  Result<void> replace_null(const Entry& entry, std::string_view member) {
    const Node& value = *entry.value;
    const auto colon = colon_end(*entry.key);
    if (!colon) return refuse(*entry.key, "its value can't be told");
    if (rest_is_blank(*colon)) {
      const std::size_t begin = line_begin(entry.key->offset);
      const std::string before = text_.substr(begin, entry.key->offset - begin);
      // In a flow map a line may end here too.
      if (before.find_first_not_of(" -") != std::string::npos) {
        return refuse(*entry.key, "its value can't be told");
      }
      Lines lines;
      add_block(member, entry.key->column, choice_, lines);
      lines.erase(lines.begin());  // the key itself is there
      insert_lines(*colon, lines);
      return {};
    }
    for (const std::string_view null : {"~", "null", "Null", "NULL"}) {
      if (value.decorated || text_.compare(value.offset, null.size(), null) != 0) continue;
      const bool quoted = text_[entry.key->offset] == '"';
      splices_.push_back({value.offset, null.size(), flow_value(member, choice_, quoted)});
      return {};
    }
    return refuse(value, "its value can't be told");
  }

  Result<void> edit_profile(const Entry& profile) {
    const Node& map = *profile.value;
    if (!map.is_map()) return refuse(map, "a mapping is expected here");
    const auto type = entry_of(map, kType);
    const auto path = entry_of(map, kPath);
    if (map.kind == Node::Kind::kFlowMap &&
        (map.keys.empty() || (choice_.localhost.empty() && path))) {
      return replace_flow(map);
    }
    if (type) {
      TRY(replace_scalar(*type->value, type_of(choice_)));
    } else {
      TRY(insert(profile.key, map, kType));
    }
    if (choice_.localhost.empty()) return path ? remove_line(*path) : Result<void>();
    if (path) return replace_scalar(*path->value, choice_.localhost);
    if (!type) return insert(profile.key, map, kPath);
    // Behind the type.
    const auto end = scalar_end(*type->value);
    if (!end) return refuse(*type->value, "its value can't be told");
    if (map.kind == Node::Kind::kFlowMap) {
      const bool quoted = is_json_like(map);
      splices_.push_back(
          {*end, 0, ", " + key_text(kPath, quoted) + written(choice_.localhost, quoted)});
      return {};
    }
    if (!rest_is_blank(*end)) return refuse(*type->value, "something follows on its line");
    insert_lines(*end, block(kPath, map.column));
    return {};
  }

  Result<void> replace_scalar(const Node& node, const std::string& value) {
    if (node.kind == Node::Kind::kScalar && node.text == value) return {};
    const auto end = scalar_end(node);
    if (!end) return refuse(node, "its value is not written on one line");
    const char quote = text_[node.offset];
    const bool quoted = quote == '"' || quote == '\'';
    std::string text = written(value, quoted);
    if (quote == '\'' && is_plain(value)) text = "'" + value + "'";
    splices_.push_back({node.offset, *end - node.offset, std::move(text)});
    return {};
  }

  Result<void> replace_flow(const Node& map) {
    if (map.decorated) return refuse(map, "the mapping has an anchor or a tag");
    const std::size_t close = text_.find('}', map.offset);
    std::string_view inside = std::string_view(text_).substr(map.offset);
    inside = inside.substr(0, std::min(close, text_.size()) - map.offset);
    if (close == std::string::npos || inside.find('#') != std::string_view::npos) {
      return refuse(map, "there is a comment in it");
    }
    splices_.push_back(
        {map.offset, close + 1 - map.offset, flow_value(kProfile, choice_, is_json_like(map))});
    return {};
  }

  Result<void> remove_line(const Entry& entry) {
    const std::size_t begin = line_begin(entry.key->offset);
    const auto end = scalar_end(*entry.value);
    const bool alone = trim(text_.substr(begin, entry.key->offset - begin)).empty();
    if (!alone || !end || !rest_is_blank(*end)) {
      return refuse(*entry.key, "localhostProfile is not alone on its line");
    }
    const std::size_t next = std::min(line_end(*end) + 1, text_.size());
    splices_.push_back({begin, next - begin, ""});
    return {};
  }

  const std::string& text_;
  const std::string& file_;
  const SeccompChoice& choice_;
  std::vector<Splice> splices_;
};

// The node at a pointer, with its key.
struct Found {
  const Node* key = nullptr;
  const Node* node = nullptr;
};

Found find_node(const Node& root, const std::string& pointer) {
  Found found{nullptr, &root};
  for (const std::string& part : pointer_parts(pointer)) {
    const Node& node = *found.node;
    if (const auto entry = entry_of(node, part)) {
      found = {entry->key, entry->value};
    } else if (const auto index = parse_u64(part);
               node.is_list() && index && *index < node.values.size()) {
      found = {nullptr, &node.values[*index]};
    } else {
      return {};
    }
  }
  return found;
}

}  // namespace

Result<std::string> set_seccomp(const Manifest& manifest, const std::vector<EditTarget>& targets,
                                const SeccompChoice& choice) {
  TRY_ASSIGN(const std::vector<Node> roots, yaml::layout(manifest.text, manifest.file));
  Editor editor(manifest, choice);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const EditTarget& target = targets[i];
    if (target.document == 0 || target.document > roots.size() ||
        roots.size() != manifest.documents.size()) {
      return bug("no such document", manifest.file);
    }
    const Node& root = roots[target.document - 1];
    const Found found = find_node(root, target.pointer);
    if (found.node == nullptr || found.node->kind == Node::Kind::kAlias) {
      // An alias or a merge key brings it: what was edited where it stands may do.
      continue;
    }
    TRY(editor.edit(found.key, *found.node));
  }
  TRY_ASSIGN(std::string edited, editor.apply());
  TRY(prove_edit(manifest, edited, targets, choice));
  return edited;
}

}  // namespace whittle::deploy
