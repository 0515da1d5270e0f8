#include "dialect/openai/batch_input.h"

#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

InputRules rules(std::string_view endpoint = "/v1/chat/completions") {
    return {find_endpoint(endpoint), {}, [](std::string_view model) {
                return model == "local" || model == "other";
            }};
}

struct Read {
    std::vector<InputError> errors;
    std::vector<store::ItemDraft> items;
    std::string model;
};

// In steps of every size: nothing may depend on them.
Read read(std::string_view bytes, const InputRules& rules = openai::rules(), std::size_t step = 1) {
    InputReader reader(bytes, rules);
    while (reader.read_some(step)) {
    }
    return {reader.take_errors(), reader.take_items(), reader.model()};
}

std::string shown(const std::vector<InputError>& errors) {
    std::string text;
    for (const InputError& error : errors) {
        EXPECT_FALSE(error.message.empty());
        text += fmt::format("{}{} {} {}", text.empty() ? "" : "; ",
                            error.line ? std::to_string(*error.line) : "-", error.code,
                            error.param.empty() ? "-" : error.param);
    }
    return text;
}

std::string errors_of(std::string_view bytes) {
    return shown(read(bytes).errors);
}
std::string errors_of_line(std::string_view line) {
    return errors_of(std::string(line) + "\n");
}

TEST(BatchInput, GivesTheBodyOfEachLineAsTheClientWroteIt) {
    const std::string bytes =
        chat_line("a") + "\r\n\n" +
        R"(  {"x":{"body":1},"body" : {"messages":[],"model":"local", "z":1.50} ,)" +
        R"("url":"/v1/chat/completions","method":"POST","custom_id":"b\u00e4 \n","y":null})";
    for (const std::size_t step : {std::size_t{1}, std::size_t{100}, bytes.size() * 2}) {
        const Read found = read(bytes, rules(), step);
        ASSERT_EQ(shown(found.errors), "");
        ASSERT_EQ(found.items.size(), 2U);
        EXPECT_EQ(found.model, "local");
        EXPECT_EQ(found.items[0].custom_id, "a");
        EXPECT_EQ(found.items[1].custom_id, "b\xc3\xa4 \n");
        EXPECT_EQ(bytes.substr(found.items[1].body_offset, found.items[1].body_bytes),
                  R"({"messages":[],"model":"local", "z":1.50})");
    }
}

TEST(BatchInput, PassesAByteOrderMarkAndCountsBlankLines) {
    EXPECT_EQ(errors_of("\xEF\xBB\xBF" + chat_line("a")), "");
    EXPECT_EQ(errors_of("\n \t\r\n" + chat_line("a") + "\nnonsense"), "5 invalid_json_line -");
}

TEST(BatchInput, NamesWhatIsWrongWithTheFile) {
    EXPECT_EQ(errors_of(""), "- empty_file -");
    EXPECT_EQ(errors_of("\n\n  \r\n"), "- empty_file -");
    InputRules few = rules();
    few.limits.lines_max = 2;
    EXPECT_EQ(shown(read(chat_line("a") + "\n" + chat_line("b"), few).errors), "");
    EXPECT_EQ(shown(read(chat_line("a") + "x\n" + chat_line("c"), few).errors),
              "- too_many_tasks -; 2 invalid_json_line -");
}

TEST(BatchInput, NamesWhatIsWrongWithALine) {
    EXPECT_EQ(errors_of_line("{\"custom_id\":"), "1 invalid_json_line -");
    EXPECT_EQ(errors_of_line("{} {}"), "1 invalid_json_line -");
    EXPECT_EQ(errors_of_line("\xff"), "1 invalid_json_line -");
    EXPECT_EQ(errors_of_line(R"({"a":1,"a":2})"), "1 invalid_json_line -");
    EXPECT_EQ(errors_of_line("[]"), "1 invalid_request -");
    EXPECT_EQ(errors_of_line("\"text\""), "1 invalid_request -");
    EXPECT_EQ(errors_of_line(R"({"method":"POST","url":"/","body":{}})"),
              "1 missing_required_parameter custom_id");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":null,"url":"/","body":{}})"),
              "1 missing_required_parameter method");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"GET","body":{}})"),
              "1 missing_required_parameter url");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"GET","url":"/"})"),
              "1 missing_required_parameter body");
    EXPECT_EQ(errors_of_line(R"({"custom_id":1,"method":2,"url":3,"body":[]})"),
              "1 invalid_request custom_id");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":2,"url":3,"body":[]})"),
              "1 invalid_request method");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"GET","url":3,"body":[]})"),
              "1 invalid_request url");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"GET","url":"/","body":"{}"})"),
              "1 invalid_request body");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"","method":"POST","url":"/","body":{}})"),
              "1 invalid_request custom_id");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"GET","url":"/","body":{}})"),
              "1 invalid_method method");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"post","url":"/","body":{}})"),
              "1 invalid_method method");
    EXPECT_EQ(errors_of_line(R"({"custom_id":"a","method":"POST","url":"/v1/responses","body":{}})"),
              "1 invalid_url url");
}

TEST(BatchInput, TakesACustomIdOf512CharactersWhateverTheyAre) {
    std::string longest;
    for (int i = 0; i < 512; ++i) longest += "\xc3\xa4";
    EXPECT_EQ(errors_of(chat_line(longest)), "");
    EXPECT_EQ(errors_of(chat_line(longest + "x")), "1 invalid_request custom_id");
}

std::string line_with_body(std::string_view body, std::string_view url = "/v1/chat/completions",
                           std::string_view id = "z") {
    return fmt::format(R"({{"custom_id":"{}","method":"POST","url":"{}","body":{}}})"
                       "\n",
                       id, url, body);
}

TEST(BatchInput, NamesWhatIsWrongWithABody) {
    EXPECT_EQ(errors_of(line_with_body(R"({"messages":[]})")), "1 invalid_request body.model");
    EXPECT_EQ(errors_of(line_with_body(R"({"model":"local"})")), "1 invalid_request body.messages");
    EXPECT_EQ(errors_of(line_with_body(R"({"model":7,"messages":[]})")), "1 invalid_request body.model");
    EXPECT_EQ(errors_of(line_with_body(R"({"model":"gpt-9","messages":[]})")),
              "1 model_not_found body.model");
    EXPECT_EQ(errors_of(line_with_body(R"({"model":"local","messages":[],"stream":true})")),
              "1 streaming_unsupported body.stream");
    EXPECT_EQ(errors_of(line_with_body(R"({"model":"local","messages":[],"stream":false})")), "");
    for (const std::string_view endpoint : {"/v1/responses", "/v1/embeddings"}) {
        EXPECT_EQ(shown(read(line_with_body(R"({"model":"local"})", endpoint), rules(endpoint)).errors),
                  "1 invalid_request body.input");
        EXPECT_EQ(
            shown(read(line_with_body(R"({"model":"local","input":"x"})", endpoint), rules(endpoint)).errors),
            "");
    }
}

TEST(BatchInput, WantsOneModelAndEachNameOnce) {
    EXPECT_EQ(errors_of(chat_line("a") + chat_line("b") + chat_line("a")), "3 duplicate_custom_id custom_id");
    EXPECT_EQ(errors_of(chat_line("a") + line_with_body(R"({"model":"other","messages":[]})")),
              "2 mismatched_model body.model");
}

TEST(BatchInput, TellsOfEveryBadLineUpToTheMost) {
    EXPECT_EQ(errors_of("x\n" + chat_line("a") + "y\n[]\n"),
              "1 invalid_json_line -; 3 invalid_json_line -; 4 invalid_request -");
    EXPECT_TRUE(read("x\n" + chat_line("a")).items.empty());
    InputRules few = rules();
    few.limits.batch_errors_max = 3;
    EXPECT_EQ(read("x\nx\nx\nx\nx\n", few).errors.size(), 3U);
}

TEST(BatchInput, RefusesALineThatWouldNotFitIntoMemory) {
    InputRules strict = rules();
    strict.limits.line_bytes_max = chat_line("a").size();
    EXPECT_EQ(shown(read(chat_line("a"), strict).errors), "");
    EXPECT_EQ(shown(read(chat_line("a longer name"), strict).errors), "1 invalid_request -");
}

}  // namespace
}  // namespace sheaf::dialect::openai
