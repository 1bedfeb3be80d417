import type { Prompt } from '@locara/sdk';

/**
 * Fills the template of a declarative prompt: every `{{field}}` becomes what was entered, as it
 * is. There is no other logic, and what is entered is not searched for further fields.
 */
export function fill(template: string, values: ReadonlyMap<string, string>): string {
    return template.replace(/\{\{([a-z][a-z0-9_]*)\}\}/g, (whole, name: string) => values.get(name) ?? whole);
}

/** The names of required fields that are still empty. */
export function missing(prompt: Prompt, values: ReadonlyMap<string, string>): string[] {
    return prompt.fields
        .filter((field) => field.required === true && (values.get(field.name) ?? '').trim() === '')
        .map((field) => field.name);
}
