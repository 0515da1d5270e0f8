#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/result.h"

namespace sheaf::jsonl {

struct ParseLimits {
    std::size_t depth_max = 64;
};

// A parsed JSON document: simdjson's DOM, with what simdjson leaves to its users checked too. Order of
// members is kept. Values are valid while the document lives.
//
// parse() refuses, as ErrorCode::invalid with the reason and, where there is one, the JSON path in `field`:
// anything that is not one JSON document in UTF-8, numbers out of range, duplicate keys in one object, and
// nesting beyond the limit.
class Document {
public:
    static Result<Document> parse(std::string_view json, ParseLimits limits = {});
    simdjson::dom::element root() const { return root_; }

private:
    // Keeps the parser of a short document for the thread's next one: most of its time was making a parser.
    struct Recycle {
        void operator()(simdjson::dom::parser* parser) const;
    };

    std::unique_ptr<simdjson::dom::parser, Recycle> parser_;
    simdjson::dom::element root_;
};

// Tells of one text after the other whether it is a JSON document in UTF-8, at the speed of the parser alone.
//
// Weaker than Document::parse(): members may repeat, numbers may be beyond what can be held, and nesting may
// go to 1024. For texts that are parsed again, one by one, before anything is made of them.
class SyntaxChecker {
public:
    SyntaxChecker() : parser_(std::make_unique<simdjson::dom::parser>()) {}
    // invalid, with the reason. `readable_behind`: how many bytes behind the text may be read, whatever they
    // are; where they are too few, the text is copied first.
    Result<> check(std::string_view json, std::size_t readable_behind = 0);

private:
    std::unique_ptr<simdjson::dom::parser> parser_;
};

// "requests[3].custom_id" from its parts.
std::string join_path(std::string_view parent, std::string_view member);
std::string join_path(std::string_view parent, std::size_t index);

}  // namespace sheaf::jsonl
