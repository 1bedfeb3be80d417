// What the unmodified npm client does with a catalog: HUB_URL, the folder of its state (with the pinned root.json in it),
// and the targets to fetch. The last line printed is JSON with what tuf_js_test.py checks.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Metadata, MetadataKind } from "@tufjs/models";
import tuf from "tuf-js";

const { HUB_URL: hub, STATE: state, TARGETS: targets } = process.env;
const updater = new tuf.Updater({
    metadataDir: state,
    metadataBaseUrl: `${hub}/catalog/metadata`,
    targetDir: join(state, "targets"),
    targetBaseUrl: `${hub}/catalog/targets`,
});
await updater.refresh();
const found = {};
for (const name of JSON.parse(targets)) {
    const info = await updater.getTargetInfo(name);
    found[name] = info === undefined ? null : await updater.downloadTarget(info);
}
const versions = {};
for (const role of ["root", "timestamp", "snapshot", "targets"]) {
    const json = JSON.parse(readFileSync(join(state, `${role}.json`), "utf8"));
    versions[role] = Metadata.fromJSON(MetadataKind[role[0].toUpperCase() + role.slice(1)], json).signed.version;
}
console.log(JSON.stringify({ found, versions }));
