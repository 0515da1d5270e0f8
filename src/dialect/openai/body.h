#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "dialect/openai/errors.h"
#include "http/message.h"
#include "jsonl/document.h"

namespace sheaf::dialect::openai {

inline constexpr std::uint64_t kSmallBodyMax = std::uint64_t{1} << 20;

// The members of a JSON object, read with the vendor's refusals. A member that is null is absent. Values are
// valid while the document is.
class Fields {
public:
    explicit Fields(simdjson::dom::object object, std::string path = {})
        : object_(object), path_(std::move(path)) {}

    std::optional<simdjson::dom::element> find(std::string_view name) const;
    // The path of a member in the request: "output_expires_after.seconds".
    std::string path_of(std::string_view name) const { return jsonl::join_path(path_, name); }

    // missing_required_parameter when it is absent, invalid_type when it is something else.
    Checked<std::string_view> text(std::string_view name) const;
    Checked<std::uint64_t> count(std::string_view name) const;           // a whole number from 0
    Checked<std::optional<Fields>> object(std::string_view name) const;  // nullopt when it is absent

private:
    simdjson::dom::object object_;
    std::string path_;
};

std::unexpected<Problem> refuse_type(std::string_view param, std::string_view expected);

// A JSON object as the body of a request, and what it says.
struct JsonBody {
    std::string text;
    jsonl::Document document;
    Fields fields() const;
};
// Whatever the Content-Type says: there is nothing else that it could be.
async::Task<Checked<JsonBody>> read_json(http::Request& request, std::uint64_t bytes_max);
Checked<JsonBody> parse_json(std::string text);

// The member `name`, {"anchor":"created_at","seconds":3600–2592000}. Nullopt when it is absent.
Checked<std::optional<std::chrono::seconds>> read_expires_after(const Fields& fields, std::string_view name);
// The same from its two values; `path` is that of the pair.
Checked<std::chrono::seconds> check_expires_after(std::string_view anchor, std::uint64_t seconds,
                                                  std::string_view path);

}  // namespace sheaf::dialect::openai
