/** What is wrong and how to mend it, as one text for reports of other programs. */
export function sentences(message: string, mend: string): string {
  return `${ended(message)} To mend: ${ended(mend)}`;
}

const ended = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);
