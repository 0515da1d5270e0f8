#pragma once

#include <string>
#include <string_view>

#include "asked_request.h"

// The stand-in reads an Embeddings request as strictly as the published schema allows.
namespace stand_in {

class EmbeddingsRequestCheck {
public:
    // The first violation, or nullopt and `request` filled.
    Verdict check(std::string_view body, AskedRequest& request) {
        json::value document;
        if (auto wrong = parse_body(body, document)) return wrong;
        const auto& object = document.get_object();
        if (auto wrong = check_known(object, "", {"model", "input", "encoding_format", "dimensions", "user"}))
            return wrong;
        if (auto wrong = check_required(object, {"model", "input"})) return wrong;
        const auto model = find_text(object, "model");
        if (!model || model->empty()) return bad("model", "Must be a non-empty string.");
        request.model = *model;
        if (const auto* dimensions = find(object, "dimensions"))
            if (auto wrong = check_count(*dimensions, "dimensions")) return wrong;
        if (const auto* format = find(object, "encoding_format")) {
            request.wants_base64 = *format == json::value("base64");
            if (!request.wants_base64 && *format != json::value("float"))
                return bad("encoding_format", "Must be float or base64.");
        }
        if (auto wrong = check_input(*find(object, "input"), request)) return wrong;
        request.parts.push_back({false, request.inputs.front()});
        return std::nullopt;
    }

private:
    static Verdict check_input(const json::value& input, AskedRequest& request) {
        if (input.is_string()) {
            request.inputs.emplace_back(view(input.get_string()));
            return std::nullopt;
        }
        if (!input.is_array() || input.get_array().empty())
            return bad("input", "Must be a string or a non-empty array.");
        for (const auto& one : input.get_array()) {
            if (one.is_string())
                request.inputs.emplace_back(view(one.get_string()));
            else if (one.is_array() || one.is_int64())
                request.inputs.push_back(json::serialize(one));
            else
                return bad("input", "Must hold strings, tokens or arrays of tokens.");
        }
        return std::nullopt;
    }
};

}  // namespace stand_in
