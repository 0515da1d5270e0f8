#pragma once

#include <array>
#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include "asked_request.h"
#include "backend/base64.h"
#include "backend/invented.h"
#include "backend/json_text.h"
#include "jsonl/writer.h"

// What the stand-in says, in the protocol it was asked in: as much as open servers say, and no more.
namespace stand_in {

using sheaf::jsonl::Writer;

struct Said {
    std::string text;
    std::string finish = "stop";  // or length, content_filter
    bool is_refusal = false;
    std::optional<AskedTool> called;  // in place of the text
};

struct Spent {
    std::size_t input = 0;
    std::size_t output = 0;
};

inline Spent spent_on(const AskedRequest& request, std::string_view text) {
    Spent spent{.input = request.images * 100, .output = text.size() / 4 + 1};
    for (const auto& part : request.parts)
        if (!part.is_image) spent.input += part.text.size() / 4;
    return spent;
}

// Word by word, each with the blank after it.
inline std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const auto blank = text.find(' ');
        words.emplace_back(text.substr(0, blank == std::string_view::npos ? text.size() : blank + 1));
        text.remove_prefix(words.back().size());
    }
    return words;
}

inline std::string arguments_of(const AskedTool& tool) {
    const auto invented = sheaf::backend::invented_document(tool.parameters);
    return invented.is_object() ? sheaf::backend::json_text(invented) : "{}";
}

inline std::string event(std::string_view name, std::string_view data) {
    return name.empty() ? fmt::format("data: {}\n\n", data)
                        : fmt::format("event: {}\ndata: {}\n\n", name, data);
}

class ChatAnswer {
public:
    ChatAnswer(const AskedRequest& request, const Said& said) : request_(request), said_(said) {}

    std::string whole() const {
        Writer out;
        out.open_object().member("id", "chatcmpl-1").member("object", "chat.completion").member("created", 1);
        out.member("model", request_.model).key("choices").open_array().open_object().member("index", 0);
        out.key("message").open_object().member("role", "assistant");
        if (said_.called)
            out.member_null("content").member_raw("tool_calls", calls(false));
        else if (said_.is_refusal)
            out.member_null("content").member("refusal", said_.text);
        else
            out.member("content", said_.text).member_null("refusal");
        out.close_object().member("finish_reason", finish()).close_object().close_array();
        write_usage(out);
        return out.close_object().take();
    }

    std::vector<std::string> events() const {
        std::vector<std::string> all{": keep-alive\n\n", chunk("", "")};
        if (said_.called)
            all.push_back(chunk("\"tool_calls\":" + calls(true), ""));
        else
            for (const auto& word : words_of(said_.text))
                all.push_back(chunk("\"content\":" + sheaf::backend::json_text(json::value(word)), ""));
        all.push_back(chunk("", finish()));
        if (request_.wants_usage) {
            Writer out;
            out.open_object().member("object", "chat.completion.chunk");
            out.key("choices").open_array().close_array();
            write_usage(out);
            all.push_back(event("", out.close_object().take()));
        }
        all.push_back(event("", "[DONE]"));
        return all;
    }

private:
    std::string_view finish() const { return said_.called ? "tool_calls" : std::string_view(said_.finish); }

    std::string calls(bool is_streamed) const {
        Writer out;
        out.open_array().open_object();
        if (is_streamed) out.member("index", 0);
        out.member("id", "call_1").member("type", "function").key("function").open_object();
        out.member("name", said_.called->name).member("arguments", arguments_of(*said_.called));
        return out.close_object().close_object().close_array().take();
    }

    static std::string chunk(std::string_view delta, std::string_view reason) {
        Writer out;
        out.open_object().member("id", "chatcmpl-1").member("object", "chat.completion.chunk");
        out.key("choices").open_array().open_object().member("index", 0);
        out.member_raw("delta", fmt::format("{{{}}}", delta)).key("finish_reason");
        if (reason.empty())
            out.null();
        else
            out.value(reason);
        out.close_object().close_array().member_null("usage").close_object();
        return event("", out.take());
    }

    void write_usage(Writer& out) const {
        const auto spent = spent_on(request_, said_.text);
        out.key("usage").open_object().member("prompt_tokens", spent.input);
        out.member("completion_tokens", spent.output).member("total_tokens", spent.input + spent.output);
        out.close_object();
    }

    const AskedRequest& request_;
    const Said& said_;
};

class MessagesAnswer {
public:
    MessagesAnswer(const AskedRequest& request, const Said& said) : request_(request), said_(said) {}

    std::string whole() const {
        Writer out;
        write_head(out);
        out.key("content").open_array().raw(block(true)).close_array().member("stop_reason", reason());
        const auto spent = spent_on(request_, said_.text);
        out.key("usage").open_object().member("input_tokens", spent.input);
        out.member("output_tokens", spent.output).close_object();
        return out.close_object().take();
    }

    std::vector<std::string> events() const {
        const auto spent = spent_on(request_, said_.text);
        Writer begin;
        begin.open_object().member("type", "message_start").key("message");
        write_head(begin);
        begin.key("content").open_array().close_array().key("usage").open_object();
        begin.member("input_tokens", spent.input).member("output_tokens", 0).close_object();
        begin.close_object().close_object();
        std::vector<std::string> all{event("message_start", begin.take()),
                                     event("ping", R"({"type":"ping"})")};
        all.push_back(
            event("content_block_start",
                  R"({"type":"content_block_start","index":0,"content_block":)" + block(false) + "}"));
        if (said_.called)
            all.push_back(delta("input_json_delta", "partial_json", arguments_of(*said_.called)));
        else
            for (const auto& word : words_of(said_.text)) all.push_back(delta("text_delta", "text", word));
        all.push_back(event("content_block_stop", R"({"type":"content_block_stop","index":0})"));
        Writer end;
        end.open_object().member("type", "message_delta").key("delta").open_object();
        end.member("stop_reason", reason()).close_object().key("usage").open_object();
        end.member("output_tokens", spent.output).close_object().close_object();
        all.push_back(event("message_delta", end.take()));
        all.push_back(event("message_stop", R"({"type":"message_stop"})"));
        return all;
    }

private:
    void write_head(Writer& out) const {
        out.open_object().member("id", "msg_1").member("type", "message").member("role", "assistant");
        out.member("model", request_.model);
    }

    std::string_view reason() const {
        if (said_.called) return "tool_use";
        if (said_.is_refusal || said_.finish == "content_filter") return "refusal";
        return said_.finish == "length" ? "max_tokens" : "end_turn";
    }

    std::string block(bool is_whole) const {
        Writer out;
        out.open_object();
        if (said_.called) {
            out.member("type", "tool_use").member("id", "toolu_1").member("name", said_.called->name);
            out.member_raw("input", is_whole ? arguments_of(*said_.called) : "{}");
        } else {
            out.member("type", "text").member("text", is_whole ? said_.text : "");
        }
        return out.close_object().take();
    }

    static std::string delta(std::string_view type, std::string_view member, std::string_view text) {
        Writer out;
        out.open_object().member("type", "content_block_delta").member("index", 0).key("delta").open_object();
        out.member("type", type).member(member, text).close_object().close_object();
        return event("content_block_delta", out.take());
    }

    const AskedRequest& request_;
    const Said& said_;
};

class ResponsesAnswer {
public:
    ResponsesAnswer(const AskedRequest& request, const Said& said) : request_(request), said_(said) {}

    std::string whole() const { return response(status(), true); }

    std::vector<std::string> events() {
        std::vector<std::string> all;
        tell(all, "response.created", "\"response\":" + response("in_progress", false));
        const std::string place = R"("output_index":0,"item_id":"item_1")";
        tell(all, "response.output_item.added", R"("output_index":0,"item":)" + item(false));
        if (said_.called) {
            const auto text = sheaf::backend::json_text(json::value(arguments_of(*said_.called)));
            tell(all, "response.function_call_arguments.delta", place + ",\"delta\":" + text);
            tell(all, "response.function_call_arguments.done", place + ",\"arguments\":" + text);
        } else {
            const std::string part = place + R"(,"content_index":0)";
            tell(all, "response.content_part.added", part + ",\"part\":" + content(""));
            for (const auto& word : words_of(said_.text))
                tell(all, "response.output_text.delta",
                     part + ",\"delta\":" + sheaf::backend::json_text(json::value(word)));
            tell(all, "response.output_text.done",
                 part + ",\"text\":" + sheaf::backend::json_text(json::value(said_.text)));
            tell(all, "response.content_part.done", part + ",\"part\":" + content(said_.text));
        }
        tell(all, "response.output_item.done", R"("output_index":0,"item":)" + item(true));
        tell(all, status() == "completed" ? "response.completed" : "response.incomplete",
             "\"response\":" + response(status(), true));
        return all;
    }

private:
    std::string_view status() const { return said_.finish == "stop" ? "completed" : "incomplete"; }

    void tell(std::vector<std::string>& all, std::string_view type, std::string_view members) {
        all.push_back(event(
            type, fmt::format(R"({{"type":"{}","sequence_number":{},{}}})", type, sequence_++, members)));
    }

    std::string response(std::string_view status, bool is_whole) const {
        Writer out;
        out.open_object().member("id", "resp_1").member("object", "response").member("created_at", 1);
        out.member("status", status).member("model", request_.model).key("output").open_array();
        if (is_whole) out.raw(item(true));
        out.close_array();
        if (is_whole && said_.finish != "stop")
            out.key("incomplete_details")
                .open_object()
                .member("reason", said_.finish == "length" ? "max_output_tokens" : "content_filter")
                .close_object();
        if (is_whole) {
            const auto spent = spent_on(request_, said_.text);
            out.key("usage").open_object().member("input_tokens", spent.input);
            out.member("output_tokens", spent.output).member("total_tokens", spent.input + spent.output);
            out.close_object();
        }
        return out.close_object().take();
    }

    std::string item(bool is_whole) const {
        Writer out;
        out.open_object().member("id", "item_1").member("status", is_whole ? "completed" : "in_progress");
        if (said_.called) {
            out.member("type", "function_call")
                .member("call_id", "call_1")
                .member("name", said_.called->name);
            return out.member("arguments", is_whole ? arguments_of(*said_.called) : "").close_object().take();
        }
        out.member("type", "message").member("role", "assistant").key("content").open_array();
        if (is_whole) out.raw(content(said_.text));
        return out.close_array().close_object().take();
    }

    std::string content(std::string_view text) const {
        Writer out;
        out.open_object();
        if (said_.is_refusal)
            out.member("type", "refusal").member("refusal", text);
        else
            out.member("type", "output_text")
                .member("text", text)
                .key("annotations")
                .open_array()
                .close_array();
        return out.close_object().take();
    }

    const AskedRequest& request_;
    const Said& said_;
    std::size_t sequence_ = 0;
};

// A vector of each input: its number and its size.
inline std::string embeddings_answer(const AskedRequest& request) {
    Writer out;
    out.open_object().member("object", "list").key("data").open_array();
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
        const std::array<float, 2> vector{static_cast<float>(i),
                                          static_cast<float>(request.inputs[i].size())};
        tokens += request.inputs[i].size() / 4 + 1;
        out.open_object().member("object", "embedding").member("index", i).key("embedding");
        if (request.wants_base64) {
            const auto bytes = std::bit_cast<std::array<char, sizeof vector>>(vector);
            out.value(sheaf::backend::base64({bytes.data(), bytes.size()}));
        } else {
            out.open_array();
            for (const float value : vector) out.value(static_cast<double>(value));
            out.close_array();
        }
        out.close_object();
    }
    out.close_array().member("model", request.model).key("usage").open_object();
    out.member("prompt_tokens", tokens).member("total_tokens", tokens).close_object();
    return out.close_object().take();
}

}  // namespace stand_in
