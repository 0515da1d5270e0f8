#include "http/router.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace sheaf::http {
namespace {

Handler named(std::string name) {
    return [name](Request&) -> async::Task<Response> {
        Response response;
        response.body = name;
        return [](Response ready) -> async::Task<Response> { co_return ready; }(std::move(response));
    };
}

class RouterTest : public testing::Test {
protected:
    std::string call(std::string method, std::string target) {
        request_ = Request{};
        request_.method = std::move(method);
        request_.target = target;
        request_.path = percent_decode(target.substr(0, target.find('?')), false);
        request_.headers.add("Allow", "from the client");
        const Handler& handler = router_.match(request_);
        boost::asio::io_context io;
        std::string body;
        boost::asio::co_spawn(io, handler(request_),
                              [&](const std::exception_ptr&, const Response& response) {
                                  status_ = response.status;
                                  allow_ = response.headers.find("allow").value_or("");
                                  body = std::get<std::string>(response.body);
                              });
        io.run();
        return body;
    }

    Router router_;
    Request request_;
    int status_ = 0;
    std::string allow_;
};

TEST_F(RouterTest, LiteralsWinOverParametersAndTheSearchComesBack) {
    router_.add("GET", "/batches/{id}", named("one"));
    router_.add("GET", "/batches/new", named("new"));
    router_.add("GET", "/batches/{id}/results", named("results"));
    router_.add("GET", "/batches/new/x", named("x"));
    router_.add("GET", "/", named("root"));
    EXPECT_EQ(call("GET", "/batches/new"), "new");
    EXPECT_EQ(call("GET", "/batches/newer"), "one");
    EXPECT_EQ(call("GET", "/batches/new/results"), "results");
    EXPECT_EQ(request_.path_parameters, std::vector<std::string>{"new"});
    EXPECT_EQ(call("GET", "/"), "root");
}

TEST_F(RouterTest, ParametersAreDecodedWithinTheirSegment) {
    router_.add("GET", "/files/{name}", named("file"));
    EXPECT_EQ(call("GET", "/files/a%2Fb%20c?x=/y"), "file");
    EXPECT_EQ(request_.path_parameters, std::vector<std::string>{"a/b c"});
    call("GET", "/files/");
    EXPECT_EQ(status_, 404);
    call("GET", "/files/a/b");
    EXPECT_EQ(status_, 404);
}

TEST_F(RouterTest, ARequestMadeByHandIsMatchedByItsPath) {
    router_.add("GET", "/a/{b}", named("found"));
    Request request;
    request.method = "GET";
    request.path = "/a/c d";
    router_.match(request);
    EXPECT_EQ(request.path_parameters, std::vector<std::string>{"c d"});
}

TEST_F(RouterTest, AWrongMethodIsToldWhichThereAre) {
    router_.add("GET", "/batches/{id}", named("one"));
    router_.add("DELETE", "/batches/{id}", named("delete"));
    call("POST", "/batches/1");
    EXPECT_EQ(status_, 405);
    EXPECT_EQ(allow_, "DELETE, GET, HEAD");
}

TEST_F(RouterTest, HeadIsAnsweredByGet) {
    router_.add("GET", "/a", named("get"));
    EXPECT_EQ(call("HEAD", "/a"), "get");
}

TEST_F(RouterTest, TheLongestPrefixWithFallbacksAnswers) {
    router_.add("GET", "/v1/a", named("a"));
    router_.add_fallbacks("/v1",
                          {.not_found = named("v1 missing"), .method_not_allowed = named("v1 method")});
    router_.add_fallbacks("/v1/deep",
                          {.not_found = named("deep missing"), .method_not_allowed = named("deep method")});
    EXPECT_EQ(call("GET", "/v1/b"), "v1 missing");
    EXPECT_EQ(call("PUT", "/v1/a"), "v1 method");
    EXPECT_EQ(request_.headers.find("allow"), "GET, HEAD");
    EXPECT_EQ(call("GET", "/v1/deep/x"), "deep missing");
    call("GET", "/v10");
    EXPECT_EQ(status_, 404);
    router_.add_fallbacks("/",
                          {.not_found = named("root missing"), .method_not_allowed = named("root method")});
    EXPECT_EQ(call("GET", "/v10"), "root missing");
    EXPECT_EQ(call("GET", "*"), "root missing");
}

TEST(Query, IsDecodedInOrderWithRepeats) {
    const Query query = parse_query("status=a&status=b&name=x+y%21&flag&=v&&bad=%zz%4");
    const Query expected{{"status", "a"}, {"status", "b"}, {"name", "x y!"},
                         {"flag", ""},    {"", "v"},       {"bad", "%zz%4"}};
    EXPECT_EQ(query, expected);
    EXPECT_EQ(percent_encode("a b/é~"), "a%20b%2F%C3%A9~");
}

}  // namespace
}  // namespace sheaf::http
