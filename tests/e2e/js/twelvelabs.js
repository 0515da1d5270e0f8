// What the tests do through the official JavaScript client, unmodified: `node twelvelabs.js NAME ARGUMENTS`.
// The scenario's return value is printed as one line of JSON; the Python test judges it.
"use strict";

const fs = require("node:fs");
const { TwelveLabs, TwelvelabsApi, TwelvelabsApiError } = require("twelvelabs-js");

const TERMINAL = ["completed", "canceled", "expired"];

function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

// An error as the caller of the library sees it.
function described(error) {
    return {
        name: error.constructor.name,
        typed: Object.values(TwelvelabsApi).some((type) => typeof type === "function" && error instanceof type),
        status: error instanceof TwelvelabsApiError ? (error.statusCode ?? null) : null,
        code: error.body?.code ?? null,
        nested: error.body?.error?.code ?? null,
        message: String(error.message),
    };
}

async function errorOf(promise) {
    try {
        await promise;
    } catch (error) {
        return described(error);
    }
    return null;
}

async function readyAsset(client, created) {
    for (let i = 0; i < 1200; i++) {
        const asset = await client.assets.retrieve(created.id);
        if (asset.status !== "processing") return asset;
        await sleep(50);
    }
    throw new Error(`asset ${created.id} stayed in processing`);
}

async function waitForBatch(client, batchId) {
    for (let i = 0; i < 1800; i++) {
        const batch = await client.analyzeAsync.batches.retrieve(batchId);
        if (TERMINAL.includes(batch.status)) return batch;
        await sleep(50);
    }
    throw new Error(`batch ${batchId} did not end`);
}

async function collect(iterable) {
    const all = [];
    for await (const element of iterable) all.push(element);
    return all;
}

async function linesOf(client, batchId) {
    return collect(await client.analyzeAsync.batches.results(batchId));
}

const scenarios = {
    // Three ways to hand over a file. The stream goes out in chunks without a length.
    async upload(client, { path, name }) {
        const { Blob, File } = require("node:buffer");
        const bytes = fs.readFileSync(path);
        const sources = {
            stream: fs.createReadStream(path),
            blob: new Blob([bytes], { type: "video/mp4" }),
            file: new File([bytes], name, { type: "text/plain" }),
        };
        const seen = {};
        for (const [kind, file] of Object.entries(sources)) {
            const created = await client.assets.create({ method: "direct", file });
            const asset = await readyAsset(client, created);
            seen[kind] = { created, asset };
        }
        const named = await client.assets.create({
            method: "direct",
            file: fs.createReadStream(path),
            filename: "gew\u00e4hlt.mp4",
            enableHls: false,
            enableThumbnail: false,
            userMetadata: JSON.stringify({ shelf: "A\u{1F600}", number: 7, ratio: 0.5, kept: true }),
        });
        seen.named = { created: named, asset: await readyAsset(client, named) };
        return seen;
    },

    async uploadInChunks(client, { path }) {
        const progress = [];
        const result = await client.multipartUpload.uploadFile(path, {
            progressCallback: (now) => progress.push(now.completedChunks),
        });
        return { result, progress, asset: await readyAsset(client, { id: result.assetId }) };
    },

    async batch(client, { request }) {
        const created = await client.analyzeAsync.batches.create(request);
        const early = await linesOf(client, created.batchId);
        const ended = await waitForBatch(client, created.batchId);
        const lines = await linesOf(client, created.batchId);
        return { created, early, ended, lines };
    },

    async createOnly(client, { request }) {
        return await client.analyzeAsync.batches.create(request);
    },

    async results(client, { batchId }) {
        return await linesOf(client, batchId);
    },

    async listBatches(client, { request, limit = 1000 }) {
        const ids = [];
        for await (const batch of await client.analyzeAsync.batches.list(request)) {
            ids.push([batch.batchId, batch.status, batch.createdAt.toISOString()]);
            if (ids.length > limit) throw new Error("the list does not end");
        }
        return ids;
    },

    async cancelAndDelete(client, { request }) {
        const batches = client.analyzeAsync.batches;
        const created = await batches.create(request);
        let now = await batches.retrieve(created.batchId);
        while (now.processingItems === 0) {
            await sleep(20);
            now = await batches.retrieve(created.batchId);
        }
        const earlyDelete = await errorOf(batches.delete(created.batchId));
        const canceling = await batches.cancel(created.batchId);
        const again = await errorOf(batches.cancel(created.batchId));
        const ended = await waitForBatch(client, created.batchId);
        const lines = await linesOf(client, created.batchId);
        const secondCancel = await errorOf(batches.cancel(created.batchId));
        const deleted = (await batches.delete(created.batchId)) ?? null;
        const gone = await errorOf(batches.retrieve(created.batchId));
        const goneResults = await errorOf(batches.results(created.batchId));
        const goneDelete = await errorOf(batches.delete(created.batchId));
        const goneCancel = await errorOf(batches.cancel(created.batchId));
        return {
            created, earlyDelete, canceling, again, ended, lines, secondCancel, deleted, gone, goneResults,
            goneDelete, goneCancel,
        };
    },

    async errors(client, { assetId, calls }) {
        const seen = {};
        const one = { modelName: "pegasus1.5", analysisMode: "general" };
        const item = { video: { type: "asset_id", assetId }, prompt: { inputText: "What?" } };
        const gone = "0123456789abcdef01234567";
        const batches = client.analyzeAsync.batches;
        const tasks = client.analyzeAsync.tasks;
        const all = {
            batchEmpty: () => batches.create({ ...one, requests: [] }),
            batchSchema: () => batches.create({ ...one, requests: [{ ...item, responseFormat: { type: "json_schema",
                jsonSchema: { type: "object", properties: { a: { type: "string", maxLength: 3 } } } } }] }),
            batchUnknownAsset: () => batches.create({ ...one,
                requests: [{ ...item, video: { type: "asset_id", assetId: gone } }] }),
            batchRetrieve: () => batches.retrieve(gone),
            batchResults: () => batches.results(gone),
            batchDelete: () => batches.delete(gone),
            batchCancel: () => batches.cancel(gone),
            batchList: () => batches.list({ pageLimit: 51 }),
            taskCreate: () => tasks.create({ modelName: "pegasus1.5", video: { type: "asset_id", assetId } }),
            taskRetrieve: () => tasks.retrieve(gone),
            taskDelete: () => tasks.delete(gone),
            taskList: () => tasks.list({ page: 0 }),
            analyze: () => client.analyze({ video: { type: "asset_id", assetId }, prompt: "" }),
            analyzeUnknown: () => client.analyze({ video: { type: "asset_id", assetId: gone }, prompt: "What?" }),
            stream: () => client.analyzeStream({ video: { type: "asset_id", assetId: gone }, prompt: "What?" }),
            assetRetrieve: () => client.assets.retrieve(gone),
            assetCreate: () => client.assets.create({ method: "direct" }),
            assetList: () => client.assets.list({ pageLimit: 0 }),
            uploadCreate: () => client.multipartUpload.create({ filename: "a.mp4", type: "video", totalSize: 0 }),
            uploadStatus: () => client.multipartUpload.getStatus(gone),
            badKey: () => new TwelveLabs({ apiKey: "sheaf_wrong" }).analyzeAsync.batches.retrieve(gone),
        };
        for (const name of calls ?? Object.keys(all)) seen[name] = await errorOf(all[name]());
        return seen;
    },

    // A call that the server keeps refusing for load: the library repeats it by itself.
    async refused(client, { request }) {
        const started = Date.now();
        const error = await errorOf(client.analyzeAsync.batches.create(request));
        return { error, ms: Date.now() - started };
    },

    async task(client, { request }) {
        const tasks = client.analyzeAsync.tasks;
        const created = await tasks.create(request);
        let task = await tasks.retrieve(created.taskId);
        while (!["ready", "failed"].includes(task.status)) {
            await sleep(30);
            task = await tasks.retrieve(created.taskId);
        }
        const listed = await tasks.list({ pageLimit: 50 });
        const beyond = await tasks.list({ page: 1000 });
        const deleted = (await tasks.delete(created.taskId)) ?? null;
        return { created, task, listed, beyond, deleted, gone: await errorOf(tasks.retrieve(created.taskId)) };
    },

    async analyze(client, { request }) {
        return await client.analyze(request);
    },

    async analyzeStream(client, { request }) {
        return await collect(await client.analyzeStream(request));
    },

    async assets(client, { path }) {
        const created = [];
        for (let i = 0; i < 3; i++) {
            created.push((await client.assets.create({ method: "direct", file: fs.createReadStream(path),
                filename: `Shelf-${i}.mp4` })).id);
        }
        for (const id of created) await readyAsset(client, { id });
        const listed = (await collect(await client.assets.list({ pageLimit: 1 }))).map((asset) => asset.id);
        const filtered = (await collect(await client.assets.list({ filename: "sHELF-1" }))).map((asset) => asset.id);
        const chosen = (await collect(await client.assets.list({
            assetIds: [created[0], created[2], "0123456789abcdef01234567"],
        }))).map((asset) => asset.id);
        const images = (await collect(await client.assets.list({ assetTypes: ["image", "audio"] }))).length;
        await client.assets.delete(created[1]);
        const gone = await errorOf(client.assets.retrieve(created[1]));
        return { created, listed, filtered, chosen, images, gone };
    },
};

async function main() {
    const [name, argumentsText] = process.argv.slice(2);
    const client = new TwelveLabs({ apiKey: process.env.TWELVE_LABS_API_KEY });
    const seen = await scenarios[name](client, JSON.parse(argumentsText));
    process.stdout.write(`\n${JSON.stringify(seen ?? null)}\n`);
}

main().catch((error) => {
    console.error(error.stack ?? error, error.statusCode ?? "", JSON.stringify(error.body ?? null));
    process.exitCode = 1;
});
