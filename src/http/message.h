#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "async/task.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace sheaf::http {

// Header fields in order of arrival. Names compare without case.
class Headers {
public:
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    // The first value, or nullopt.
    std::optional<std::string_view> find(std::string_view name) const;
    const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

// The decoded query, in order, repeats kept: status=a&status=b.
using Query = std::vector<std::pair<std::string, std::string>>;

// The body of a request as it arrives, chunked or not. Reading is what takes it off the connection: a handler
// that does not read it all leaves the server to discard a bounded rest, or to close the connection.
class BodyReader {
public:
    virtual ~BodyReader() = default;
    // The next bytes, at most `into.size()`; 0 at the end. too_large: the handler's limit was passed, told at
    // the byte that passed it (or before the first when Content-Length says so). canceled: the client went
    // away. timed_out: it sends too slowly. invalid: the framing is broken.
    virtual async::Task<Result<std::size_t>> read(std::span<char> into) = 0;
    // What may still come; set by the handler before it reads. The default is 1 MiB.
    virtual void set_limit(std::uint64_t bytes_max) = 0;
    // From Content-Length; nullopt when chunked.
    virtual std::optional<std::uint64_t> announced_bytes() const = 0;
};

struct Request {
    std::string method;  // as sent: "GET"
    std::string path;    // percent-decoded, without the query
    Query query;
    Headers headers;
    std::vector<std::string> path_parameters;  // what the route's {…} matched, decoded
    std::string remote_address;
    BodyReader* body = nullptr;  // valid while the handler runs
    std::string target;          // path and query as sent; empty in requests made by hand
    // First value of a query parameter, or nullopt.
    std::optional<std::string_view> parameter(std::string_view name) const;
};

// Where a streamed body goes. Chunked; nothing is compressed.
class BodyWriter {
public:
    virtual ~BodyWriter() = default;
    // Waits while the client reads slowly. canceled: it went away or stopped reading.
    virtual async::Task<Result<>> write(std::string_view bytes) = 0;
    // True once the client has gone, as far as one can know without writing.
    virtual bool client_gone() = 0;
};

// `bytes` bytes of an open file from `offset` on. Sent by sendfile.
struct FileBody {
    SharedDescriptor file;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;
};
// Called once the head is sent. An error aborts the connection, so that the client sees that the body is cut.
using StreamBody = std::function<async::Task<Result<>>(BodyWriter&)>;

struct Response {
    int status = 200;
    Headers headers;
    std::variant<std::string, FileBody, StreamBody> body;
};

// All that is left of the body, at most `bytes_max`; too_large beyond.
async::Task<Result<std::string>> read_all(BodyReader& body, std::uint64_t bytes_max);

std::string percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text);
Query parse_query(std::string_view query);

}  // namespace sheaf::http
