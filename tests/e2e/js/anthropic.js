// What the tests do through the official Anthropic library, in the generation that `library` names:
// `node anthropic.js NAME ARGUMENTS`.
"use strict";

const { sleep, collect, runNamed } = require("./scenario.js");

const MODEL = "practice";

function open(library, options = {}) {
    const { Anthropic } = require(library);
    return new Anthropic({ baseURL: process.env.SHEAF_TEST_URL, apiKey: process.env.SHEAF_TEST_KEY, ...options });
}

function params(text = "Say it.", extra = {}) {
    return { model: MODEL, max_tokens: 64, messages: [{ role: "user", content: text }], ...extra };
}

function asked(ids) {
    return ids.map((custom_id) => ({ custom_id, params: params(`Say ${custom_id}.`) }));
}

// An error as the caller of the library sees it.
async function errorOf(promise) {
    try {
        await promise;
    } catch (error) {
        return { name: error.constructor.name, status: error.status ?? null, type: error.error?.error?.type ?? null,
            requestID: error.requestID ?? null, message: String(error.message) };
    }
    return null;
}

async function waitUntilEnded(batches, id) {
    for (let i = 0; i < 1200; i++) {
        const batch = await batches.retrieve(id);
        if (batch.processing_status === "ended") return batch;
        await sleep(30);
    }
    throw new Error(`batch ${id} did not end`);
}

runNamed({
    async life({ library, beta, ids }) {
        const client = open(library);
        const batches = beta ? client.beta.messages.batches : client.messages.batches;
        const created = await batches.create({ requests: asked(ids) });
        const requestID = created._request_id;
        const atOnce = await batches.retrieve(created.id);
        const early = created.processing_status === "in_progress" ? await errorOf(batches.results(created.id)) : null;
        const ended = await waitUntilEnded(batches, created.id);
        const lines = await collect(await batches.results(created.id));
        const deleted = await batches.delete(created.id);
        const gone = await errorOf(batches.retrieve(created.id));
        return { created, requestID, atOnce, early, ended, lines, deleted, gone };
    },

    async cancel({ library, ids }) {
        const { batches } = open(library).messages;
        const created = await batches.create({ requests: asked(ids) });
        const undeletable = await errorOf(batches.delete(created.id));
        const canceling = await batches.cancel(created.id);
        const ended = await waitUntilEnded(batches, created.id);
        return { undeletable, canceling, ended, lines: await collect(await batches.results(created.id)) };
    },

    async page({ library, count }) {
        const { batches } = open(library).messages;
        const ids = [];
        for (let i = 0; i < count; i++) ids.push((await batches.create({ requests: asked([`item-${i}`]) })).id);
        const listed = (await collect(batches.list({ limit: 1 }))).map((batch) => batch.id);
        const before = (await collect(batches.list({ limit: 1, before_id: ids[0] }))).map((batch) => batch.id);
        return { ids, listed, before };
    },

    async errors({ library }) {
        const client = open(library);
        const { batches } = client.messages;
        return {
            key: await errorOf(open(library, { apiKey: "sk-wrong" }).messages.batches.list()),
            unknown: await errorOf(batches.retrieve("msgbatch_made_up")),
            empty: await errorOf(batches.create({ requests: [] })),
            missing: await errorOf(batches.create({})),
            twice: await errorOf(batches.create({ requests: asked(["same", "same"]) })),
            model: await errorOf(client.messages.create({ ...params(), model: "unheard-of" })),
            path: await errorOf(client.get("/v1/messages/nothing/here")),
            left: (await collect(batches.list())).length,
        };
    },

    // The same create three times over the wire, of which the caller knows nothing.
    async create_once({ library, id }) {
        const { batches } = open(library).messages;
        const created = await batches.create({ requests: asked([id]) });
        return { id: created.id, listed: (await collect(batches.list())).map((batch) => batch.id) };
    },

    async half({ library, batch }) {
        return errorOf((async () => collect(await open(library).messages.batches.results(batch)))());
    },

    async live({ library }) {
        const client = open(library);
        const whole = await client.messages.create(params("Say hello."));
        const stream = client.messages.stream(params("Say hello."));
        const kinds = new Set();
        for await (const event of stream) kinds.add(event.type);
        const streamed = await stream.finalMessage();
        const counted = await client.messages.countTokens({ model: MODEL, messages: params("a word ").messages });
        const models = (await collect(client.models.list())).map((model) => model.id);
        return { whole, kinds: [...kinds], streamed, counted, models };
    },
});
