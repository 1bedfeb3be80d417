/** What the caller may do about an error, beside showing it. */
export type ErrorCode =
    /** The page was opened directly instead of inside the shell. */
    | 'not_framed'
    /** The shell did not hand over a session in time. */
    | 'no_session'
    /** The token is not valid any more: the app must be started again. */
    | 'session_ended'
    /** Locara does not answer on this computer. */
    | 'unreachable'
    /** The connection broke while an answer was coming in. */
    | 'interrupted'
    /** The answer is not what the protocol says. */
    | 'bad_answer'
    /** The caller's AbortSignal fired. */
    | 'cancelled'
    /** The shell has no way to save, or another save of that name is still being asked. */
    | 'save_unavailable'
    /** Any code that the runtime or the engine sent; see docs of the local API. */
    | (string & {});

/**
 * The one error of this library. `message` is for people, `code` for programs, `status` is the
 * HTTP status (0 when there was no HTTP answer), `hint` says what to do, `requestId` is what the
 * runtime wrote to its log for this request.
 */
export class LocaraError extends Error {
    readonly code: ErrorCode;
    readonly status: number;
    readonly hint: string;
    readonly requestId: string | null;

    constructor(
        code: ErrorCode,
        message: string,
        more: { status?: number; hint?: string; requestId?: string | null; cause?: unknown } = {},
    ) {
        super(message, more.cause === undefined ? undefined : { cause: more.cause });
        this.name = 'LocaraError';
        this.code = code;
        this.status = more.status ?? 0;
        this.hint = more.hint ?? '';
        this.requestId = more.requestId ?? null;
    }

    /** True when the same call may work if it is made again without the user doing anything. */
    get retryable(): boolean {
        return (
            this.code === 'interrupted' ||
            this.code === 'unreachable' ||
            this.status === 429 ||
            this.status === 502 ||
            this.status === 503 ||
            this.status === 504
        );
    }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value : undefined;

/**
 * Reads an error body in any of the shapes the local API uses: OpenAI's `{"error": {message,
 * code, type, hint}}`, `{"error": "words"}`, or problem+json (RFC 9457).
 */
export function errorFromBody(body: unknown, status: number, requestId: string | null = null): LocaraError {
    let source: Record<string, unknown> = isRecord(body) ? body : {};
    if (isRecord(source.error)) source = source.error;
    const words =
        text(source.message) ?? text(source.detail) ?? text(source.title) ?? text(source.error);
    const given = text(source.code) ?? (status === 401 ? undefined : text(source.type));
    const code = given ?? (status === 401 ? 'session_ended' : status === 0 ? 'bad_answer' : `http_${status}`);
    const inBody = typeof source.code === 'number' ? source.code : 0;
    return new LocaraError(code, words ?? `Locara answered with status ${status} and no explanation.`, {
        status: status !== 0 ? status : inBody,
        hint: text(source.hint) ?? '',
        requestId,
    });
}
