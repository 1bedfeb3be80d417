import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayRun, safeFileName, sizeText } from '../src/files';
import { askSession, kGone, kNoSession, labelOf, loadSession, originOf, parseLaunch, refOf, storeSession } from '../src/launch';

const kOrigin = 'http://locara--quick-add.localhost:17863';
const kAnswer = {
    token: 'f'.repeat(64),
    origin: kOrigin,
    app: { id: 'locara/quick-add', name: 'Quick Add', version: '1.0.0', publisher: 'locara', description: 'd', kind: 'web' },
    facts: [
        { subject: 'network', text: 'No network.', mark: 'enforced' },
        { subject: 'x', text: 'y', mark: 'sworn' },
        'nonsense',
    ],
};

test('reads the label of an app from the path and nothing else', () => {
    assert.equal(labelOf('/app/locara--quick-add'), 'locara--quick-add');
    assert.equal(labelOf('/app/locara--quick-add/'), 'locara--quick-add');
    for (const path of ['/', '/app/', '/app/quick-add', '/app/a--b/c', '/app/A--b', '/app/a--b%2e', '/app/a---b',
        `/app/${'a'.repeat(40)}--${'b'.repeat(40)}`, '/app/evil.example--x']) {
        assert.equal(labelOf(path), null, path);
    }
    assert.equal(refOf('my-lab--quick-add'), 'my-lab/quick-add');
    assert.equal(originOf('a--b', { protocol: 'http:', port: '17863' }), 'http://a--b.localhost:17863');
    assert.equal(originOf('a--b', { protocol: 'http:', port: '' }), 'http://a--b.localhost');
});

test('takes a session only for the origin of its own label', () => {
    const launch = parseLaunch(kAnswer, kOrigin);
    assert.equal(launch?.app.name, 'Quick Add');
    assert.deepEqual(launch?.facts, [{ subject: 'network', text: 'No network.', mark: 'enforced' }]);
    assert.equal(launch?.save, true);
    assert.equal(parseLaunch({ ...kAnswer, save: false }, kOrigin)?.save, false);
    assert.equal(parseLaunch({ ...kAnswer, origin: 'http://evil.example' }, kOrigin), null);
    assert.equal(parseLaunch({ ...kAnswer, token: 'short' }, kOrigin), null);
    assert.equal(parseLaunch({ ...kAnswer, app: [] }, kOrigin), null);
    assert.equal(parseLaunch(null, kOrigin), null);
});

test('keeps a session for a reload, and forgets what it cannot read', () => {
    const kept = new Map<string, string>();
    const fake = {
        getItem: (key: string) => kept.get(key) ?? null,
        setItem: (key: string, value: string) => void kept.set(key, value),
    } as unknown as Storage;
    const storage = (): Storage => fake;
    const refused = (): Storage => {
        throw new DOMException('denied', 'SecurityError');
    };
    const launch = parseLaunch(kAnswer, kOrigin);
    assert.ok(launch);
    storeSession(storage, 'locara--quick-add', launch);
    assert.deepEqual(loadSession(storage, 'locara--quick-add', kOrigin), launch);
    assert.equal(loadSession(storage, 'locara--other', kOrigin), null);
    storeSession(refused, 'locara--quick-add', launch);
    assert.equal(loadSession(refused, 'locara--quick-add', kOrigin), null);
    kept.set('locara.session.locara--quick-add', '{"token":');
    assert.equal(loadSession(storage, 'locara--quick-add', kOrigin), null);
});

test('learns whether a session stands, and why not', async () => {
    const real = globalThis.fetch;
    const answer = (status: number, body: unknown): void => {
        globalThis.fetch = () => Promise.resolve(new Response(JSON.stringify(body), { status }));
    };
    try {
        answer(200, { stands: true });
        assert.equal(await askSession('a--b', 'token'), null);
        answer(401, { code: 'wrong_token' });
        assert.equal(await askSession('a--b', 'token'), kNoSession);
        answer(403, { code: 'refused', detail: 'a/b was called back on 2026-11-29: it lies' });
        const refusal = await askSession('a--b', 'token');
        assert.equal(refusal?.text, 'a/b was called back on 2026-11-29: it lies');
        assert.equal(refusal.again, false);
        globalThis.fetch = () => Promise.reject(new TypeError('refused'));
        assert.equal(await askSession('a--b', 'token'), kGone);
    } finally {
        globalThis.fetch = real;
    }
});

test('shows file names as what they are', () => {
    assert.equal(safeFileName('tasks.ics'), 'tasks.ics');
    assert.equal(safeFileName('../../etc/passwd'), 'etc-passwd');
    assert.equal(safeFileName('C:\\boot.ini'), 'C-boot.ini');
    assert.equal(safeFileName('in\u202Egnp.exe'), 'ingnp.exe');
    assert.equal(safeFileName('a\u200bb\r\nc.txt'), 'abc.txt');
    assert.equal(safeFileName('.bashrc'), 'bashrc');
    assert.equal(safeFileName('  ...  '), 'file');
    assert.equal(safeFileName(''), 'file');
    assert.equal(safeFileName(`${'x'.repeat(300)}.json`), `${'x'.repeat(115)}.json`);
    assert.equal(safeFileName('Übung 🍦.json'), 'Übung 🍦.json');
});

test('says sizes in base 10 and warns about programs', () => {
    assert.deepEqual([0, 1, 999, 1000, 15_400, 999_900, 2_500_000].map(sizeText),
        ['0 bytes', '1 byte', '999 bytes', '1.0 kB', '15 kB', '1.0 MB', '2.5 MB']);
    assert.ok(mayRun('a.sh') && mayRun('x.tar.EXE') && mayRun('page.html'));
    assert.ok(!mayRun('tasks.ics') && !mayRun('tasks.json') && !mayRun('sh'));
});
