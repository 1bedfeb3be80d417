import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, LocaraError, readChat, type Page, type Session } from '../src/index.js';

const kShell = 'http://locara.localhost:17863';
const kToken = 'a'.repeat(64);
const kSession = { locara: 1, type: 'session', token: kToken, app: { id: 'locara/x', name: 'X', version: '1.0.0' } };

type Handler = Parameters<Page['listen']>[0];

class FakePage implements Page {
    readonly location = { protocol: 'http:', port: '17863', origin: 'http://locara--x.localhost:17863' };
    framed = true;
    readonly sent: { message: Record<string, unknown>; origin: string }[] = [];
    readonly parent = {
        postMessage: (message: unknown, origin: string): void => {
            this.sent.push({ message: message as Record<string, unknown>, origin });
        },
    };
    handler: Handler = () => undefined;
    requests: { path: string; init: RequestInit }[] = [];
    answer: () => Promise<Response> = () => Promise.resolve(new Response('{}'));

    listen(handler: Handler): void {
        this.handler = handler;
    }

    fetch(path: string, init: RequestInit): Promise<Response> {
        this.requests.push({ path, init });
        return this.answer();
    }

    say(data: unknown, origin = kShell, source: unknown = this.parent): void {
        this.handler({ data, origin, source });
    }
}

async function connected(): Promise<{ page: FakePage; session: Session }> {
    const page = new FakePage();
    const waiting = connect({}, page);
    page.say(kSession);
    return { page, session: await waiting };
}

function stream(...parts: (string | Error)[]): ReadableStream<Uint8Array> {
    const queue = [...parts];
    return new ReadableStream({
        pull(controller) {
            const part = queue.shift();
            if (part === undefined) controller.close();
            else if (part instanceof Error) controller.error(part);
            else controller.enqueue(new TextEncoder().encode(part));
        },
    });
}

const delta = (content: string, finish: string | null = null): string =>
    `data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: finish }] })}\n\n`;

const fails = (code: string, words?: RegExp) => (error: unknown): boolean => {
    assert.ok(error instanceof LocaraError, String(error));
    assert.equal(error.code, code);
    if (words) assert.match(error.message, words);
    return true;
};

test('says hello to the exact shell origin and takes the session from nobody else', async () => {
    const page = new FakePage();
    let done = false;
    const waiting = connect({}, page).then((session) => {
        done = true;
        return session;
    });
    assert.deepEqual(page.sent, [{ message: { locara: 1, type: 'ready' }, origin: kShell }]);
    page.say(kSession, 'http://evil.localhost:17863');
    page.say(kSession, 'http://locara.localhost:1');
    page.say(kSession, kShell, {});
    page.say({ ...kSession, token: 5 });
    page.say({ ...kSession, app: null });
    page.say('session');
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(done, false);
    page.say(kSession);
    assert.equal((await waiting).app.id, 'locara/x');
});

test('says so when it stands outside the shell or the shell is silent', async () => {
    const page = new FakePage();
    await assert.rejects(connect({ timeoutMs: 5 }, page), fails('no_session'));
    page.framed = false;
    await assert.rejects(connect({}, page), fails('not_framed'));
});

test('streams text and sends the token in a header only', async () => {
    const { page, session } = await connected();
    page.answer = () =>
        Promise.resolve(
            new Response(stream(delta('{"a"'), delta(':1}').slice(0, 20), delta(':1}').slice(20), delta('', 'stop'),
                'data: {"choices":[],"usage":{"completion_tokens":7}}\n\ndata: [DONE]\n\n'),
                { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }),
        );
    const seen: string[] = [];
    const answer = await session.chat({
        role: 'text',
        messages: [{ role: 'user', content: 'hi' }],
        schema: { type: 'object' },
        maxTokens: 9,
        onText: (text) => seen.push(text),
    });
    assert.deepEqual(answer, { text: '{"a":1}', finish: 'stop', tokens: 7 });
    assert.deepEqual(seen, ['{"a"', '{"a":1}']);
    const request = page.requests[0];
    assert.equal(request?.path, '/v1/chat/completions');
    assert.equal((request?.init.headers as Record<string, string>).Authorization, `Bearer ${kToken}`);
    assert.deepEqual(JSON.parse(request?.init.body as string), {
        model: 'text',
        messages: [{ role: 'user', content: 'hi' }],
        temperature: 0,
        stream: true,
        max_tokens: 9,
        response_format: {
            type: 'json_schema',
            json_schema: { name: 'answer', strict: true, schema: { type: 'object' } },
        },
    });
});

test('turns every kind of failure into a LocaraError with its code', async () => {
    const run = (...parts: (string | Error)[]) => readChat(stream(...parts), 'req-1', {});
    await assert.rejects(run(delta('x'), new Error('reset')), fails('interrupted'));
    await assert.rejects(run(delta('x')), fails('interrupted', /middle/));
    await assert.rejects(run('data: {nonsense\n\n'), fails('bad_answer'));
    await assert.rejects(
        run('data: {"error":{"message":"The engine stopped.","code":"engine_crashed","hint":"Try again."}}\n\n'),
        (error: unknown) => fails('engine_crashed', /stopped/)(error) && (error as LocaraError).hint === 'Try again.',
    );
    await assert.rejects(run('error: {"code":500,"message":"boom","type":"server_error"}\n\n'), fails('server_error', /boom/));
    await assert.rejects(run('data: {"error":{"message":"boom"}}\n\n'), fails('engine_failed', /boom/));
    assert.deepEqual(await run(delta('x', 'length')), { text: 'x', finish: 'length', tokens: null });
});

test('reads errors in the shape of OpenAI and as problem+json, with status and request id', async () => {
    const { page, session } = await connected();
    const refuse = (status: number, body: string): void => {
        page.answer = () => Promise.resolve(new Response(body, { status, headers: { 'x-request-id': 'r7' } }));
    };
    const ask = (): Promise<unknown> => session.chat({ role: 'text', messages: [] });
    refuse(503, '{"error":{"message":"Busy.","type":"server_error","code":"engine_starting","hint":"Wait."}}');
    await assert.rejects(ask(), (error: unknown) => {
        fails('engine_starting', /Busy/)(error);
        assert.ok(error instanceof LocaraError);
        assert.deepEqual([error.status, error.hint, error.requestId, error.retryable], [503, 'Wait.', 'r7', true]);
        return true;
    });
    refuse(403, '{"type":"about:blank","title":"Refused","detail":"Not this model.","code":"model_not_granted"}');
    await assert.rejects(ask(), fails('model_not_granted', /Not this model/));
    refuse(500, '<html>');
    await assert.rejects(ask(), fails('http_500'));
    page.answer = () => Promise.resolve(new Response('hello', { headers: { 'content-type': 'text/html' } }));
    await assert.rejects(ask(), fails('bad_answer', /text\/html/));
});

test('tells the shell when the session is over or nobody answers', async () => {
    const { page, session } = await connected();
    page.answer = () => Promise.resolve(new Response('{}', { status: 401 }));
    await assert.rejects(session.describe(), fails('session_ended'));
    assert.deepEqual(page.sent.at(-1), { message: { locara: 1, type: 'ended', reason: 'session' }, origin: kShell });
    page.answer = () => Promise.reject(new TypeError('failed'));
    await assert.rejects(session.describe(), fails('unreachable'));
    assert.deepEqual(page.sent.at(-1)?.message, { locara: 1, type: 'ended', reason: 'unreachable' });
    const abort = new AbortController();
    abort.abort();
    await assert.rejects(session.describe(abort.signal), fails('cancelled'));
});

test('uses the new token after the app was started anew', async () => {
    const { page, session } = await connected();
    page.say({ ...kSession, token: 'b'.repeat(64) });
    await session.describe();
    const headers = page.requests[0]?.init.headers as Record<string, string>;
    assert.equal(headers.Authorization, `Bearer ${'b'.repeat(64)}`);
});

test('saves by message and waits for the user', async () => {
    const { page, session } = await connected();
    const first = session.save('tasks.json', 'application/json', '{"é":1}');
    await assert.rejects(session.save('tasks.json', 'application/json', 'x'), fails('save_unavailable'));
    const second = session.save('tasks.ics', 'text/calendar', new Uint8Array([1, 2]));
    const message = page.sent.at(-2)?.message;
    assert.equal(message?.type, 'save');
    assert.equal(new TextDecoder().decode(message?.bytes as ArrayBuffer), '{"é":1}');
    page.say({ locara: 1, type: 'saved', name: 'tasks.ics' });
    page.say({ locara: 1, type: 'declined', name: 'tasks.json' });
    assert.deepEqual(await Promise.all([first, second]), ['declined', 'saved']);
});
