/** The environment of what runs our terminals. A pod's program never sees it: its own comes with its plan. */
export function terminalEnvironment(): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    TERM: 'xterm-256color',
    // script(1) runs its command by it, whatever shell the user has.
    SHELL: '/bin/sh',
  };
}
