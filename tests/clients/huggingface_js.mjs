// What the unmodified npm client does against a hub. The environment says where and as whom; the last line printed is
// JSON with what huggingface_js_test.py checks.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import {
    checkRepoAccess, commit, createRepo, deleteFile, deleteRepo, downloadFile, fileDownloadInfo, fileExists, HubApiError,
    listFiles, listModels, modelInfo, pathsInfo, repoExists, uploadFile, uploadFiles, whoAmI,
} from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA: ana, BEN: ben, EXPIRED: expired, FOLDER: folder } = process.env;
const repo = { type: "model", name: "ana/js" };
const at = { hubUrl, accessToken: ana, repo };

/// Counts the bytes of xorbs that leave, by the client's own seam for a fetch function.
let sent = 0;
const counting = (url, init) => {
    if (String(url).includes("/cas/v1/xorbs/")) {
        sent += init.body.byteLength;
    }
    return fetch(url, init);
};
async function counted(work) {
    sent = 0;
    const result = await work();
    return { bytes: sent, result };
}

const sha256 = (bytes) => createHash("sha256").update(new Uint8Array(bytes)).digest("hex");

/// splitmix64, as the vectors of the Xet formats use it.
function noise(seed, length) {
    const mask = (1n << 64n) - 1n;
    const out = Buffer.alloc(Math.ceil(length / 8) * 8);
    let state = BigInt(seed);
    for (let i = 0; i < out.length; i += 8) {
        state = (state + 0x9e3779b97f4a7c15n) & mask;
        let z = state;
        z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
        z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
        out.writeBigUInt64LE(z ^ (z >> 31n), i);
    }
    return out.subarray(0, length);
}

async function upload(path, content, more = {}) {
    return counted(() => uploadFile({ ...at, fetch: counting, useXet: true, file: { path, content: new Blob([content]) },
                                      ...more }));
}

async function download(path, more = {}) {
    const blob = await downloadFile({ ...at, path, ...more });
    assert.ok(blob, `${path} is there`);
    return sha256(await blob.arrayBuffer());
}

async function fails(status, code, work) {
    await assert.rejects(work, (error) => {
        assert.ok(error instanceof HubApiError, String(error));
        assert.equal(error.statusCode, status, error.message);
        assert.ok(error.requestId, "errors name the request");
        assert.match(error.message, code);
        return true;
    });
}

const found = {};

// Who, and a new repository.
assert.equal((await whoAmI({ hubUrl, accessToken: ana })).name, "ana");
assert.equal(await repoExists({ hubUrl, repo }), false);
const made = await createRepo({ hubUrl, accessToken: ana, repo, license: "mit" });
assert.equal(made.repoUrl, `${hubUrl}/ana/js`);
assert.equal(await repoExists({ hubUrl, repo }), true);
await checkRepoAccess({ hubUrl, accessToken: ana, repo });

// A file by Xet, then the same with an edit in its middle, then the same once more.
const random = noise(1, 10 << 20);
await writeFile(`${folder}/random.bin`, random);
const first = await upload("random.bin", random);
found.first = first.bytes;
found.firstCommit = first.result.commit.oid;
const edited = Buffer.from(random);
edited.write("a small edit in the middle", 5 << 20);
found.edit = (await upload("random.bin", edited)).bytes;
found.same = (await upload("copy.bin", random)).bytes;

const text = Buffer.from(Array.from({ length: 60000 }, (_, i) => `{"line": ${i}, "text": "much the same"}\n`).join(""));
found.compressibleSize = text.length;
found.compressible = (await upload("lines.bin", text)).bytes;

// Back again, by Xet and without, whole and in part, now and as it was.
for (const xet of [true, false]) {
    for (const parallelDownloads of [true, false]) {
        assert.equal(await download("random.bin", { xet, parallelDownloads }), sha256(edited));
    }
    assert.equal(await download("random.bin", { xet, revision: found.firstCommit }), sha256(random));
    assert.equal(await download("copy.bin", { xet }), sha256(random));
    assert.equal(await download("lines.bin", { xet }), sha256(text));
    const blob = await downloadFile({ ...at, path: "random.bin", xet });
    const middle = await blob.slice((5 << 20) - 10, (5 << 20) + 200_000).arrayBuffer();
    assert.equal(sha256(middle), sha256(edited.subarray((5 << 20) - 10, (5 << 20) + 200_000)));
}
const info = await fileDownloadInfo({ ...at, path: "random.bin", revision: found.firstCommit });
assert.equal(info.size, random.length);
assert.equal(info.etag, `"${sha256(random)}"`);
found.hash = info.xet.hash;

// Several files at once: text goes to git, the rest by Xet; an edit without the whole file.
const many = await uploadFiles({
    ...at, useXet: true, parentCommit: (await modelInfo({ hubUrl, name: repo.name, additionalFields: ["sha"] })).sha,
    files: [{ path: "d/a.txt", content: new Blob(["one"]) }, { path: "d/b.bin", content: new Blob([noise(3, 300_000)]) },
            { path: "d/c.bin", content: new Blob([noise(4, 300_000)]) }, { path: "empty.bin", content: new Blob([]) }],
});
assert.match(many.commit.url, new RegExp(`^${hubUrl}/ana/js/commit/[0-9a-f]{40}$`));
assert.equal(await download("d/b.bin"), sha256(noise(3, 300_000)));
assert.equal(await (await downloadFile({ ...at, path: "d/a.txt" })).text(), "one");
assert.equal((await downloadFile({ ...at, path: "empty.bin" })).size, 0);
const paths = [];
for await (const file of listFiles({ hubUrl, repo, recursive: true, expand: true })) {
    paths.push(file.path);
    assert.equal(file.lastCommit.id === many.commit.oid, file.path.startsWith("d") || file.path === "empty.bin", file.path);
}
assert.deepEqual(paths.sort(), [".gitattributes", "README.md", "copy.bin", "d", "d/a.txt", "d/b.bin", "d/c.bin",
                                "empty.bin", "lines.bin", "random.bin"]);
const [told, plain] = await pathsInfo({ hubUrl, repo, paths: ["d/b.bin", "d/a.txt"], expand: true });
assert.equal(told.lfs.oid, sha256(noise(3, 300_000)));
assert.equal(told.securityFileStatus.status, "suspicious"); // bytes of no known format
assert.equal(plain.securityFileStatus.status, "safe");
const models = [];
for await (const model of listModels({ hubUrl, search: { owner: "ana" } })) {
    models.push(model.name);
}
assert.deepEqual(models, ["ana/js"]);

await deleteFile({ ...at, path: "d/a.txt" });
assert.equal(await fileExists({ hubUrl, repo, path: "d/a.txt" }), false);
assert.equal(await fileExists({ hubUrl, repo, path: "d/b.bin" }), true);
assert.equal(await downloadFile({ ...at, path: "d/a.txt" }), null);

// A private repository, and what others get.
const hidden = { type: "model", name: "ana/private" };
await createRepo({ hubUrl, accessToken: ana, repo: hidden, visibility: "private" });
await uploadFile({ hubUrl, accessToken: ana, repo: hidden, file: { path: "w.bin", content: new Blob([noise(5, 400_000)]) } });
assert.equal(await download("w.bin", { repo: hidden }), sha256(noise(5, 400_000)));
await fails(404, /Repository not found/, () => downloadFile({ hubUrl, accessToken: ben, repo: hidden, path: "w.bin" }));
await fails(401, /Repository not found/, () => downloadFile({ hubUrl, repo: hidden, path: "w.bin" }));

// Errors as a client tells them.
const wrong = `hf_${"0".repeat(40)}`;
const one = { path: "x.bin", content: new Blob([noise(6, 100_000)]) };
await fails(401, /Invalid credentials/, () => uploadFile({ ...at, accessToken: wrong, file: one }));
await fails(401, /Invalid credentials/, () => uploadFile({ ...at, accessToken: expired, file: one }));
await fails(401, /Invalid credentials/, () => whoAmI({ hubUrl, accessToken: expired }));
await fails(403, /may not write/, () => uploadFile({ ...at, accessToken: ben, file: one }));
await fails(404, /Repository not found/, () => uploadFile({ ...at, repo: { type: "model", name: "ana/none" }, file: one }));
await fails(404, /Invalid rev id/, () => uploadFile({ ...at, branch: "none", file: one }));
await fails(409, /already created/, () => createRepo({ hubUrl, accessToken: ana, repo }));
await fails(412, /branch was updated/, () => commit({
    ...at, title: "late", parentCommit: found.firstCommit,
    operations: [{ operation: "addOrUpdate", path: "late.txt", content: new Blob(["late"]) }],
}));
await fails(422, /../, () => uploadFile({ ...at, file: { path: "../x.txt", content: new Blob(["x"]) } }));

// Without Xet: plain Git LFS.
await uploadFile({ ...at, useXet: false, file: one });
assert.equal(await download("x.bin", { repo }), sha256(noise(6, 100_000)));

// Other types, and the end.
for (const type of ["dataset", "space"]) {
    const other = { type, name: "ana/other" };
    await createRepo({ hubUrl, accessToken: ana, repo: other });
    await uploadFile({ hubUrl, accessToken: ana, repo: other, file: { path: "w.bin", content: new Blob([noise(8, 200_000)]) } });
    assert.equal(await download("w.bin", { repo: other }), sha256(noise(8, 200_000)));
    await deleteRepo({ hubUrl, accessToken: ana, repo: other });
    assert.equal(await repoExists({ hubUrl, accessToken: ana, repo: other }), false);
}
console.log(JSON.stringify(found));
