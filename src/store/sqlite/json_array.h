#pragma once

#include <span>
#include <string>

#include <fmt/format.h>

namespace sheaf::store {

// A JSON array of strings, for json_each().
inline std::string json_array(std::span<const std::string> texts) {
    std::string json = "[";
    for (const std::string& text : texts) {
        if (json.size() > 1) json += ',';
        json += '"';
        for (const char c : text) {
            if (c == '"' || c == '\\') {
                json += '\\';
                json += c;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                json += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
            } else {
                json += c;
            }
        }
        json += '"';
    }
    return json + ']';
}

}  // namespace sheaf::store
