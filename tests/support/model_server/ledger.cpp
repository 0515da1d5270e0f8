#include "ledger.h"

#include <iterator>

#include <fmt/format.h>

namespace model_server {

std::string ledger_text(const std::vector<Entry>& entries) {
    std::string text;
    text.reserve(entries.size() * 160);
    for (const auto& entry : entries)
        fmt::format_to(std::back_inserter(text),
                       R"({{"request":{},"id":"{}","arrived_us":{},"started_us":{},"ended_us":{},)"
                       R"("prompt_tokens":{},"cached_tokens":{},"status":{}}})"
                       "\n",
                       entry.request, entry.id, entry.arrived, entry.started, entry.ended,
                       entry.prompt_tokens, entry.cached_tokens, entry.status);
    return text;
}

}  // namespace model_server
