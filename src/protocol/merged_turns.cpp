#include "protocol/merged_turns.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sheaf::protocol {

std::vector<Turn> merged_turns(std::vector<Turn> turns) {
    std::vector<Turn> merged;
    for (auto& turn : turns) {
        if (turn.parts.empty()) continue;
        if (!merged.empty() && turn.role != Role::system && merged.back().role == turn.role)
            std::ranges::move(turn.parts, std::back_inserter(merged.back().parts));
        else
            merged.push_back(std::move(turn));
    }
    return merged;
}

std::string joined_texts(const std::vector<Part>& parts, std::string_view separator) {
    std::string joined;
    for (const auto& part : parts) {
        const auto* text = std::get_if<Text>(&part);
        if (text == nullptr || text->text.empty()) continue;
        if (!joined.empty()) joined += separator;
        joined += text->text;
    }
    return joined;
}

}  // namespace sheaf::protocol
