/** The one question this app asks its model. */
import { LocaraError, readPartialJson, type Session } from '@locara/sdk';
import manifest from '../../locara.json';
import { readAnswer, type Answer } from './task';

const { role, output } = manifest.entry.once;

/** An answer has about 60 tokens; this leaves room for the longest note. */
const kMaxTokens = 256;

export async function ask(
    session: Session,
    note: string,
    signal: AbortSignal,
    onPart: (part: Partial<Answer>) => void,
): Promise<Partial<Answer>> {
    const answer = await session.chat({
        role,
        messages: [{ role: 'user', content: note }],
        schema: output.schema,
        maxTokens: kMaxTokens,
        signal,
        onText: (text) => onPart(readAnswer(readPartialJson(text).value)),
    });
    let value: unknown;
    try {
        value = JSON.parse(answer.text);
    } catch (cause) {
        throw new LocaraError(
            'bad_answer',
            answer.finish === 'length' ? 'The model did not come to an end.' : 'The model did not write a task.',
            { hint: 'Try a shorter note, or keep it as it is.', cause },
        );
    }
    const task = readAnswer(value);
    if (task.title === undefined) {
        throw new LocaraError('bad_answer', 'The model found no task in this note.', {
            hint: 'Keep it as it is, or write it in other words.',
        });
    }
    return task;
}
