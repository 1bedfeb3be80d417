/**
 * Reads the beginning of a JSON text, as a model writes it, and gives back what is certain so far.
 * A string that is still being written is included as far as it came; a number, literal or key
 * that is not finished is left out, because its value may still change.
 *
 * This is for showing progress. Use JSON.parse on the whole text for the result.
 */
export interface PartialJson {
    /** What has been read; undefined when nothing is certain yet. */
    readonly value: unknown;
    /** True when the value is finished: only spaces may follow. */
    readonly complete: boolean;
    /** Names of the top-level keys whose values are finished. */
    readonly finished: ReadonlySet<string>;
}

/** Nesting that is followed; deeper values are left out. */
export const kMaxDepth = 32;

class Stop extends Error {}

export function readPartialJson(text: string): PartialJson {
    const reader = new Reader(text);
    reader.read();
    return { value: reader.result, complete: reader.complete, finished: reader.finished };
}

class Reader {
    result: unknown = undefined;
    complete = false;
    readonly finished = new Set<string>();
    private at = 0;

    constructor(private readonly text: string) {}

    read(): void {
        try {
            this.value(0, (value) => (this.result = value));
            this.complete = true;
        } catch (stop) {
            if (!(stop instanceof Stop)) throw stop;
        }
    }

    /** Reads one value; `put` is called as soon as there is something to show, and again when it grows. */
    private value(depth: number, put: (value: unknown) => void): void {
        if (depth > kMaxDepth) throw new Stop();
        this.space();
        const char = this.text[this.at];
        if (char === '{') return this.object(depth, put);
        if (char === '[') return this.array(depth, put);
        if (char === '"') return this.string(put);
        const rest = this.text.slice(this.at);
        for (const [word, value] of [['true', true], ['false', false], ['null', null]] as const) {
            if (rest.startsWith(word)) {
                this.at += word.length;
                return put(value);
            }
        }
        // A number counts only when something that cannot belong to it follows.
        const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?=[\s,\]}])/.exec(rest);
        if (number === null) throw new Stop();
        this.at += number[0].length;
        put(Number(number[0]));
    }

    private object(depth: number, put: (value: unknown) => void): void {
        // No prototype: a key such as "__proto__" is data like any other.
        const into: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
        put(into);
        this.at++;
        for (let count = 0; ; count++) {
            if (this.next('}')) return;
            if (count > 0) this.expect(',');
            this.space();
            if (this.text[this.at] !== '"') throw new Stop();
            let key = '';
            this.string((value) => (key = value));
            this.expect(':');
            this.value(depth + 1, (value) => (into[key] = value));
            if (depth === 0) this.finished.add(key);
        }
    }

    private array(depth: number, put: (value: unknown) => void): void {
        const into: unknown[] = [];
        put(into);
        this.at++;
        for (let count = 0; ; count++) {
            if (this.next(']')) return;
            if (count > 0) this.expect(',');
            const index = into.length;
            this.value(depth + 1, (value) => (into[index] = value));
        }
    }

    private string(put: (value: string) => void): void {
        let value = '';
        this.at++;
        for (;;) {
            const char = this.text[this.at];
            if (char === undefined) {
                put(value);
                throw new Stop();
            }
            if (char === '"') {
                this.at++;
                return put(value);
            }
            if (char !== '\\') {
                value += char;
                this.at++;
                continue;
            }
            const escape = /^\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/.exec(this.text.slice(this.at, this.at + 6));
            if (escape === null) {
                put(value);
                throw new Stop();
            }
            const simple = escape[2];
            value +=
                simple === undefined
                    ? String.fromCharCode(parseInt(escape[1] ?? '', 16))
                    : ({ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[simple] ?? simple);
            this.at += escape[0].length;
        }
    }

    private space(): void {
        while (/\s/.test(this.text[this.at] ?? '')) this.at++;
    }

    private next(char: string): boolean {
        this.space();
        if (this.text[this.at] !== char) return false;
        this.at++;
        return true;
    }

    private expect(char: string): void {
        if (!this.next(char)) throw new Stop();
    }
}
