// Bundles each *.test.ts of the given folder with esbuild (it comes with Vite) and runs them all
// under node's own test runner. Node 18 cannot read TypeScript, so nothing here relies on that.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const folder = resolve(process.argv[2] ?? 'test');
const entries = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
if (entries.length === 0) {
    console.error(`run-tests: no *.test.ts in ${folder}`);
    process.exit(1);
}
const out = mkdtempSync(join(tmpdir(), 'locara-web-test-'));
try {
    await build({
        entryPoints: entries,
        outdir: out,
        outExtension: { '.js': '.mjs' },
        bundle: true,
        platform: 'node',
        target: 'node18',
        format: 'esm',
        sourcemap: 'inline',
        logLevel: 'warning',
    });
    const files = readdirSync(out).map((name) => join(out, name));
    const run = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], { stdio: 'inherit' });
    process.exitCode = run.status ?? 1;
} finally {
    rmSync(out, { recursive: true, force: true });
}
