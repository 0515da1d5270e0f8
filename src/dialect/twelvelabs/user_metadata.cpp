#include "dialect/twelvelabs/user_metadata.h"

#include <vector>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kName = "user_metadata";

using Members = std::vector<std::pair<std::string, std::string>>;  // key, and its value as JSON

bool is_allowed(dom::element value) {
    return value.is_string() || value.is_number() || value.is_bool();
}

std::string render(const Members& members, const std::string& path, Findings& findings) {
    if (members.empty()) return {};
    jsonl::Writer json;
    json.open_object();
    for (const auto& [key, value] : members) json.member_raw(key, value);
    json.close_object();
    if (json.text().size() > kUserMetadataBytesMax) {
        findings.invalid(path, fmt::format("must be at most {} bytes long", kUserMetadataBytesMax));
    }
    return json.take();
}

}  // namespace

std::string read_user_metadata(dom::element value, const std::string& path, Findings& findings) {
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
        findings.invalid(path, "must be an object");
        return {};
    }
    Members members;
    for (const auto& [key, member] : object) {
        if (!is_allowed(member)) {
            findings.invalid(jsonl::join_path(path, key.substr(0, 64)),
                             "must be a string, a number or a boolean");
            return {};
        }
        members.emplace_back(key, simdjson::to_string(member));
    }
    return render(members, path, findings);
}

Checked<std::string> parse_user_metadata(std::string_view text) {
    const auto document = jsonl::Document::parse(text);
    Findings findings;
    if (!document) {
        findings.invalid(std::string(kName), "must be a JSON object as text");
        return findings.refusal();
    }
    std::string json = read_user_metadata(document->root(), std::string(kName), findings);
    if (findings.any()) return findings.refusal();
    return json;
}

std::string patch_user_metadata(std::string_view stored, dom::element patch, const std::string& path,
                                Findings& findings) {
    Members members;
    const auto document = jsonl::Document::parse(stored.empty() ? "{}" : stored);
    dom::object object;
    if (document && document->root().get(object) == simdjson::SUCCESS) {
        for (const auto& [key, member] : object) members.emplace_back(key, simdjson::to_string(member));
    }
    dom::object changes;
    if (patch.get(changes) != simdjson::SUCCESS) {
        findings.invalid(path, "must be an object");
        return {};
    }
    // What cannot fit is refused before it is merged, key by key.
    if (simdjson::minify(changes).size() > kUserMetadataBytesMax) {
        findings.invalid(path, "is too large");
        return {};
    }
    for (const auto& [key, member] : changes) {
        const auto found = std::ranges::find(members, key, &Members::value_type::first);
        std::string_view text;
        if (member.is_null()) {
            if (found != members.end()) members.erase(found);
        } else if (!is_allowed(member)) {
            findings.invalid(jsonl::join_path(path, key.substr(0, 64)),
                             "must be a string, a number or a boolean");
            return {};
        } else if (member.get(text) == simdjson::SUCCESS && text.empty()) {
            continue;
        } else if (found != members.end()) {
            found->second = simdjson::to_string(member);
        } else {
            members.emplace_back(key, simdjson::to_string(member));
        }
    }
    return render(members, path, findings);
}

}  // namespace sheaf::dialect::twelvelabs
