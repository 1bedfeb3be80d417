/**
 * Server-sent events, as the WHATWG HTML standard (section 9.2.6) says a stream is read: events
 * end with an empty line, lines end with LF, CR or CRLF, `data` lines of one event are joined by
 * LF, lines that start with a colon are comments. Bytes may be cut anywhere, also inside a
 * character or between CR and LF.
 */
export interface SseEvent {
    /** "message" unless the stream names it. */
    readonly event: string;
    readonly data: string;
}

/** Longest line or event that is kept; a server of ours sends a few hundred bytes. */
export const kMaxEventChars = 4 * 1024 * 1024;

export class SseParser {
    private readonly decoder = new TextDecoder('utf-8');
    private line = '';
    private afterCr = false;
    private event = '';
    private data: string[] = [];
    private dataChars = 0;
    private first = true;

    /** Takes the next bytes and returns the events they complete. Throws RangeError over the limit. */
    push(bytes: Uint8Array): SseEvent[] {
        return this.take(this.decoder.decode(bytes, { stream: true }));
    }

    /** Call at the end of the stream; returns an event that lacked only its last empty line. */
    end(): SseEvent[] {
        const events = this.take(this.decoder.decode());
        if (this.line !== '') this.field(this.line);
        this.line = '';
        return [...events, ...this.dispatch()];
    }

    private take(chunk: string): SseEvent[] {
        const events: SseEvent[] = [];
        let start = 0;
        if (this.first && chunk !== '') {
            if (chunk.charCodeAt(0) === 0xfeff) start = 1;
            this.first = false;
        }
        for (let at = start; at < chunk.length; at++) {
            const code = chunk.charCodeAt(at);
            if (code !== 10 && code !== 13) {
                this.afterCr = false;
                continue;
            }
            if (code === 10 && this.afterCr) {
                this.afterCr = false;
                start = at + 1;
                continue;
            }
            const line = this.line + chunk.slice(start, at);
            this.line = '';
            this.afterCr = code === 13;
            start = at + 1;
            if (line === '') events.push(...this.dispatch());
            else this.field(line);
        }
        this.line += chunk.slice(start);
        this.limit(this.line.length);
        return events;
    }

    private field(line: string): void {
        const colon = line.indexOf(':');
        if (colon === 0) return;
        const name = colon < 0 ? line : line.slice(0, colon);
        let value = colon < 0 ? '' : line.slice(colon + 1);
        if (value.startsWith(' ')) value = value.slice(1);
        if (name === 'data') {
            this.dataChars += value.length + 1;
            this.limit(this.dataChars);
            this.data.push(value);
        } else if (name === 'event') {
            this.event = value;
        } else if (name === 'error') {
            // llama.cpp writes an error as a field of that name instead of an event.
            this.event = 'error';
            this.data.push(value);
        }
    }

    private dispatch(): SseEvent[] {
        const { event, data } = this;
        this.event = '';
        this.data = [];
        this.dataChars = 0;
        return data.length === 0 ? [] : [{ event: event === '' ? 'message' : event, data: data.join('\n') }];
    }

    private limit(size: number): void {
        if (size > kMaxEventChars) {
            throw new RangeError(`an event of the answer is over ${kMaxEventChars} characters`);
        }
    }
}
