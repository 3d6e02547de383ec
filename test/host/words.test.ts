import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import fc from 'fast-check';
import {dir} from 'tmp-promise';
import {Agent} from '../../src/host/agent.ts';
import {decodeWord, encodeWord} from '../../src/host/words.ts';
import {hostTest} from '../helpers/host-test.ts';

hostTest('root', 'perl')(
  'any text reaches the agent as it is, and no part of it becomes another word or step',
  async (t) => {
    const folder = await dir({unsafeCleanup: true});
    const agent = await Agent.start({kind: 'direct'});
    t.teardown(async () => {
      await agent.close();
      await folder.cleanup();
    });
    const path = join(folder.path, 'text');
    const texts = fc.oneof(
      fc.string({unit: 'binary'}),
      fc.string({unit: fc.constantFrom(' ', ';', '%', '\n', '\0', "'", '"', '\\', '$', '`', 'é', '%0A', ' ; exec ')}),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        await agent.request('local', [], [['file', path, '0600', text]]);
        t.is(readFileSync(path, 'utf8'), Buffer.from(text).toString('utf8'));
      }),
      {numRuns: 300},
    );
  },
);

hostTest()('a word read back is the word, and is never empty or more than one', (t) => {
  fc.assert(
    fc.property(fc.string({unit: 'grapheme'}), (text) => {
      const word = encodeWord(text);
      t.regex(word, /^[A-Za-z0-9_./:=,+@%-]+$/);
      t.is(decodeWord(word), text);
    }),
  );
});
