#include "deploy/store_records.h"

#include "base/json.h"

namespace whittle::deploy {

namespace {

constexpr std::string_view kSchema = "whittle.installed/v1";

}  // namespace

Result<StoreRecords> parse_store_records(std::string_view text, std::string_view place) {
  TRY_ASSIGN(const json::Value document, json::parse(text, place));
  const json::View root(document, std::string(place));
  TRY_ASSIGN(const json::View schema, root.at("schema"));
  TRY_ASSIGN(const std::string name, schema.string());
  if (name != kSchema) return schema.error("not the list of what whittle installed here");
  StoreRecords records;
  TRY_ASSIGN(const json::View generation, root.at("generation"));
  TRY_ASSIGN(records.generation, generation.u64());
  TRY_ASSIGN(const json::View files, root.at("files"));
  TRY_ASSIGN(const auto items, files.items());
  for (const json::View& item : items) {
    StoreRecord record;
    TRY_ASSIGN(const json::View file, item.at("name"));
    TRY_ASSIGN(const std::string key, file.string());
    TRY_ASSIGN(const json::View hash, item.at("sha256"));
    TRY_ASSIGN(record.sha256, hash.string());
    TRY_ASSIGN(const json::View installed, item.at("installed"));
    TRY_ASSIGN(record.installed, installed.string());
    TRY_ASSIGN(const json::View of, item.at("generation"));
    TRY_ASSIGN(record.generation, of.u64());
    TRY_ASSIGN(const json::View foreign, item.at("foreign"));
    TRY_ASSIGN(record.foreign, foreign.boolean());
    TRY_ASSIGN(const json::View previous, item.at("foreign_previous"));
    TRY_ASSIGN(record.foreign_previous, previous.boolean());
    if (!records.files.emplace(key, std::move(record)).second) {
      return file.error("the name stands twice");
    }
  }
  return records;
}

std::string write_store_records(const StoreRecords& records) {
  json::Array files;
  for (const auto& [name, record] : records.files) {
    json::Value item;
    item.set("name", name);
    item.set("sha256", record.sha256);
    item.set("installed", record.installed);
    item.set("generation", record.generation);
    item.set("foreign", record.foreign);
    item.set("foreign_previous", record.foreign_previous);
    files.push_back(std::move(item));
  }
  json::Value document;
  document.set("schema", kSchema);
  document.set("generation", records.generation);
  document.set("files", std::move(files));
  return json::dump(document) + "\n";
}

}  // namespace whittle::deploy
