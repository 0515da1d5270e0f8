#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sheaf::dialect::openai {

// A form in the plainest framing.
class Form {
public:
    static std::string content_type() { return "multipart/form-data; boundary=XX"; }

    Form& field(std::string_view name, std::string_view value) {
        text_ +=
            fmt::format("--XX\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", name, value);
        return *this;
    }
    // `filename` as it stands in the header.
    Form& file(std::string_view bytes, std::string_view name = "file",
               std::string_view filename = "filename=\"in.jsonl\"") {
        text_ += fmt::format("--XX\r\nContent-Disposition: form-data; name=\"{}\"; {}\r\n\r\n{}\r\n", name,
                             filename, bytes);
        return *this;
    }
    std::string end() const { return text_ + "--XX--\r\n"; }

private:
    std::string text_;
};

}  // namespace sheaf::dialect::openai
