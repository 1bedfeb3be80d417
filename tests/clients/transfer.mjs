// One transfer with the unmodified npm client: `transfer.mjs upload|download REPO PATH LOCAL`. HUB_URL and TOKEN are in
// the environment. Prints, as JSON, the commit made or what the hub says of the file.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { downloadFile, fileDownloadInfo, uploadFile } from "@huggingface/hub";

const { HUB_URL: hubUrl, TOKEN: accessToken } = process.env;
const [verb, name, path, local] = process.argv.slice(2);
const at = { hubUrl, accessToken, repo: { type: "model", name } };

let found;
if (verb === "upload") {
    const content = new Blob([await readFile(local)]);
    found = (await uploadFile({ ...at, useXet: true, file: { path, content } })).commit;
} else {
    const blob = await downloadFile({ ...at, path, xet: true });
    assert.ok(blob, `${path} is there`);
    await writeFile(local, new Uint8Array(await blob.arrayBuffer()));
    found = await fileDownloadInfo({ ...at, path });
}
console.log(JSON.stringify(found));
