#include "backend/token_estimate.h"

#include "jsonl/document.h"

namespace sheaf::backend {
namespace {

namespace dom = simdjson::dom;

constexpr std::uint64_t kFileTokens = 1024;

struct Files {
    std::uint64_t count = 0;
    std::size_t bytes = 0;
};

void count_files(dom::element value, std::string_view name, Files& files) {
    if (std::string_view text; value.get(text) == simdjson::SUCCESS) {
        if (name != "data" && !text.starts_with("data:")) return;
        ++files.count;
        files.bytes += text.size();
    } else if (dom::array array; value.get(array) == simdjson::SUCCESS) {
        for (const auto element : array) count_files(element, {}, files);
    } else if (dom::object object; value.get(object) == simdjson::SUCCESS) {
        for (const auto& [key, member] : object) count_files(member, key, files);
    }
}

}  // namespace

std::uint64_t estimated_request_tokens(std::string_view body) {
    Files files;
    if (const auto document = jsonl::Document::parse(body)) count_files(document->root(), {}, files);
    return (body.size() - files.bytes + 3) / 4 + files.count * kFileTokens;
}

}  // namespace sheaf::backend
