/**
 * The messages between the shell page and the app's page in its frame. Each side checks the
 * origin and the sending window of every message, and sends to an exact origin, never to `*`.
 */
export interface AppInfo {
    readonly id: string;
    readonly name: string;
    readonly version: string;
}

/** App to shell. */
export type FromApp =
    | { readonly locara: 1; readonly type: 'ready' }
    | {
          readonly locara: 1;
          readonly type: 'save';
          readonly name: string;
          readonly mime: string;
          readonly bytes: ArrayBuffer;
      }
    /** The app was refused or got no answer: the shell says how to start again. */
    | { readonly locara: 1; readonly type: 'ended'; readonly reason: 'session' | 'unreachable' };

/** Shell to app. */
export type FromShell =
    | { readonly locara: 1; readonly type: 'session'; readonly token: string; readonly app: AppInfo }
    | { readonly locara: 1; readonly type: 'saved' | 'declined'; readonly name: string };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const isText = (value: unknown, max: number): value is string => typeof value === 'string' && value.length <= max;

/** Largest file that an app can hand over to be saved. */
export const kMaxSaveBytes = 256 * 1024 * 1024;

/** Reads what an app sent; null when it is not a message of this protocol. */
export function parseFromApp(data: unknown): FromApp | null {
    if (!isRecord(data) || data.locara !== 1) return null;
    if (data.type === 'ready') return { locara: 1, type: 'ready' };
    if (data.type === 'ended' && (data.reason === 'session' || data.reason === 'unreachable')) {
        return { locara: 1, type: 'ended', reason: data.reason };
    }
    if (
        data.type === 'save' &&
        isText(data.name, 1024) &&
        isText(data.mime, 255) &&
        data.bytes instanceof ArrayBuffer &&
        data.bytes.byteLength <= kMaxSaveBytes
    ) {
        return { locara: 1, type: 'save', name: data.name, mime: data.mime, bytes: data.bytes };
    }
    return null;
}

/** Reads what the shell sent; null when it is not a message of this protocol. */
export function parseFromShell(data: unknown): FromShell | null {
    if (!isRecord(data) || data.locara !== 1) return null;
    if ((data.type === 'saved' || data.type === 'declined') && isText(data.name, 1024)) {
        return { locara: 1, type: data.type, name: data.name };
    }
    if (data.type === 'session' && isText(data.token, 512) && data.token !== '' && isRecord(data.app)) {
        const { id, name, version } = data.app;
        if (isText(id, 100) && isText(name, 200) && isText(version, 100)) {
            return { locara: 1, type: 'session', token: data.token, app: { id, name, version } };
        }
    }
    return null;
}

/** The shell that may frame a page of this address: same scheme and port, host locara.localhost. */
export function shellOrigin(page: { protocol: string; port: string }): string {
    return `${page.protocol}//locara.localhost${page.port === '' ? '' : `:${page.port}`}`;
}
