import {printable} from '../../../native-free/errors.ts';
import {type CommandEntry, defineCommand} from '../command.ts';
import {type CompletionCommand, completionScript, shells} from '../completion-script.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import {globalOptions} from '../globals.ts';
import {findNearest} from '../nearest.ts';

/** `subroot completion SHELL`: a static script, generated from the command table. */
export const completionCommand = defineCommand({
  options: {},
  run: async ({words}, {output, commands}) => {
    const [word = ''] = words;
    const shell = shells.find((each) => each === word);
    if (shell === undefined) {
      const nearest = findNearest(word, shells);
      throw usageError(
        `there is no completion for "${printable(word)}"`,
        `choose one of ${shells.join(', ')}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
      );
    }
    output.print(completionScript(shell, await readTable(commands), globalOptions));
    return exitCodes.ok;
  },
});

async function readTable(commands: readonly CommandEntry[]): Promise<CompletionCommand[]> {
  return Promise.all(
    commands.map(async ({name, usage, summary, load}) => ({name, usage, summary, options: (await load()).options})),
  );
}
