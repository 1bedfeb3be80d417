/**
 * The library of a Locara web app. It talks to two parties only: the shell page around the app's
 * frame (by messages) and the app's own origin (by fetch). See docs/app-authors.md.
 */
export { LocaraError, errorFromBody, type ErrorCode } from './error.js';
export {
    connect,
    readChat,
    type AppDescription,
    type ChatAnswer,
    type ChatRequest,
    type ConnectOptions,
    type Message,
    type Page,
    type Prompt,
    type PromptField,
    type SaveOutcome,
    type Session,
} from './session.js';
export { readPartialJson, type PartialJson } from './partial_json.js';
export { SseParser, type SseEvent } from './sse.js';
export {
    kMaxSaveBytes,
    parseFromApp,
    parseFromShell,
    shellOrigin,
    type AppInfo,
    type FromApp,
    type FromShell,
} from './frame.js';
