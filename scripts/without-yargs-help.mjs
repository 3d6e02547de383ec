/**
 * Leaves out of a bundle what yargs lays its own help out with, which is never shown: ours is drawn by src/cli/help.ts. string-width
 * makes an Intl.Segmenter when it is loaded, and that took a third of the time of `subroot pods`. Whoever calls it finds out at once.
 */
export const withoutYargsHelp = {
  name: 'without-yargs-help',
  setup(build) {
    build.onResolve({filter: /^(cliui|string-width)$/}, ({path}) => ({path, namespace: 'without-yargs-help'}));
    build.onLoad({filter: /.*/, namespace: 'without-yargs-help'}, ({path}) => ({
      contents: `export default () => {throw new Error(${JSON.stringify(`${path} is not in this bundle: yargs' own help is not used`)})}`,
    }));
  },
};
