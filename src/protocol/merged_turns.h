#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/conversation.h"

namespace sheaf::protocol {

// The same turns with those of one role that follow each other made one, as Messages reads them; system turns
// stay apart. A turn without parts is left out.
std::vector<Turn> merged_turns(std::vector<Turn> turns);

// The texts among `parts`, with `separator` between them.
std::string joined_texts(const std::vector<Part>& parts, std::string_view separator);

}  // namespace sheaf::protocol
