import { errorFromBody, LocaraError } from './error.js';
import { kMaxSaveBytes, parseFromShell, shellOrigin, type AppInfo, type FromApp } from './frame.js';
import { SseParser } from './sse.js';

export interface Message {
    readonly role: 'system' | 'user' | 'assistant';
    readonly content: string;
}

export interface ChatRequest {
    /** A role of the app's manifest, such as "text": which model answers is not the page's choice. */
    readonly role: string;
    readonly messages: readonly Message[];
    /** JSON Schema. The engine can then write nothing that does not fit it. */
    readonly schema?: object;
    readonly maxTokens?: number;
    /** 0, the default, gives the same answer each time. */
    readonly temperature?: number;
    readonly signal?: AbortSignal;
    /** Called with all text so far each time some arrives. */
    readonly onText?: (text: string) => void;
}

export interface ChatAnswer {
    readonly text: string;
    /** "stop": the model was done. "length": it was cut off at maxTokens or at the end of its context. */
    readonly finish: string;
    /** Tokens of the answer, null when the engine did not say. */
    readonly tokens: number | null;
}

/** An input of a declarative prompt, as the app's manifest states it. */
export interface PromptField {
    readonly name: string;
    readonly label: string;
    readonly kind: 'line' | 'text' | 'choice';
    readonly choices?: readonly string[];
    readonly placeholder?: string;
    readonly required?: boolean;
}

export interface Prompt {
    readonly role: string;
    readonly fields: readonly PromptField[];
    readonly template: string;
    readonly output?: { readonly schema: object };
}

export interface AppDescription extends AppInfo {
    readonly kind: string;
    readonly description: string;
    readonly models: readonly { readonly role: string; readonly task: string }[];
    readonly prompt: Prompt | null;
}

export type SaveOutcome = 'saved' | 'declined';

const kStartAgain = 'Start the app again from the terminal and open the address it prints.';

/** What the app's page may do, for as long as the broker that started it runs. */
export interface Session {
    readonly app: AppInfo;
    /** Asks a model. Rejects with LocaraError only. */
    chat(request: ChatRequest): Promise<ChatAnswer>;
    /** What the manifest says about this app. */
    describe(signal?: AbortSignal): Promise<AppDescription>;
    /**
     * Hands a file to the shell, which shows its name and size and saves it when the user says so.
     * There is no time limit: the promise settles when the user has decided.
     */
    save(name: string, mime: string, bytes: Uint8Array | string): Promise<SaveOutcome>;
}

export interface ConnectOptions {
    /** How long to wait for the shell, in milliseconds. */
    readonly timeoutMs?: number;
}

/** The parts of a browser that a session needs; tests hand in their own. */
export interface Page {
    readonly location: { readonly protocol: string; readonly port: string; readonly origin: string };
    readonly parent: { postMessage(message: unknown, origin: string, transfer?: Transferable[]): void };
    readonly framed: boolean;
    listen(handler: (event: { data: unknown; origin: string; source: unknown }) => void): void;
    fetch(path: string, init: RequestInit): Promise<Response>;
}

function browserPage(): Page {
    return {
        location: window.location,
        parent: window.parent,
        framed: window.parent !== window,
        listen: (handler) => window.addEventListener('message', handler),
        fetch: (path, init) => window.fetch(path, init),
    };
}

/**
 * Waits until the shell has handed over the session. Call it once, early.
 * Rejects with LocaraError `not_framed` or `no_session`.
 */
export function connect(options: ConnectOptions = {}, page: Page = browserPage()): Promise<Session> {
    if (!page.framed) {
        return Promise.reject(
            new LocaraError('not_framed', 'This page works only inside Locara.', { hint: kStartAgain }),
        );
    }
    const shell = shellOrigin(page.location);
    return new Promise((resolve, reject) => {
        let session: LiveSession | null = null;
        const timer = setTimeout(() => {
            reject(new LocaraError('no_session', 'Locara did not hand over a session.', { hint: kStartAgain }));
        }, options.timeoutMs ?? 15_000);
        page.listen((event) => {
            if (event.origin !== shell || event.source !== page.parent) return;
            const message = parseFromShell(event.data);
            if (message === null) return;
            if (message.type !== 'session') {
                session?.settle(message.name, message.type);
                return;
            }
            clearTimeout(timer);
            if (session === null) {
                session = new LiveSession(page, shell, message.token, message.app);
                resolve(session);
            } else {
                session.renew(message.token);
            }
        });
        page.parent.postMessage({ locara: 1, type: 'ready' } satisfies FromApp, shell);
    });
}

class LiveSession implements Session {
    private readonly saves = new Map<string, (outcome: SaveOutcome) => void>();
    readonly #page: Page;
    readonly #shell: string;
    #token: string;

    constructor(
        page: Page,
        shell: string,
        token: string,
        readonly app: AppInfo,
    ) {
        this.#page = page;
        this.#shell = shell;
        this.#token = token;
    }

    /** The app was started anew while the page stayed open. */
    renew(token: string): void {
        this.#token = token;
    }

    settle(name: string, outcome: SaveOutcome): void {
        const waiting = this.saves.get(name);
        this.saves.delete(name);
        waiting?.(outcome);
    }

    save(name: string, mime: string, bytes: Uint8Array | string): Promise<SaveOutcome> {
        const copy = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice();
        if (this.saves.has(name)) {
            return Promise.reject(
                new LocaraError('save_unavailable', `A file named ${name} is already waiting to be saved.`, {
                    hint: 'Answer the question above the app first.',
                }),
            );
        }
        if (copy.byteLength > kMaxSaveBytes) {
            return Promise.reject(
                new LocaraError(
                    'save_unavailable',
                    `${name} has ${copy.byteLength} bytes, and at most ${kMaxSaveBytes} can be saved at once.`,
                ),
            );
        }
        return new Promise((resolve) => {
            this.saves.set(name, resolve);
            const buffer = copy.buffer as ArrayBuffer;
            this.#page.parent.postMessage(
                { locara: 1, type: 'save', name, mime, bytes: buffer } satisfies FromApp,
                this.#shell,
                [buffer],
            );
        });
    }

    async describe(signal?: AbortSignal): Promise<AppDescription> {
        const response = await this.request('/locara/v1/app', signal ? { signal } : {});
        try {
            return (await response.json()) as AppDescription;
        } catch (cause) {
            throw new LocaraError('bad_answer', 'Locara described this app in a way that is not JSON.', { cause });
        }
    }

    async chat(request: ChatRequest): Promise<ChatAnswer> {
        const body = {
            model: request.role,
            messages: request.messages,
            temperature: request.temperature ?? 0,
            stream: true,
            ...(request.maxTokens === undefined ? {} : { max_tokens: request.maxTokens }),
            ...(request.schema === undefined
                ? {}
                : {
                      response_format: {
                          type: 'json_schema',
                          json_schema: { name: 'answer', strict: true, schema: request.schema },
                      },
                  }),
        };
        const response = await this.request('/v1/chat/completions', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
            body: JSON.stringify(body),
            ...(request.signal ? { signal: request.signal } : {}),
        });
        const requestId = response.headers.get('x-request-id');
        const kind = response.headers.get('content-type') ?? '';
        if (response.body === null || !kind.startsWith('text/event-stream')) {
            throw new LocaraError('bad_answer', `Locara answered with ${kind || 'nothing'} instead of a stream.`, {
                status: response.status,
                requestId,
            });
        }
        return readChat(response.body, requestId, request);
    }

    private async request(path: string, init: RequestInit): Promise<Response> {
        let response: Response;
        try {
            response = await this.#page.fetch(path, {
                ...init,
                headers: { ...init.headers, Authorization: `Bearer ${this.#token}` },
                cache: 'no-store',
                credentials: 'omit',
                redirect: 'error',
                referrerPolicy: 'no-referrer',
            });
        } catch (cause) {
            throw this.lost(cause, init.signal);
        }
        if (response.ok) return response;
        let body: unknown = null;
        try {
            body = await response.json();
        } catch {
            // The status alone then has to explain it.
        }
        if (response.status === 401) {
            this.tell({ locara: 1, type: 'ended', reason: 'session' });
            throw new LocaraError('session_ended', 'This session has ended.', {
                status: 401,
                hint: kStartAgain,
                requestId: response.headers.get('x-request-id'),
            });
        }
        throw errorFromBody(body, response.status, response.headers.get('x-request-id'));
    }

    private lost(cause: unknown, signal: AbortSignal | null | undefined): LocaraError {
        if (signal?.aborted === true) return new LocaraError('cancelled', 'Stopped.', { cause });
        this.tell({ locara: 1, type: 'ended', reason: 'unreachable' });
        return new LocaraError('unreachable', 'Locara does not answer on this computer.', {
            hint: kStartAgain,
            cause,
        });
    }

    private tell(message: FromApp): void {
        this.#page.parent.postMessage(message, this.#shell);
    }
}

interface Chunk {
    readonly error?: unknown;
    readonly choices?: readonly {
        readonly delta?: { readonly content?: string | null };
        readonly finish_reason?: string | null;
    }[];
    readonly usage?: { readonly completion_tokens?: number } | null;
}

/** Reads a streamed chat completion. Exported for tests. */
export async function readChat(
    body: ReadableStream<Uint8Array>,
    requestId: string | null,
    request: Pick<ChatRequest, 'onText' | 'signal'>,
): Promise<ChatAnswer> {
    const reader = body.getReader();
    const parser = new SseParser();
    let text = '';
    let finish: string | null = null;
    let tokens: number | null = null;
    let done = false;
    const fail = (code: string, message: string, cause?: unknown): LocaraError =>
        new LocaraError(code, message, { status: 200, requestId, cause });
    try {
        while (!done) {
            let read: ReadableStreamReadResult<Uint8Array>;
            try {
                read = await reader.read();
            } catch (cause) {
                if (request.signal?.aborted === true) throw fail('cancelled', 'Stopped.', cause);
                throw fail('interrupted', 'The connection broke while the answer was coming in.', cause);
            }
            for (const event of read.done ? parser.end() : parser.push(read.value)) {
                if (event.data === '[DONE]') {
                    done = true;
                    break;
                }
                let chunk: Chunk;
                try {
                    chunk = JSON.parse(event.data) as Chunk;
                } catch (cause) {
                    throw fail('bad_answer', 'Part of the answer is not JSON.', cause);
                }
                if (event.event === 'error' || chunk.error !== undefined) {
                    const found = errorFromBody(chunk, 0, requestId);
                    throw found.code === 'bad_answer' ? new LocaraError('engine_failed', found.message, found) : found;
                }
                const choice = chunk.choices?.[0];
                if (typeof chunk.usage?.completion_tokens === 'number') tokens = chunk.usage.completion_tokens;
                if (choice?.finish_reason) finish = choice.finish_reason;
                if (choice?.delta?.content) {
                    text += choice.delta.content;
                    request.onText?.(text);
                }
            }
            if (read.done) break;
        }
    } catch (error) {
        if (error instanceof RangeError) throw fail('bad_answer', `The answer is too large: ${error.message}.`, error);
        throw error;
    } finally {
        reader.cancel().catch(() => undefined);
    }
    if (!done && finish === null) throw fail('interrupted', 'The answer ended in the middle.');
    return { text, finish: finish ?? 'stop', tokens };
}
