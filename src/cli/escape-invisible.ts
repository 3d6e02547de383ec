/** C1 controls and bidirectional overrides as `\uXXXX`, for text whose encoder has escaped C0 already. JSON and YAML read it in double quotes. */
export function escapeInvisible(text: string): string {
  return text.replaceAll(
    /[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
