// What the browser tests share: Debian's Chromium under playwright-core, a sink that counts every
// connection that would leave this machine, and axe-core.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { kFeaturesOff } from '../../web/page-check/features_off.mjs';

const kAxe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * A server that stands for the outside world, with and without TLS on one port. It tells whole
 * requests from bare connections: a browser may look a name up and connect to it ahead of a
 * navigation that it then refuses.
 */
export async function openSink() {
    const folder = mkdtempSync(join(tmpdir(), 'locara-sink-'));
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=leak.example', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    let requests = [];
    let connections = 0;
    const answer = (request, response) => {
        requests.push(`${request.method} ${request.url}`);
        response.writeHead(200, { 'Access-Control-Allow-Origin': '*', 'Content-Type': 'text/html' });
        response.end('ok');
    };
    const plain = createHttpServer(answer);
    const secure = createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer);
    rmSync(folder, { recursive: true, force: true });
    for (const server of [plain, secure]) {
        server.on('upgrade', (request, socket) => {
            requests.push(`UPGRADE ${request.url}`);
            socket.destroy();
        });
        server.on('clientError', (_, socket) => socket.destroy());
        server.on('tlsClientError', () => undefined);
    }
    const sockets = new Set();
    const server = createServer((socket) => {
        connections++;
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => sockets.delete(socket));
        socket.once('data', (data) => {
            socket.pause();
            // Anything that is neither TLS nor HTTP (TURN, say) carries data as well.
            const text = data.toString('latin1');
            const kind = data[0] === 0x16 ? secure : /^[A-Z]+ /.test(text) ? plain : null;
            if (kind === null) {
                requests.push(`bytes ${data.toString('hex').slice(0, 40)}`);
                socket.destroy();
                return;
            }
            socket.unshift(data);
            kind.emit('connection', socket);
            if (kind === plain) process.nextTick(() => socket.resume());
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
        port: server.address().port,
        /** What has come in since the last call. */
        take: () => {
            const seen = { requests, connections };
            requests = [];
            connections = 0;
            return seen;
        },
        close: () => {
            for (const socket of sockets) socket.destroy();
            server.close();
        },
    };
}

/**
 * An ordinary profile, as a person has it, in a folder that goes away with the context. With
 * `confined`, the browser resolves no name but ours: the way to start one that can reach nothing.
 */
export async function openBrowser(sink, { confined = false, ...options } = {}) {
    const profile = mkdtempSync(join(tmpdir(), 'locara-browser-'));
    const ours = 'EXCLUDE localhost, EXCLUDE *.localhost';
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: process.env.LOCARA_CHROMIUM ?? '/usr/bin/chromium',
        headless: true,
        acceptDownloads: true,
        viewport: { width: 1280, height: 800 },
        ...options,
        args: [
            '--no-sandbox',
            '--disable-gpu',
            '--disable-dev-shm-usage',
            '--disable-background-networking',
            '--disable-component-update',
            '--no-first-run',
            // The sink signs for itself: without this, TLS would hide what would have been asked.
            '--ignore-certificate-errors',
            `--disable-features=${kFeaturesOff.join(',')}`,
            ...(confined
                ? [`--host-resolver-rules=MAP * ~NOTFOUND, ${ours}`, '--webrtc-ip-handling-policy=disable_non_proxied_udp']
                : // What the browser itself wants from its maker finds no host; a page's leak finds the sink.
                  [`--host-resolver-rules=MAP leak.example 127.0.0.1, MAP * ~NOTFOUND, ${ours}, EXCLUDE 127.0.0.1`]),
        ],
    });
    context.setDefaultTimeout(20_000);
    return {
        context,
        close: async () => {
            await context.close();
            rmSync(profile, { recursive: true, force: true });
        },
    };
}

/** The frame of the app inside the shell, once it can be used. */
export async function appFrame(page, ready) {
    const deadline = Date.now() + 20_000;
    for (;;) {
        try {
            const element = await page.waitForSelector('iframe');
            const frame = await element.contentFrame();
            await frame.waitForSelector(ready, { timeout: 5_000 });
            return frame;
        } catch (error) {
            // The shell may just be exchanging one frame for the next.
            if (Date.now() > deadline) throw error;
        }
    }
}

/** What axe-core finds wrong in the given page or frame, one line each. */
export async function violations(frame) {
    await frame.evaluate(kAxe);
    const found = await frame.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    return found.violations.map(
        (violation) => `${violation.id}: ${violation.nodes.map((node) => node.target.join(' ')).join(', ')}`,
    );
}
