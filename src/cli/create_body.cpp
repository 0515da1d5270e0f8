#include "cli/create_body.h"

#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/json.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::cli {
namespace {

// What is asked when nobody said what.
constexpr std::string_view kDefaultPrompt = "Describe what happens in this video.";

constexpr std::size_t kCustomIdMax = 64;
constexpr std::size_t kItemsMax = 1000;

std::string to_custom_id(const std::filesystem::path& file, std::map<std::string, int>& taken) {
    std::string name;
    for (const char c : file.stem().string()) {
        const bool allowed = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             c == '-' || c == '_';
        name.push_back(allowed ? c : '_');
    }
    if (name.empty()) name = "video";
    std::string id = name.substr(0, kCustomIdMax);
    int& next = taken.try_emplace(id, 1).first->second;
    if (next == 1) {
        next = 2;
        return id;
    }
    const std::string first = id;
    do {
        const std::string suffix = fmt::format("-{}", next++);
        id = first.substr(0, kCustomIdMax - suffix.size()) + suffix;
    } while (!taken.try_emplace(id, 2).second);
    return id;
}

std::unexpected<Failure> wrong(std::string message) {
    return give_up(ExitCode::usage, std::move(message));
}

Outcome<PlannedItem> plan_request(const Json& request, std::size_t index, const std::filesystem::path& base) {
    const auto video = member(request, "video");
    if (!video || !video->is_object()) return wrong(fmt::format("requests[{}].video is missing.", index));
    PlannedItem item;
    item.request_json = simdjson::minify(request);
    item.custom_id = string_member(request, "custom_id").value_or("");
    if (string_member(*video, "type") == "file") {
        const auto path = string_member(*video, "path");
        if (!path || path->empty()) return wrong(fmt::format("requests[{}].video.path is missing.", index));
        item.file = base / *path;
        return item;
    }
    item.asset_id = string_member(*video, "asset_id").value_or("");
    if (item.asset_id.empty())
        return wrong(fmt::format("requests[{}].video names neither an asset nor a file.", index));
    return item;
}

// The first of `names` that one of the planned requests or the file's defaults has.
bool plan_has(const Plan& plan, std::string_view name) {
    if (!plan.batch_json.empty()) {
        const auto batch = jsonl::Document::parse(plan.batch_json);
        const auto defaults = batch ? member(batch->root(), "defaults") : std::nullopt;
        if (defaults && member(*defaults, name)) return true;
    }
    for (const PlannedItem& item : plan.items) {
        if (item.request_json.empty()) return false;
        const auto request = jsonl::Document::parse(item.request_json);
        if (!request || !member(request->root(), name)) return false;
    }
    return true;
}

std::string batch_member(const Plan& plan, std::string_view name) {
    if (plan.batch_json.empty()) return {};
    const auto batch = jsonl::Document::parse(plan.batch_json);
    return batch ? string_member(batch->root(), name).value_or("") : "";
}

std::string mode_of(const AnalysisOptions& options, const Plan& plan) {
    if (!options.mode.empty()) return options.mode;
    if (const std::string mode = batch_member(plan, "analysis_mode"); !mode.empty()) return mode;
    return options.segments_json ? "time_based_metadata" : "general";
}

// A list of definitions, or an object that has it beside the time format.
void write_segments(jsonl::Writer& body, std::string_view json) {
    body.key("response_format").open_object().member("type", "segment_definitions");
    if (const auto document = jsonl::Document::parse(json)) {
        const Json root = document->root();
        const auto definitions = root.is_array() ? std::optional(root) : member(root, "segment_definitions");
        if (definitions) body.member_raw("segment_definitions", simdjson::minify(*definitions));
        if (auto format = string_member(root, "segment_time_format"))
            body.member("segment_time_format", *format);
    }
    body.close_object();
}

void write_schema(jsonl::Writer& body, std::string_view json) {
    body.key("response_format").open_object().member("type", "json_schema");
    if (const auto document = jsonl::Document::parse(json))
        body.member_raw("json_schema", simdjson::minify(document->root()));
    body.close_object();
}

// What the options set replaces what the request file's defaults say.
void write_defaults(jsonl::Writer& body, const AnalysisOptions& options, const Plan& plan) {
    std::set<std::string_view> written;
    body.key("defaults").open_object();
    const bool asks_nothing = mode_of(options, plan) == "general" && !plan_has(plan, "prompt");
    if (options.prompt || asks_nothing) {
        const std::string_view prompt = options.prompt ? std::string_view(*options.prompt) : kDefaultPrompt;
        body.key("prompt").open_object().member("input_text", prompt).close_object();
        written.insert("prompt");
    }
    if (options.segments_json)
        write_segments(body, *options.segments_json);
    else if (options.schema_json)
        write_schema(body, *options.schema_json);
    if (options.segments_json || options.schema_json) written.insert("response_format");
    const auto number = [&](std::string_view name, const auto& value) {
        if (!value) return;
        body.member(name, *value);
        written.insert(name);
    };
    number("temperature", options.temperature);
    number("max_tokens", options.max_tokens);
    number("start_time", options.start_time);
    number("end_time", options.end_time);
    const auto batch = jsonl::Document::parse(plan.batch_json.empty() ? "{}" : plan.batch_json);
    const auto defaults = batch ? member(batch->root(), "defaults") : std::nullopt;
    if (defaults && defaults->is_object()) {
        for (const auto& [name, value] : simdjson::dom::object(*defaults)) {
            if (!written.contains(name)) body.member_raw(name, simdjson::minify(value));
        }
    }
    body.close_object();
}

void write_item(jsonl::Writer& body, const PlannedItem& item) {
    body.open_object()
        .key("video")
        .open_object()
        .member("type", "asset_id")
        .member("asset_id", item.asset_id)
        .close_object();
    if (item.request_json.empty()) {
        if (!item.custom_id.empty()) body.member("custom_id", item.custom_id);
    } else if (const auto request = jsonl::Document::parse(item.request_json)) {
        for (const auto& [name, value] : simdjson::dom::object(request->root())) {
            if (name != "video") body.member_raw(name, simdjson::minify(value));
        }
    }
    body.close_object();
}

}  // namespace

Plan plan_videos(const std::vector<std::filesystem::path>& files) {
    Plan plan;
    // Each id, and the number that the next file of that name gets.
    std::map<std::string, int> taken;
    for (const auto& file : files)
        plan.items.push_back({.file = file, .custom_id = to_custom_id(file, taken)});
    return plan;
}

Outcome<Plan> plan_requests(std::string_view json, const std::filesystem::path& base) {
    const auto document = jsonl::Document::parse(json);
    if (!document) return wrong(fmt::format("The request file cannot be read: {}", document.error().message));
    const Json root = document->root();
    const auto requests = root.is_array() ? std::optional(root) : member(root, "requests");
    if (!requests || !requests->is_array()) {
        return wrong(
            "The request file is neither a list of requests nor an object that has one in \"requests\".");
    }
    Plan plan;
    if (root.is_object()) {
        jsonl::Writer rest;
        rest.open_object();
        for (const auto& [name, value] : simdjson::dom::object(root)) {
            if (name != "requests") rest.member_raw(name, simdjson::minify(value));
        }
        plan.batch_json = rest.close_object().take();
    }
    for (const Json request : simdjson::dom::array(*requests)) {
        auto item = plan_request(request, plan.items.size(), base);
        if (!item) return std::unexpected(item.error());
        plan.items.push_back(std::move(*item));
    }
    return plan;
}

Outcome<> check_options(const AnalysisOptions& options, const Plan& plan) {
    if (plan.items.empty())
        return wrong("There is nothing to submit; name videos, or a request file with --requests.");
    if (plan.items.size() > kItemsMax)
        return wrong(
            fmt::format("A batch holds at most {} items; these are {}.", kItemsMax, plan.items.size()));
    const std::string mode = mode_of(options, plan);
    if (mode != "general" && mode != "time_based_metadata") {
        return wrong(fmt::format("There is no mode \"{}\"; it is general or time_based_metadata.", mode));
    }
    if (options.segments_json && options.schema_json)
        return wrong("--segments and --schema exclude each other.");
    for (const auto& [name, json] :
         {std::pair("--segments", &options.segments_json), std::pair("--schema", &options.schema_json)}) {
        if (!*json) continue;
        const auto document = jsonl::Document::parse(**json);
        if (!document)
            return wrong(fmt::format("The file of {} cannot be read: {}", name, document.error().message));
        if (name == std::string_view("--schema") && !document->root().is_object())
            return wrong("The file of --schema is not a JSON object.");
        if (name == std::string_view("--segments") && !document->root().is_array() &&
            !member(document->root(), "segment_definitions")) {
            return wrong(
                "The file of --segments is neither a list of segment definitions nor an object that has "
                "one.");
        }
    }
    if (mode == "general") {
        if (options.segments_json) return wrong("--segments needs --mode time_based_metadata.");
        return {};
    }
    if (options.prompt)
        return wrong("--prompt is for --mode general; in time_based_metadata the segment definitions ask.");
    if (options.schema_json) return wrong("--schema is for --mode general.");
    if (!options.segments_json && !plan_has(plan, "response_format")) {
        return wrong(
            "--mode time_based_metadata needs segment definitions; give a file of them with --segments.");
    }
    return {};
}

std::string render_create_body(const AnalysisOptions& options, const Plan& plan) {
    jsonl::Writer body;
    const std::string model = batch_member(plan, "model_name");
    body.open_object().member("model_name", model.empty() ? options.model : model);
    body.member("analysis_mode", mode_of(options, plan));
    write_defaults(body, options, plan);
    body.key("requests").open_array();
    for (const PlannedItem& item : plan.items) write_item(body, item);
    body.close_array().close_object();
    return body.take();
}

}  // namespace sheaf::cli
