"""Batches answered by llama.cpp's server, each vendor's API in front of each protocol that the server speaks.

The model is random, so what it says means nothing; but greedily it says the same to the same prompt, and something else
to another. So an answer that is lost, swapped, cut or altered on its way shows.
"""

import httpx
import pytest

from dialects import DIALECTS
from protocols import PROTOCOLS, TOOL_NAME, Said
from real_model_server import MODEL, RealModelServer
from sheaf_server import SheafServer

# Prompts and how many tokens their answers may have: the first ends by itself, the others are cut off.
PROMPTS = {
    "ends": ("a", 64),
    "corn": ("Tell me of corn", 12),
    "harvest": ("Describe the harvest.", 12),
    "strange": ("\u65e5\u672c \U0001f600 caf\u00e9 \"\\ \t\u2028end", 12),
}
TOOL_CALL_TOKENS_MAX = 2000
TOO_LONG = "x" * 5000  # a token each, which is more than the server's slots hold


def ask(server: RealModelServer, path: str, request: dict) -> dict:
    response = httpx.post(f"{server.url}/{path}", json=request, timeout=60, trust_env=False)
    assert response.status_code == 200, response.text
    return response.json()


def said_in(protocol: str, server: RealModelServer, prompt: str, tokens_max: int) -> Said:
    spoken = PROTOCOLS[protocol]
    return spoken.read(ask(server, spoken.path, spoken.request(MODEL, prompt, tokens_max)))


def expect_tool_calls(protocol: type, answer: dict) -> None:
    calls = protocol.tool_calls(answer)
    assert calls, answer
    for call in calls:
        assert call.name == TOOL_NAME and call.arguments["city"] in ("Paris", "Rome"), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_server_itself(model_server: RealModelServer, protocol: str) -> None:
    said = {name: said_in(protocol, model_server, *asked) for name, asked in PROMPTS.items()}
    assert said == {name: said_in(protocol, model_server, *asked) for name, asked in PROMPTS.items()}
    assert len({answer.text for answer in said.values()}) == len(PROMPTS)
    for name, (_, tokens_max) in PROMPTS.items():
        chat = said_in("chat", model_server, *PROMPTS[name])
        assert (said[name].text, said[name].input_tokens) == (chat.text, chat.input_tokens)
        assert chat.cut_off == (name != "ends") and (chat.output_tokens == tokens_max) == chat.cut_off
        if PROTOCOLS[protocol].tells_cut_off:
            assert said[name].cut_off == chat.cut_off


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_server_itself_calls_tools(model_server: RealModelServer, protocol: str) -> None:
    spoken = PROTOCOLS[protocol]
    request = spoken.with_tool(spoken.request(MODEL, "What is the weather?", TOOL_CALL_TOKENS_MAX))
    expect_tool_calls(spoken, ask(model_server, spoken.path, request))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_server_itself_refuses_what_is_too_long(model_server: RealModelServer, protocol: str) -> None:
    spoken = PROTOCOLS[protocol]
    response = httpx.post(f"{model_server.url}/{spoken.path}", json=spoken.request(MODEL, TOO_LONG, 8), timeout=60,
                          trust_env=False)
    assert response.status_code == 400 and "context" in response.json()["error"]["message"], response.text


def test_the_server_itself_embeds(model_server: RealModelServer) -> None:
    answer = ask(model_server, "embeddings", {"model": MODEL, "input": ["wheat", "barley"]})
    vectors = [entry["embedding"] for entry in answer["data"]]
    assert len(vectors) == 2 and vectors[0] != vectors[1] and len(vectors[0]) == len(vectors[1]), answer


@pytest.mark.parametrize("backend", PROTOCOLS)
@pytest.mark.parametrize("dialect", DIALECTS)
class TestThroughSheaf:
    def test_a_batch_says_what_the_server_says(self, model_server: RealModelServer, sheaf: SheafServer, dialect: str,
                                               backend: str) -> None:
        vendor = DIALECTS[dialect](sheaf, sheaf.create_key("words").key)
        model = f"{MODEL}-{backend}"
        outcome = vendor.run({name: vendor.protocol.request(model, *asked) for name, asked in PROMPTS.items()})
        assert not outcome.errors
        said = {name: vendor.protocol.read(answer) for name, answer in outcome.answers.items()}
        assert said == {name: said_in(backend, model_server, *asked) for name, asked in PROMPTS.items()}

    def test_a_batch_calls_tools(self, sheaf: SheafServer, dialect: str, backend: str) -> None:
        vendor = DIALECTS[dialect](sheaf, sheaf.create_key("tools").key)
        request = vendor.protocol.request(f"{MODEL}-{backend}", "What is the weather?", TOOL_CALL_TOKENS_MAX)
        outcome = vendor.run({"weather": vendor.protocol.with_tool(request)})
        assert not outcome.errors
        expect_tool_calls(vendor.protocol, outcome.answers["weather"])

    def test_an_item_that_the_server_refuses_fails_alone(self, sheaf: SheafServer, dialect: str, backend: str) -> None:
        vendor = DIALECTS[dialect](sheaf, sheaf.create_key("long").key)
        model = f"{MODEL}-{backend}"
        outcome = vendor.run({"short": vendor.protocol.request(model, "a", 8),
                              "long": vendor.protocol.request(model, TOO_LONG, 8)})
        assert set(outcome.answers) == {"short"} and set(outcome.errors) == {"long"}
        assert "context" in outcome.errors["long"]["message"], outcome.errors
