#include <set>

#include <gtest/gtest.h>

#include "dialect/openai/file_json.h"
#include "dialect/openai/testing_form.h"
#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

class OpenAiFiles : public OpenAiWorld {
protected:
    Answered upload(const std::string& form, http::Headers headers = {}) {
        return call({.method = "POST",
                     .target = "/files",
                     .body = form,
                     .headers = std::move(headers),
                     .content_type = Form::content_type(),
                     .piece = 1000});
    }
    // The param and code of a form that is refused and leaves nothing.
    std::string refused(const Form& form) {
        const Answered answered = upload(form.end());
        EXPECT_EQ(answered.status, 400) << answered.body;
        EXPECT_TRUE(keys().empty());
        EXPECT_EQ(text_at(get("/files").body, "/data"), "[]");
        return text_at(answered.body, "/error/param") + " " + text_at(answered.body, "/error/code");
    }
    Answered remove(const std::string& id) { return call({.method = "DELETE", .target = "/files/" + id}); }
    std::vector<std::string> ids_of(const std::string& list) {
        std::vector<std::string> ids;
        const auto document = jsonl::Document::parse(list);
        for (const auto row : document->root()["data"].get_array().value_unsafe())
            ids.emplace_back(row["id"].get_string().value_unsafe());
        return ids;
    }
};

TEST_F(OpenAiFiles, APurposeDecidesHowLongAFileIsKept) {
    for (const char* const purpose : {"assistants", "fine-tune", "vision", "user_data", "evals"}) {
        const Answered answered = upload(Form().field("purpose", purpose).file("x").end());
        ASSERT_EQ(answered.status, 200) << answered.body;
        EXPECT_EQ(text_at(answered.body, "/expires_at"), "null");
        EXPECT_EQ(text_at(answered.body, "/purpose"), purpose);
    }
    const Answered batch = upload(Form().file("x").field("purpose", "batch").end());
    EXPECT_EQ(text_at(batch.body, "/expires_at"), std::to_string(1'781'776'800 + 2'592'000));
    EXPECT_EQ(text_at(batch.body, "/status"), "processed");
    EXPECT_EQ(batch.headers.find("Content-Type"), "application/json");
}

TEST_F(OpenAiFiles, AnExpiryMayComeAsJson) {
    const auto expiry = [&](std::string_view json) {
        const Answered answered =
            upload(Form().field("expires_after", json).field("purpose", "vision").file("x").end());
        EXPECT_EQ(answered.status, 200) << answered.body;
        return text_at(answered.body, "/expires_at");
    };
    EXPECT_EQ(expiry(R"({"anchor":"created_at","seconds":7200})"), std::to_string(1'781'776'800 + 7200));
    EXPECT_EQ(expiry("null"), "null");
}

TEST_F(OpenAiFiles, AnyBytesAreAFile) {
    const std::string bytes("\0\r\n--X\r\n--XY\n\xff", 14);
    const Answered answered = upload(Form().field("purpose", "batch").file(bytes).end());
    ASSERT_EQ(answered.status, 200);
    EXPECT_EQ(read_file(text_at(answered.body, "/id")), bytes);
    const Answered empty = upload(Form().field("purpose", "batch").file("").end());
    EXPECT_EQ(text_at(empty.body, "/bytes"), "0");
    EXPECT_EQ(get("/files/" + text_at(empty.body, "/id") + "/content").body, "");
}

TEST_F(OpenAiFiles, NamesLoseTheirFoldersAndKeepTheRest) {
    const auto name = [&](std::string_view header) {
        const Answered answered = upload(Form().field("purpose", "batch").file("x", "file", header).end());
        EXPECT_EQ(answered.status, 200) << answered.body;
        return text_at(answered.body, "/filename");
    };
    EXPECT_EQ(name(R"(filename="/home/me/a.jsonl")"), "a.jsonl");
    EXPECT_EQ(name(R"(filename="C:\data\a.jsonl")"), "a.jsonl");
    EXPECT_EQ(name(R"(filename="a%22b.jsonl")"), "a\"b.jsonl");
    EXPECT_EQ(name(R"(filename="plain"; filename*=UTF-8''na%C3%AFve%20name.jsonl)"), "naïve name.jsonl");
    EXPECT_EQ(name("filename=a.jsonl"), "a.jsonl");
    EXPECT_EQ(name("filename=\"\""), "upload");
    EXPECT_EQ(name("x=y"), "upload");
}

TEST_F(OpenAiFiles, ADownloadsNameCannotEndItsHeader) {
    EXPECT_EQ(render_attachment("batch_1_output.jsonl"), "attachment; filename=\"batch_1_output.jsonl\"");
    EXPECT_EQ(render_attachment("a\"\\\r\n\xc3\xaf"),
              "attachment; filename=\"a______\"; filename*=UTF-8''a%22%5C%0D%0A%C3%AF");
}

TEST_F(OpenAiFiles, WhatIsWrongWithAFormIsToldAndLeavesNothing) {
    const auto a_file = [] { return Form().file("x"); };
    EXPECT_EQ(refused(Form().field("purpose", "batch")), "file missing_required_parameter");
    EXPECT_EQ(refused(a_file()), "purpose missing_required_parameter");
    EXPECT_EQ(refused(a_file().field("purpose", "")), "purpose invalid_value");
    EXPECT_EQ(refused(a_file().field("purpose", "batch_output")), "purpose invalid_value");
    EXPECT_EQ(refused(a_file().field("purpose", "batch").file("y")), "file invalid_value");
    EXPECT_EQ(refused(a_file().field("purpose", "batch").field("purpose", "batch")), "purpose invalid_value");
    EXPECT_EQ(refused(a_file().field("purpose", std::string(70'000, 'x'))), "null null");
    EXPECT_EQ(refused(Form().file("x", "file", "filename=\"" + std::string(1025, 'x') + "\"")),
              "file invalid_value");
    Form many = a_file();
    for (int at = 0; at < 40; ++at) many.field(fmt::format("f{}", at), "");
    EXPECT_EQ(refused(many), "null null");
}

TEST_F(OpenAiFiles, AnExpiryOutOfRangeIsRefused) {
    const auto pair = [&](std::string_view anchor, std::string_view seconds) {
        return refused(Form()
                           .field("purpose", "batch")
                           .field("expires_after[anchor]", anchor)
                           .field("expires_after[seconds]", seconds)
                           .file("x"));
    };
    EXPECT_EQ(pair("created_at", "3599"), "expires_after.seconds invalid_value");
    EXPECT_EQ(pair("created_at", "2592001"), "expires_after.seconds invalid_value");
    EXPECT_EQ(pair("created_at", "1e4"), "expires_after.seconds invalid_type");
    EXPECT_EQ(pair("created_at", ""), "expires_after.seconds invalid_type");
    EXPECT_EQ(pair("last_active_at", "3600"), "expires_after.anchor invalid_value");
    const auto alone = [&](std::string_view name, std::string_view value) {
        return refused(Form().field("purpose", "batch").field(name, value).file("x"));
    };
    EXPECT_EQ(alone("expires_after[anchor]", "created_at"),
              "expires_after.seconds missing_required_parameter");
    EXPECT_EQ(alone("expires_after[seconds]", "3600"), "expires_after.anchor missing_required_parameter");
    EXPECT_EQ(alone("expires_after", "soon"), "expires_after invalid_type");
    EXPECT_EQ(alone("expires_after", "3600"), "expires_after invalid_type");
    EXPECT_EQ(alone("expires_after", R"({"anchor":"created_at","seconds":1})"),
              "expires_after.seconds invalid_value");
}

TEST_F(OpenAiFiles, AFileBeyondTheLimitIsRefusedOnceItIsSent) {
    limits.file_bytes_max = 5'000;
    build();
    const Form exact = Form().field("purpose", "batch").file(std::string(5'000, 'x'));
    ASSERT_EQ(upload(exact.end()).status, 200);
    const std::set<std::string> before = keys();
    const Form beyond = Form().field("purpose", "batch").file(std::string(5'001, 'x'));
    const Answered answered = upload(beyond.end());
    EXPECT_EQ(answered.status, 413);
    EXPECT_EQ(text_at(answered.body, "/error/type"), "invalid_request_error");
    EXPECT_EQ(text_at(answered.body, "/error/code"), "null");
    EXPECT_EQ(keys(), before);
}

TEST_F(OpenAiFiles, ADeletionWhileIteratingMissesNothing) {
    for (const char* const order : {"asc", "desc"}) {
        std::set<std::string> left;
        for (int at = 0; at < 7; ++at) left.insert(add_file("x"));
        std::string query = fmt::format("/files?limit=2&order={}", order);
        for (std::string after;;) {
            const std::string page = get(query + after).body;
            for (const std::string& id : ids_of(page)) {
                EXPECT_EQ(left.erase(id), 1U);
                EXPECT_EQ(remove(id).status, 200);
            }
            if (text_at(page, "/has_more") != "true") break;
            after = "&after=" + text_at(page, "/last_id");
        }
        EXPECT_TRUE(left.empty()) << order;
    }
    EXPECT_TRUE(keys().empty());
}

TEST_F(OpenAiFiles, AnExpiredFileIsNoFile) {
    const std::string id = add_file("x");
    clock.advance(24h * 30 - 1ms);
    EXPECT_EQ(get("/files/" + id).status, 200);
    clock.advance(1ms);
    EXPECT_EQ(get("/files/" + id).status, 404);
    EXPECT_EQ(get("/files/" + id + "/content").status, 404);
    EXPECT_EQ(remove(id).status, 404);
    EXPECT_EQ(text_at(get("/files").body, "/data"), "[]");
}

TEST_F(OpenAiFiles, AnotherAccountsFileIsLikeNone) {
    const std::string id = add_file("x");
    const std::string none = render_id(FileId{{1, 2, 0}});
    for (const char* const rest : {"", "/content"}) {
        const auto answer = [&](const std::string& file) {
            const Answered answered = call({.target = "/files/" + file + rest, .key = other_key});
            EXPECT_EQ(answered.status, 404);
            const auto at = answered.body.find(file);
            EXPECT_NE(at, std::string::npos);
            return std::string(answered.body).replace(at, file.size(), "");
        };
        EXPECT_EQ(answer(id), answer(none));
    }
    EXPECT_EQ(call({.method = "DELETE", .target = "/files/" + id, .key = other_key}).status, 404);
    EXPECT_EQ(text_at(call({.target = "/files", .key = other_key}).body, "/data"), "[]");
    EXPECT_EQ(read_file(id), "x");
}

TEST_F(OpenAiFiles, ResultFilesAreListedAndLeaveAsTheyLie) {
    const std::string id = make_batch(2);
    work(id, 1, core::Failed{{.code = "invalid_request", .message = "no"}});
    work(id, 1, core::Succeeded{{.reply = R"({"object":"chat.completion"})"}});
    publish(id);
    const std::string list = get("/files?purpose=batch_output&order=asc").body;
    ASSERT_EQ(ids_of(list).size(), 2U) << list;
    const std::string output = text_at(batch(id), "/output_file_id");
    const std::string errors = text_at(batch(id), "/error_file_id");
    EXPECT_EQ(text_at(list, "/data/0/id"), output);
    EXPECT_EQ(text_at(list, "/data/1/id"), errors);
    EXPECT_EQ(text_at(list, "/data/0/filename"), id + "_output.jsonl");

    const Answered good = get("/files/" + output + "/content");
    EXPECT_EQ(good.headers.find("Content-Type"), "application/octet-stream");
    EXPECT_EQ(good.headers.find("Content-Disposition"), "attachment; filename=\"" + id + "_output.jsonl\"");
    ASSERT_EQ(lines_of(good.body).size(), 1U);
    EXPECT_EQ(text_at(lines_of(good.body)[0], "/custom_id"), "a1");
    const Answered bad = get("/files/" + errors + "/content");
    ASSERT_EQ(lines_of(bad.body).size(), 1U);
    EXPECT_EQ(text_at(lines_of(bad.body)[0], "/custom_id"), "a0");
    EXPECT_EQ(std::to_string(bad.body.size()), text_at(list, "/data/1/bytes"));

    EXPECT_EQ(remove(output).status, 200);
    EXPECT_EQ(get("/files/" + output + "/content").status, 404);
    EXPECT_EQ(text_at(batch(id), "/output_file_id"), output) << "the batch keeps its name";
    EXPECT_EQ(get("/files/" + errors + "/content").body, bad.body);
}

TEST_F(OpenAiFiles, ABatchOutlivesItsInputFile) {
    const std::string file = add_file(chat_line("a0"));
    const std::string id = text_at(post("/batches", batch_body(file)).body, "/id");
    EXPECT_EQ(remove(file).status, 200);
    work(id, 1, core::Succeeded{{.reply = R"({"object":"chat.completion"})"}});
    publish(id);
    EXPECT_EQ(status(id), "completed");
    EXPECT_EQ(text_at(batch(id), "/input_file_id"), file);
}

}  // namespace
}  // namespace sheaf::dialect::openai
