import {printable} from '../../../native-free/errors.ts';

/** Text for HTML, in content and in attributes between double quotes; nothing of it can steer a page or a terminal. */
export function html(text: string | number): string {
  return printable(String(text))
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
