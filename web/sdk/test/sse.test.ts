import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kMaxEventChars, SseParser, type SseEvent } from '../src/sse.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function parse(stream: Uint8Array, cut: number): SseEvent[] {
    const parser = new SseParser();
    const events: SseEvent[] = [];
    for (let at = 0; at < stream.length; at += cut) events.push(...parser.push(stream.slice(at, at + cut)));
    return [...events, ...parser.end()];
}

const kStream =
    '\ufeff: a comment\r\n\r\nevent: greeting\ndata: häagen 🍦\ndata:second line\n\ndata: {"a":\rdata: 1}\r\r' +
    'id: 7\nretry: 10\ndata\n\nevent: nothing\n\ndata: [DONE]\r\n\r\n';
const kEvents: SseEvent[] = [
    { event: 'greeting', data: 'häagen 🍦\nsecond line' },
    { event: 'message', data: '{"a":\n1}' },
    { event: 'message', data: '' },
    { event: 'message', data: '[DONE]' },
];

test('reads the same events wherever the bytes are cut', () => {
    const stream = bytes(kStream);
    for (let cut = 1; cut <= stream.length; cut++) assert.deepEqual(parse(stream, cut), kEvents, `cut ${cut}`);
});

test('gives an event that lacks only its last empty line', () => {
    assert.deepEqual(parse(bytes('data: x'), 3), [{ event: 'message', data: 'x' }]);
    assert.deepEqual(parse(bytes('data: x\n'), 3), [{ event: 'message', data: 'x' }]);
});

test('reads the error field that llama.cpp writes', () => {
    assert.deepEqual(parse(bytes('error: {"code":500}\n\n'), 4), [{ event: 'error', data: '{"code":500}' }]);
});

test('refuses a line or an event without end', () => {
    const parser = new SseParser();
    assert.throws(() => {
        for (let sent = 0; sent <= kMaxEventChars; sent += 65536) parser.push(new Uint8Array(65536).fill(120));
    }, RangeError);
    const lines = new SseParser();
    assert.throws(() => {
        for (let sent = 0; sent <= kMaxEventChars; sent += 1024) lines.push(bytes(`data: ${'x'.repeat(1024)}\n`));
    }, RangeError);
});
