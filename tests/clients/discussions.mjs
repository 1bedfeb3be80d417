// Pull requests by the unmodified npm client, which discussions_test.py runs: by who may write, and by who may only read.
import assert from "node:assert/strict";
import { commit, countCommits, createRepo, downloadFile, HubApiError, listFiles, uploadFile } from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA, BEN } = process.env;
const repo = { type: "model", name: "ana/npm" };
const ana = { hubUrl, accessToken: ANA, repo };
const ben = { hubUrl, accessToken: BEN, repo };

const text = async (at, path, revision) => (await downloadFile({ ...at, path, revision }))?.text();
const put = (path, content) => [{ operation: "addOrUpdate", path, content: new Blob([content]) }];

async function fails(status, words, work) {
    await assert.rejects(work, (error) => {
        assert.ok(error instanceof HubApiError, String(error));
        assert.equal(error.statusCode, status, error.message);
        assert.ok(error.message.includes(words), error.message);
        return true;
    });
}

await createRepo({ hubUrl, accessToken: ANA, repo });
const start = await countCommits(ana);
const made = await commit({ ...ben, isPullRequest: true, title: "A file", description: "by ben", operations: put("a.txt", "a") });
assert.equal(made.pullRequestUrl, `${hubUrl}/ana/npm/discussions/1`);
assert.equal(await text(ben, "a.txt", "main"), undefined);
assert.equal(await text(ben, "a.txt", "refs/pr/1"), "a");
assert.equal(await countCommits({ ...ben, revision: "refs/pr/1" }), start + 1);

// More of it: text, a large file by Xet, one by plain LFS; by who opened it and by who may write.
const noise = new Uint8Array(300_000).map((_, i) => (i * 2654435761) >>> 13);
await commit({ ...ben, branch: "refs/pr/1", title: "more", operations: put("b.txt", "b") });
await commit({ ...ana, branch: "refs/pr/1", title: "hers", operations: put("c.txt", "c") });
for (const [path, useXet] of [["x.bin", true], ["y.bin", false]]) {
    const operations = put(path, useXet ? noise : noise.toReversed());
    await commit({ ...ben, branch: "refs/pr/1", title: path, operations, useXet });
}
const files = [];
for await (const file of listFiles({ ...ben, revision: "refs/pr/1" })) {
    files.push(file.path);
}
assert.deepEqual(files.sort(), [".gitattributes", "a.txt", "b.txt", "c.txt", "x.bin", "y.bin"]);
assert.deepEqual(new Uint8Array(await (await downloadFile({ ...ben, path: "x.bin", revision: "refs/pr/1" })).arrayBuffer()), noise);

// One that begins with large files: by Xet, then by plain LFS.
for (const useXet of [true, false]) {
    const operations = put("large.bin", noise.map((byte) => byte ^ (useXet ? 1 : 2)));
    await commit({ ...ben, isPullRequest: true, title: "Large", operations, useXet });
}
assert.equal((await downloadFile({ ...ana, path: "large.bin", revision: "refs/pr/3" })).size, noise.length);

// Reading is no right to write anywhere else.
await fails(403, "may not write to ana/npm", () => uploadFile({ ...ben, file: { path: "d.txt", content: new Blob(["d"]) } }));
await fails(404, "Invalid rev id: refs/pr/9", () => commit({ ...ben, branch: "refs/pr/9", title: "t", operations: put("d", "d") }));
const hers = await commit({ ...ana, isPullRequest: true, title: "Hers", operations: put("d.txt", "d") });
assert.ok(hers.pullRequestUrl.endsWith("/discussions/4"));
await fails(403, "only who opened pull request 4", () =>
    commit({ ...ben, branch: "refs/pr/4", title: "t", operations: put("e.txt", "e") }));
await fails(400, "nothing to propose", () => commit({ ...ben, isPullRequest: true, title: "t", operations: [] }));
console.log("npm @huggingface/hub: pull requests work");
