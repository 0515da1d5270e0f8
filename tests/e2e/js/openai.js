// What the tests do through the official OpenAI library: `node openai.js NAME ARGUMENTS`.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { OpenAI, toFile } = require("openai");
const { sleep, collect, runNamed } = require("./scenario.js");

const MODEL = "practice";
const TERMINAL = ["completed", "failed", "expired", "cancelled"];

function open(options = {}) {
    return new OpenAI({ baseURL: `${process.env.SHEAF_TEST_URL}/v1`, apiKey: process.env.SHEAF_TEST_KEY, ...options });
}

function linesOf(ids) {
    return ids.map((custom_id) => JSON.stringify({ custom_id, method: "POST", url: "/v1/chat/completions",
        body: { model: MODEL, messages: [{ role: "user", content: `Say ${custom_id}.` }] } })).join("\n") + "\n";
}

async function createBatch(client, ids) {
    const file = await client.files.create({ file: await toFile(Buffer.from(linesOf(ids)), "asked.jsonl"), purpose: "batch" });
    return client.batches.create({ input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
}

async function waitUntilOver(client, id) {
    for (let i = 0; i < 1200; i++) {
        const batch = await client.batches.retrieve(id);
        if (TERMINAL.includes(batch.status)) return batch;
        await sleep(30);
    }
    throw new Error(`batch ${id} did not end`);
}

async function linesIn(client, fileId) {
    if (!fileId) return [];
    const text = await (await client.files.content(fileId)).text();
    return text.trim().split("\n").map((line) => JSON.parse(line));
}

// An error as the caller of the library sees it.
async function errorOf(promise) {
    try {
        await promise;
    } catch (error) {
        return { name: error.constructor.name, status: error.status ?? null, code: error.code ?? null,
            param: error.param ?? null, type: error.type ?? null, requestID: error.requestID ?? null,
            message: String(error.message) };
    }
    return null;
}

runNamed({
    async life({ ids }) {
        const client = open();
        const created = await createBatch(client, ids);
        const done = await waitUntilOver(client, created.id);
        const late = await errorOf(client.batches.cancel(created.id));
        return { created, done, late, requestID: created._request_id, output: await linesIn(client, done.output_file_id),
            errors: await linesIn(client, done.error_file_id) };
    },

    async cancel({ ids }) {
        const client = open();
        const created = await createBatch(client, ids);
        const cancelling = await client.batches.cancel(created.id);
        const done = await waitUntilOver(client, created.id);
        return { cancelling, done, lines: [...await linesIn(client, done.output_file_id), ...await linesIn(client, done.error_file_id)] };
    },

    // Three ways to hand over a file. The stream goes out in chunks without a length.
    async files({ line, times }) {
        const text = line.repeat(times);
        const client = open();
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sheaf-"));
        fs.writeFileSync(path.join(folder, "asked.jsonl"), text);
        const sources = {
            stream: fs.createReadStream(path.join(folder, "asked.jsonl")),
            memory: await toFile(Buffer.from(text), "asked.jsonl"),
            file: new File([text], "asked.jsonl"),
        };
        const seen = {};
        for (const [kind, file] of Object.entries(sources)) {
            const created = await client.files.create({ file, purpose: "batch", expires_after: { anchor: "created_at", seconds: 7200 } });
            seen[kind] = { created, content: await (await client.files.content(created.id)).text() };
        }
        fs.rmSync(folder, { recursive: true });
        const ids = Object.values(seen).map((one) => one.created.id);
        const listed = (await collect(client.files.list({ limit: 1, order: "asc" }))).map((file) => file.id);
        for await (const file of client.files.list({ limit: 1 })) await client.files.delete(file.id);
        return { seen, ids, listed, left: (await collect(client.files.list())).length, gone: await errorOf(client.files.retrieve(ids[0])) };
    },

    async upload({ text }) {
        const client = open();
        const bytes = Buffer.from(text);
        const half = Math.floor(bytes.length / 2);
        const upload = await client.uploads.create({ bytes: bytes.length, filename: "asked.jsonl", mime_type: "application/jsonl", purpose: "batch" });
        const second = await client.uploads.parts.create(upload.id, { data: await toFile(bytes.subarray(half), "part") });
        const first = await client.uploads.parts.create(upload.id, { data: await toFile(bytes.subarray(0, half), "part") });
        const done = await client.uploads.complete(upload.id, { part_ids: [first.id, second.id] });
        return { upload, done, content: await (await client.files.content(done.file.id)).text() };
    },

    async page({ count }) {
        const client = open();
        const ids = [];
        for (let i = 0; i < count; i++) ids.push((await createBatch(client, [`item-${i}`])).id);
        return { ids, listed: (await collect(client.batches.list({ limit: 1 }))).map((batch) => batch.id) };
    },

    async errors() {
        const client = open();
        return {
            key: await errorOf(open({ apiKey: "sk-wrong" }).batches.list()),
            batch: await errorOf(client.batches.retrieve("batch_made_up")),
            window: await errorOf(client.batches.create({ input_file_id: "file-x", endpoint: "/v1/chat/completions", completion_window: "1h" })),
            missing: await errorOf(client.batches.create({})),
            path: await errorOf(client.get("/nothing/here")),
            model: await errorOf(client.chat.completions.create({ model: "unheard-of", messages: [{ role: "user", content: "hi" }] })),
        };
    },

    async create_once() {
        const client = open();
        const file = await client.files.create({ file: await toFile(Buffer.from(linesOf(["one"])), "asked.jsonl"), purpose: "batch" });
        const retried = open({ baseURL: `${process.env.SHEAF_TEST_FAULTY_URL ?? process.env.SHEAF_TEST_URL}/v1` });
        const created = await retried.batches.create({ input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
        return { id: created.id, listed: (await collect(client.batches.list())).map((batch) => batch.id) };
    },

    async live() {
        const client = open();
        const messages = [{ role: "user", content: "Say hello." }];
        const chat = await client.chat.completions.create({ model: MODEL, messages });
        let streamed = "";
        for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, stream: true })) {
            streamed += chunk.choices[0]?.delta?.content ?? "";
        }
        const response = await client.responses.create({ model: MODEL, input: "Say hello." });
        const kinds = new Set();
        for await (const event of await client.responses.create({ model: MODEL, input: "Say hello.", stream: true })) kinds.add(event.type);
        const embedded = await client.embeddings.create({ model: MODEL, input: "hello", encoding_format: "float" });
        const models = (await collect(client.models.list())).map((model) => model.id);
        return { chat, streamed, outputText: response.output_text, kinds: [...kinds], dimensions: embedded.data[0].embedding.length, models };
    },
});
