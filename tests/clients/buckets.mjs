// Buckets by the unmodified npm client. HUB_URL, ANA and BEN (tokens) are in the environment.
import assert from "node:assert/strict";
import {
    commit, copyFile, copyFolder, createRepo, deleteFile, deleteFiles, deleteRepo, downloadFile, fileDownloadInfo,
    fileExists, HubApiError, listFiles, pathsInfo, repoExists, uploadFile, uploadFiles,
} from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA: ana, BEN: ben } = process.env;
const repo = { type: "bucket", name: "ana/store" };
const at = { hubUrl, accessToken: ana, repo };

async function list(more = {}) {
    const found = [];
    for await (const entry of listFiles({ ...at, ...more })) {
        found.push(entry.type === "file" ? `${entry.path} ${entry.size}` : `${entry.path}/`);
    }
    return found;
}
async function text(path, more = {}) {
    const blob = await downloadFile({ ...at, path, ...more });
    return blob && (await blob.text());
}
const fails = (status, work) => assert.rejects(work, (error) => {
    assert.ok(error instanceof HubApiError, String(error));
    assert.equal(error.statusCode, status, error.message);
    return true;
});

const made = await createRepo(at);
assert.equal(made.repoUrl, `${hubUrl}/buckets/ana/store`);
await fails(409, () => createRepo(at));
await fails(403, () => createRepo({ ...at, accessToken: ben, repo: { type: "bucket", name: "ana/mine" } }));

const large = new Blob([new Uint8Array(300_000).map((_, i) => (i * i) >> 3)]);
await uploadFiles({
    ...at,
    files: [{ path: "a.txt", content: new Blob(["one"]) }, { path: "d/b.txt", content: new Blob(["two"]) },
            { path: "d/e/c.bin", content: large }],
});
assert.deepEqual(await list({ recursive: true }), ["a.txt 3", "d/b.txt 3", "d/e/c.bin 300000"]);
assert.deepEqual(await list({ recursive: false }), ["a.txt 3", "d/"]);
assert.deepEqual(await list({ path: "d" }), ["d/b.txt 3", "d/e/"]);
assert.equal(await text("a.txt"), "one");
assert.equal(await text("d/b.txt", { xet: false }), "two");
assert.deepEqual(await (await downloadFile({ ...at, path: "d/e/c.bin" })).arrayBuffer(), await large.arrayBuffer());
assert.equal(await downloadFile({ ...at, path: "none" }), null);
assert.equal(await fileExists({ ...at, path: "d/b.txt" }), true);
assert.equal(await fileExists({ ...at, path: "d" }), false);
const info = await fileDownloadInfo({ ...at, path: "d/e/c.bin" });
assert.equal(info.size, 300_000);
assert.match(info.xet.refreshUrl.pathname, /\/api\/buckets\/ana\/store\/xet-read-token$/);
const [file, folder] = await pathsInfo({ ...at, paths: ["d/b.txt", "d/e", "none"] });
assert.deepEqual([file.type, file.size, folder.type, folder.path], ["file", 3, "directory", "d/e"]);

// What the gate refuses becomes no file, whatever it is called.
const pickle = new Blob(["cos\nsystem\n(S'id'\ntR."]);
await assert.rejects(() => uploadFile({ ...at, file: { path: "weights.gguf", content: pickle } }), /weights\.gguf/);
assert.equal(await fileExists({ ...at, path: "weights.gguf" }), false);

// Anew under the same path, and what is the same is not sent again.
await uploadFile({ ...at, file: { path: "a.txt", content: new Blob(["one more"]) } });
assert.equal(await text("a.txt"), "one more");

// From one bucket to another, and from a repository; not from what the caller may not read.
const other = { type: "bucket", name: "ana/other" };
await createRepo({ ...at, repo: other });
await copyFile({ ...at, source: { repo, path: "d/e/c.bin" }, destination: { repo: other, path: "copied.bin" } });
await copyFolder({ ...at, source: { repo, path: "d" }, destination: { repo: other, path: "all/" } });
assert.deepEqual(await list({ repo: other, recursive: true }), ["all/b.txt 3", "all/e/c.bin 300000", "copied.bin 300000"]);
const hidden = { type: "model", name: "ana/hidden" };
await createRepo({ ...at, repo: hidden, visibility: "private" });
await uploadFile({ ...at, repo: hidden, file: { path: "w.bin", content: new Blob([large, "secret"]) } });
const [secret] = await pathsInfo({ ...at, repo: hidden, paths: ["w.bin"] });
await copyFile({ ...at, source: { repo: hidden, path: "w.bin" }, destination: { repo: other, path: "w.bin" } });
assert.equal((await (await downloadFile({ ...at, repo: other, path: "w.bin" })).arrayBuffer()).byteLength, 300_006);
const bens = { type: "bucket", name: "ben/b" };
await createRepo({ ...at, accessToken: ben, repo: bens });
await assert.rejects(() => commit({
    hubUrl, accessToken: ben, repo: bens, title: "a hash is not the bytes",
    operations: [{ operation: "copy", path: "w.bin", sourceRepo: hidden, sourceXetHash: secret.xetHash }],
}), /Failed to upload 1 file/);
assert.deepEqual(await list({ accessToken: ben, repo: bens }), []);

await deleteFile({ ...at, path: "a.txt" });
await deleteFiles({ ...at, repo: other, paths: ["copied.bin", "w.bin"] });
assert.deepEqual(await list({ repo: other, recursive: true }), ["all/b.txt 3", "all/e/c.bin 300000"]);
await fails(403, () => uploadFile({ ...at, accessToken: ben, file: { path: "x", content: new Blob(["x"]) } }));

// Private: nobody else knows that it is there.
const mine = { type: "bucket", name: "ana/mine" };
await createRepo({ ...at, repo: mine, visibility: "private" });
await uploadFile({ ...at, repo: mine, file: { path: "x", content: new Blob(["mine"]) } });
assert.equal(await text("x", { repo: mine }), "mine");
await fails(404, () => downloadFile({ hubUrl, accessToken: ben, repo: mine, path: "x" }));
await fails(401, () => downloadFile({ hubUrl, repo: mine, path: "x" }));
await deleteRepo({ ...at, repo: mine });
assert.equal(await repoExists({ ...at, repo: mine }), false);
