#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "jsonl/writer.h"
#include "protocol/conversation.h"

// The turns of a conversation, as a Messages request says them.
namespace sheaf::protocol {

// Takes the system turns from the front: what Messages says in its member "system".
std::string take_leading_system(std::vector<Turn>& turns);

// Writes the array of messages: turns of one role merged, results of tools first in theirs, what a system
// turn says in a place where Messages takes none said by the user. invalid: what Messages cannot say.
Result<> write_messages_turns(jsonl::Writer& json, std::vector<Turn> turns);

}  // namespace sheaf::protocol
