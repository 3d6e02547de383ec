import type {Report} from '../result.ts';

/** Forms of a report for programs and pages; the text for a terminal is the command line's own. */
export const reportFormats = ['tap', 'junit', 'json', 'sarif', 'html', 'markdown'] as const;
export type ReportFormat = (typeof reportFormats)[number];

/** The reports of one run as one text; each form is loaded when it is asked for. */
export async function renderReport(
  format: ReportFormat,
  reports: readonly Report[],
  options: {readonly strict?: boolean} = {},
): Promise<string> {
  switch (format) {
    case 'tap':
      return (await import('./tap.ts')).tapReport(reports, options);
    case 'junit':
      return (await import('./junit.ts')).junitReport(reports, options);
    case 'sarif':
      return (await import('./sarif.ts')).sarifReport(reports, options);
    case 'html':
      return (await import('./html.ts')).htmlReport(reports, options);
    case 'markdown':
      return (await import('./markdown.ts')).markdownReport(reports);
    case 'json':
      return `${JSON.stringify(reports.length === 1 ? reports[0] : {reports}, null, 2)}\n`;
  }
}
