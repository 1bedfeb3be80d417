// Runs the browser tests against a Locara that is already set up.
//   node tests/browser/run.mjs [--url URL] [--prompt-url URL] [--screenshots]
// URL is what `locara run locara/quick-add` prints, --prompt-url the same for locara/task-form; each
// opens an app once, and only the apps that are given are tested. With neither, both are asked from
// the program in $LOCARA_BIN (a folder).
// --screenshots also writes the pictures of the apps' cards, below apps/*/screenshots.
import { execFileSync, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
    options: { url: { type: 'string' }, 'prompt-url': { type: 'string' }, screenshots: { type: 'boolean', default: false } },
});

function launch(app) {
    const out = execFileSync(join(process.env.LOCARA_BIN, 'locara'), ['run', app], { encoding: 'utf8', timeout: 120_000 });
    const url = /http:\/\/locara\.localhost:\d+\/app\/[a-z0-9-]+#\S+/.exec(out)?.[0];
    if (url === undefined) throw new Error(`locara run ${app} printed no address:\n${out}`);
    return url;
}

let { url, 'prompt-url': promptUrl } = values;
if (url === undefined && promptUrl === undefined) {
    if (!process.env.LOCARA_BIN) {
        console.error('run.mjs: give --url URL or --prompt-url URL, or set LOCARA_BIN to the folder of the program locara');
        process.exit(2);
    }
    url = launch('locara/quick-add');
    promptUrl = launch('locara/task-form');
}
const files = [
    ...(url === undefined ? [] : ['quick_add.test.mjs']),
    ...(promptUrl === undefined ? [] : ['task_form.test.mjs']),
];
const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...files.map((name) => join(here, name))], {
    stdio: 'inherit',
    env: {
        ...process.env,
        LOCARA_URL: url ?? '',
        LOCARA_PROMPT_URL: promptUrl ?? '',
        LOCARA_SCREENSHOTS: values.screenshots ? join(here, '../../apps') : '',
    },
});
child.on('exit', (code) => process.exit(code ?? 1));
