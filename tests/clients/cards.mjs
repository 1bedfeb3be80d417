// Lists by the unmodified npm client: what cards say decides what is found. HUB_URL is in the environment.
import assert from "node:assert/strict";
import { listDatasets, listModels, modelInfo } from "@huggingface/hub";

const { HUB_URL: hubUrl } = process.env;
const names = async (list, options) => {
    const found = [];
    for await (const one of list({ hubUrl, ...options })) {
        found.push(one.name);
    }
    return found;
};

assert.deepEqual(await names(listModels, { search: { task: "text-generation" } }), ["ana/tiny"]);
assert.deepEqual(await names(listModels, { search: { tags: ["license:mit", "de"] } }), ["ana/tiny"]);
assert.deepEqual(await names(listModels, { search: { tags: ["license:mit", "fr"] } }), []);
assert.deepEqual(await names(listModels, { search: { query: "TIN" } }), ["ana/tiny"]);
assert.deepEqual(await names(listModels, { search: { owner: "ana" }, sort: "id" }), ["ana/bare", "ana/tiny"]);
assert.deepEqual(await names(listDatasets, { search: { tags: ["task_categories:text-classification"] } }), ["ana/rows"]);

const info = await modelInfo({ hubUrl, name: "ana/tiny", additionalFields: ["cardData", "library_name", "tags"] });
assert.equal(info.task, "text-generation");
assert.equal(info.library_name, "transformers");
assert.equal(info.cardData.base_model, "acme/base");
assert.ok(info.tags.includes("base_model:quantized:acme/base"));
